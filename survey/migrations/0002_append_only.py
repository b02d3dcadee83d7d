"""Triggers that make responses append-only, on SQLite and on PostgreSQL.

A response can be added. It can be emptied only while an erasure of its participant is open,
and an erasure is open only within the transaction that wrote it.
"""

from django.db import migrations

SQLITE = [
    """
    CREATE TRIGGER response_{action} BEFORE {action} ON survey_response
    WHEN NOT EXISTS (
        SELECT 1 FROM survey_erasure e JOIN survey_trial t ON t.participant_id = e.participant_id
        WHERE t.id = OLD.trial_id AND NOT e.sealed)
    BEGIN SELECT RAISE(ABORT, 'responses are append-only'); END
    """.format(action=action)
    for action in ("UPDATE", "DELETE")
] + [
    """
    CREATE TRIGGER erasure_update BEFORE UPDATE ON survey_erasure
    WHEN OLD.sealed OR NOT NEW.sealed OR NEW.participant_id != OLD.participant_id
    BEGIN SELECT RAISE(ABORT, 'an erasure is final'); END
    """,
    """
    CREATE TRIGGER erasure_delete BEFORE DELETE ON survey_erasure
    BEGIN SELECT RAISE(ABORT, 'an erasure is final'); END
    """,
]

POSTGRESQL = [
    """
    CREATE FUNCTION survey_refuse_response() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'TRUNCATE' AND EXISTS (
            SELECT 1 FROM survey_erasure e JOIN survey_trial t
            ON t.participant_id = e.participant_id
            WHERE t.id = OLD.trial_id AND NOT e.sealed AND e.transaction = txid_current())
        THEN
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'responses are append-only' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE FUNCTION survey_guard_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            NEW.transaction := txid_current();
            RETURN NEW;
        END IF;
        IF TG_OP = 'UPDATE' AND NOT OLD.sealed AND NEW.sealed
            AND NEW.participant_id = OLD.participant_id
        THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'an erasure is final' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER response_guard BEFORE UPDATE OR DELETE ON survey_response
    FOR EACH ROW EXECUTE FUNCTION survey_refuse_response()
    """,
    """
    CREATE TRIGGER response_truncate BEFORE TRUNCATE ON survey_response
    FOR EACH STATEMENT EXECUTE FUNCTION survey_refuse_response()
    """,
    """
    CREATE TRIGGER erasure_guard BEFORE INSERT OR UPDATE OR DELETE ON survey_erasure
    FOR EACH ROW EXECUTE FUNCTION survey_guard_erasure()
    """,
    """
    CREATE TRIGGER erasure_truncate BEFORE TRUNCATE ON survey_erasure
    FOR EACH STATEMENT EXECUTE FUNCTION survey_guard_erasure()
    """,
]

REVERSE = {
    "sqlite": [
        "DROP TRIGGER response_UPDATE",
        "DROP TRIGGER response_DELETE",
        "DROP TRIGGER erasure_update",
        "DROP TRIGGER erasure_delete",
    ],
    "postgresql": [
        "DROP TRIGGER response_guard ON survey_response",
        "DROP TRIGGER response_truncate ON survey_response",
        "DROP TRIGGER erasure_guard ON survey_erasure",
        "DROP TRIGGER erasure_truncate ON survey_erasure",
        "DROP FUNCTION survey_refuse_response",
        "DROP FUNCTION survey_guard_erasure",
    ],
}


def create(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[vendor]:
        schema_editor.execute(statement)


def remove(apps, schema_editor):
    for statement in REVERSE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("survey", "0001_initial")]
    operations = [migrations.RunPython(create, remove)]
