"""Responses are append-only, and `verify` finds whatever was changed."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, IntegrityError, connection, transaction

from survey import flow, integrity
from survey.models import Erasure, Participant, Response, Stimulus, Trial, Version
from tests import factories
from tests.conftest import triggers_off


@pytest.fixture
def participant(study):
    return factories.complete(factories.enrol(study))


def changed(participant):
    return integrity.verify(participant.study).faults


def test_verify_accepts_an_untouched_study(participant):
    findings = integrity.verify(participant.study)

    assert (findings.participants, findings.responses, findings.faults) == (1, 8, [])


@pytest.mark.parametrize(
    "change",
    [
        lambda responses: responses.update(response="right"),
        lambda responses: responses._raw_delete("default"),
    ],
)
def test_database_refuses_to_change_a_response(participant, change):
    responses = Response.objects.filter(trial__participant=participant)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change(responses)

    assert changed(participant) == []


def test_database_refuses_to_truncate_the_responses(participant):
    connection.check_constraints()  # PostgreSQL truncates no table that has checks to come
    statement = "TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(f"{statement} survey_response")

    assert Response.objects.count() == 8


def test_database_refuses_a_second_use_of_an_erasure(participant):
    flow.withdraw(participant)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Response.objects.filter(trial__participant=participant).update(response="left")
    with pytest.raises(DatabaseError, match="final"), transaction.atomic():
        Erasure.objects.filter(participant=participant).update(sealed=False)
    with pytest.raises(DatabaseError, match="final"), transaction.atomic():
        Erasure.objects.filter(participant=participant)._raw_delete("default")


def test_an_erasure_opens_only_its_own_participant(study, participant):
    other = factories.complete(factories.enrol(study))
    Erasure.objects.create(participant=participant)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Response.objects.filter(trial__participant=other).update(response="left")


def test_database_refuses_a_second_response_to_a_trial(participant):
    again = Response.objects.first()

    with pytest.raises(IntegrityError), transaction.atomic():
        again.save(force_insert=True)


@pytest.mark.parametrize(
    ("column", "value"),
    [("response", "'right'"), ("rt_ms", "1"), ("answered_at", "'2020-01-01 00:00:00'")],
)
def test_verify_finds_a_changed_response(participant, column, value):
    victim = Response.objects.filter(response="left").first()
    with triggers_off() as cursor:
        cursor.execute(
            f"UPDATE survey_response SET {column} = {value} WHERE trial_id = {victim.pk}"
        )

    assert changed(participant) == [
        f"participant {participant.code}, trial {victim.trial.index}: "
        "the response or its plan was changed"
    ]


def test_verify_finds_a_removed_response(participant):
    victim = Response.objects.get(trial__index=3)
    with triggers_off() as cursor:
        cursor.execute(f"DELETE FROM survey_response WHERE trial_id = {victim.pk}")

    faults = changed(participant)

    assert f"participant {participant.code}, trial 4: a response before it is missing" in faults


def test_verify_finds_a_removed_last_response(participant):
    victim = Response.objects.get(trial__index=7)
    with triggers_off() as cursor:
        cursor.execute(f"DELETE FROM survey_response WHERE trial_id = {victim.pk}")

    assert changed(participant)[0] == (
        f"participant {participant.code}: completed with 7 of 8 responses"
    )


def test_verify_finds_a_changed_plan(participant):
    trial = Trial.objects.get(index=2)
    Trial.objects.filter(pk=trial.pk).update(left=trial.right, right=trial.left)

    assert changed(participant) == [
        f"participant {participant.code}, trial 2: the response or its plan was changed"
    ]


def test_verify_finds_a_changed_truth(participant):
    stimulus = Stimulus.objects.filter(origin="ai").first()
    Stimulus.objects.filter(pk=stimulus.pk).update(origin="enhanced")

    assert f"version 1: stimulus {stimulus.code} was changed or is missing" in changed(participant)


def test_verify_finds_a_changed_design(participant):
    version = Version.objects.get()
    Version.objects.update(canonical=version.canonical.replace("Thank you", "Thank us"))

    assert changed(participant) == ["version 1: the frozen design was changed"]


def test_verify_finds_changed_background_answers(participant):
    Participant.objects.update(background={"age_band": "18"})

    assert changed(participant) == [
        f"participant {participant.code}: background answers or completion were changed"
    ]


def test_verify_finds_a_missing_participant(study, participant):
    started = factories.enrol(study)
    Trial.objects.filter(participant=started).delete()
    started.delete()

    assert changed(participant) == [
        "2 participants started, but their running numbers are not 0 to 1"
    ]


def test_verify_finds_an_added_participant(study, participant):
    stranger = Participant(study=study, version=participant.version, number=1, start_key="x" * 20)
    stranger.save()

    assert changed(participant) == [
        "1 participants started, but their running numbers are not 0 to 0"
    ]


def test_anchor_finds_a_rewritten_chain(study):
    """Somebody with the database can recompute a whole chain, but not an anchor kept elsewhere."""
    participant = factories.enrol(study)
    factories.record(participant, factories.payload(participant))
    anchor = integrity.verify(study).heads
    response = Response.objects.get()
    response.response = "right"
    first = integrity.first_link(participant)
    integrity.seal_response(response, participant, response.trial, first)
    with triggers_off():
        response.save()

    assert integrity.verify(study).faults == []
    assert integrity.verify(study, anchor).faults == [
        f"participant {participant.code}: differs from the anchor"
    ]


def test_anchor_accepts_what_was_added_since(study):
    participant = factories.enrol(study)
    factories.record(participant, factories.payload(participant))
    anchor = integrity.verify(study).heads

    factories.complete(participant)
    factories.complete(factories.enrol(study))

    assert integrity.verify(study, anchor).faults == []


def test_erasure_leaves_a_chain_that_verifies_and_nothing_else(study, participant):
    secret = {"background": {"comment": "a-very-private-remark"}}
    other = factories.enrol(study)
    factories.answer_all(other)
    flow.finish(other, secret["background"])
    digests = set(Response.objects.filter(trial__participant=other).values_list("digest"))

    flow.withdraw(other)

    assert changed(participant) == []
    kept = Response.objects.filter(trial__participant=other)
    assert set(kept.values_list("digest")) == digests
    assert set(kept.values_list("response", "rt_ms", "answered_at", "salt")) == {
        ("", None, None, "")
    }
    assert "a-very-private-remark" not in everything_stored()


def everything_stored():
    """All tables as one text."""
    with connection.cursor() as cursor:
        rows = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += cursor.fetchall()
    return repr(rows)


def test_everything_stored_would_show_a_private_remark(study):
    """The control of the test above."""
    participant = factories.enrol(study)
    factories.answer_all(participant)
    flow.finish(participant, {"comment": "a-very-private-remark"})

    assert "a-very-private-remark" in everything_stored()


def test_verify_command_writes_and_reads_an_anchor(participant, tmp_path, capsys):
    file = tmp_path / "anchor.json"

    call_command("verify", "small", write_anchor=file)
    call_command("verify", "small", anchor=file)

    assert capsys.readouterr().out.count("Nothing was changed.") == 2


def test_verify_command_fails_with_every_fault(participant):
    Participant.objects.update(background={"age_band": "18"})

    with pytest.raises(CommandError, match="background answers or completion were changed"):
        call_command("verify", "small")


def test_verify_command_refuses_a_file_that_is_no_anchor(participant, tmp_path):
    file = tmp_path / "anchor.json"
    file.write_text("[1]")

    with pytest.raises(CommandError, match="is no anchor"):
        call_command("verify", "small", anchor=file)
