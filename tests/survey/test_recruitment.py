"""Panel ids and their hashes: one participation a person, erasure, payment, outcomes."""

import csv
import io
import threading
from datetime import timedelta
from zipfile import ZipFile

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from survey import completion, design, enrolment, flow, recruitment, studies, visits
from survey.models import EntryKey, Membership, PanelIdentity, Participant, Study
from survey.panels import Arrival, Outcome
from tests import factories

Role = Membership.Role
CODES = {"completed": "DONE1", "failed_check": "FAIL3"}
PROLIFIC = {"panel": "prolific", "codes": CODES}
ALICE = Arrival("prolific", "alice", "there", "sitting1")
BOB = Arrival("prolific", "bob", "there", "sitting2")


def make_study(*blocks, **more) -> Study:
    """A live study that recruits on Prolific."""
    study = factories.make_study(*blocks, **more)
    study.recruitment = PROLIFIC
    study.save()
    return study


@pytest.fixture
def study(db):
    return make_study()


# --- one participation a person ----------------------------------------------------------------


def test_start_keeps_the_id_apart_and_the_panel_as_the_source(study):
    participant = factories.enrol(study, arrival=ALICE)
    identity = PanelIdentity.objects.get()
    assert participant.source == "prolific"
    assert identity.participant == participant
    assert recruitment.arrival_of(participant) == ALICE


def test_start_by_the_open_link_keeps_no_id(study):
    participant = factories.enrol(study)
    assert participant.source == "open"
    assert recruitment.arrival_of(participant) is None
    assert EntryKey.objects.count() == 0


def test_start_of_the_same_person_resumes_with_the_same_plan(study):
    first = factories.enrol(study, 1, arrival=ALICE)
    again = Arrival("prolific", "ALICE", "elsewhere", "sitting9")
    second = factories.enrol(study, 2, arrival=again)
    assert second == first
    assert Participant.objects.count() == 1
    assert recruitment.arrival_of(first) == ALICE


def test_start_of_the_same_person_resumes_although_the_places_are_taken(study):
    study.quota = 1
    study.save()
    first = factories.enrol(study, 1, arrival=ALICE)
    assert factories.enrol(study, 2, arrival=ALICE) == first
    with pytest.raises(enrolment.NotOpenError):
        factories.enrol(study, 3, arrival=BOB)


def test_start_in_another_study_is_another_participation(study):
    other = make_study(slug="other")
    first = factories.enrol(study, arrival=ALICE)
    second = factories.enrol(other, arrival=ALICE)
    assert first.entry_key.digest != second.entry_key.digest


def test_digest_depends_on_the_secret(study, settings):
    before = recruitment.digest(study, ALICE)
    settings.SECRET_KEY = "another secret" * 5
    assert recruitment.digest(study, ALICE) != before


def test_database_refuses_a_second_key_of_a_person(study):
    factories.enrol(study, 1, arrival=ALICE)
    other = factories.enrol(study, 2, arrival=BOB)
    recruitment.forget(other)
    with pytest.raises(IntegrityError), transaction.atomic():
        recruitment.remember(other, ALICE)
    assert PanelIdentity.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_start_of_one_person_many_times_at_once_makes_one_participant():
    study = make_study()
    together = threading.Barrier(8)
    made, failed = [], []

    def enter(number: int) -> None:
        together.wait()
        try:
            made.append(factories.enrol(study, number, arrival=ALICE).pk)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=enter, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    study.allocation.refresh_from_db()
    assert failed == []
    assert len(made) == 8
    assert set(made) == set(Participant.objects.values_list("pk", flat=True))
    assert Participant.objects.count() == study.allocation.started == 1


# --- erasure -----------------------------------------------------------------------------------


def test_erasure_by_routine_leaves_the_hash(study):
    participant = factories.enrol(study, 1, arrival=ALICE)
    assert recruitment.erase_ids(study) == 1
    assert PanelIdentity.objects.count() == 0
    assert recruitment.participant_of(study, ALICE) == participant
    assert factories.enrol(study, 2, arrival=ALICE) == participant


def test_erasure_by_routine_spares_whoever_entered_lately(study):
    old, _new = (factories.enrol(study, n, arrival=a) for n, a in enumerate((ALICE, BOB)))
    Participant.objects.filter(pk=old.pk).update(entered_at=timezone.now() - timedelta(days=31))
    assert recruitment.erase_ids(study, days=30) == 1
    assert PanelIdentity.objects.get().panel_id == "bob"


def test_erasure_by_routine_leaves_other_studies_alone(study):
    factories.enrol(make_study(slug="other"), arrival=ALICE)
    assert recruitment.erase_ids(study) == 0
    assert PanelIdentity.objects.count() == 1


def test_withdrawal_removes_id_and_hash_of_this_person_only(study):
    alice = factories.enrol(study, 1, arrival=ALICE)
    bob = factories.enrol(study, 2, arrival=BOB)
    flow.withdraw(alice)
    assert recruitment.participant_of(study, ALICE) is None
    assert recruitment.participant_of(study, BOB) == bob
    assert [identity.panel_id for identity in PanelIdentity.objects.all()] == ["bob"]
    assert EntryKey.objects.count() == 1


def test_withdrawal_lets_a_person_consent_anew(study):
    first = factories.enrol(study, 1, arrival=ALICE)
    flow.withdraw(first)
    assert factories.enrol(study, 2, arrival=ALICE) != first


def test_closing_removes_the_hashes_of_this_study_only(study):
    other = make_study(slug="other")
    for number, each in enumerate((study, other)):
        factories.enrol(each, number, arrival=ALICE)
    studies.close(study)
    assert [key.study for key in EntryKey.objects.all()] == [other]
    assert PanelIdentity.objects.count() == 2


def test_command_erases_the_ids_of_one_study(study):
    factories.enrol(study, arrival=ALICE)
    factories.enrol(make_study(slug="other"), arrival=ALICE)
    out = io.StringIO()
    call_command("erase_panel_ids", "small", stdout=out)
    assert out.getvalue() == "small: 1 panel IDs erased.\n"
    assert PanelIdentity.objects.get().participant.study.slug == "other"


def test_command_erases_the_ids_of_all_studies(study):
    factories.enrol(study, arrival=ALICE)
    factories.enrol(make_study(slug="other"), arrival=ALICE)
    out = io.StringIO()
    call_command("erase_panel_ids", "--all", stdout=out)
    assert out.getvalue() == "other: 1 panel IDs erased.\nsmall: 1 panel IDs erased.\n"
    assert PanelIdentity.objects.count() == 0


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "Give the short name of a study, or --all."),
        (["small", "--all"], "Give the short name of a study, or --all."),
        (["small", "--days=-1"], "--days must not be negative."),
        (["nothing"], "There is no study nothing. Studies here: small."),
    ],
)
def test_command_refuses_to_guess_what_to_erase(study, words, fault):
    factories.enrol(study, arrival=ALICE)
    with pytest.raises(CommandError) as error:
        call_command("erase_panel_ids", *words)
    assert str(error.value) == fault
    assert PanelIdentity.objects.count() == 1


# --- outcome and payment -----------------------------------------------------------------------


def test_outcome_is_none_before_the_end(study):
    participant = factories.enrol(study, arrival=ALICE)
    at_start = completion.outcome(participant)
    factories.answer_all(participant)
    assert (at_start, completion.outcome(participant)) == (None, None)


def test_outcome_is_completed_after_the_end(study):
    participant = factories.complete(factories.enrol(study, arrival=ALICE))
    assert completion.outcome(participant) is Outcome.COMPLETED


def test_outcome_is_none_while_a_response_is_missing(study):
    participant = factories.enrol(study, arrival=ALICE)
    participant.completed_at = timezone.now()
    participant.save()
    assert completion.outcome(participant) is None
    assert completion.way_back(participant) is None


def test_outcome_is_none_after_a_withdrawal(study):
    participant = factories.complete(factories.enrol(study, arrival=ALICE))
    flow.withdraw(participant)
    participant.refresh_from_db()
    assert completion.outcome(participant) is None


def answer_catch_trials(participant: Participant, *, wrong: int) -> Participant:
    """Complete with so many failed catch trials; everything else is answered `left`."""
    while flow.step_of(participant) == flow.Step.TRIALS:
        trial = visits.ahead(participant).trials[0]
        values = factories.payload(participant)
        if trial.kind == "catch":
            ai = "left" if trial.left.origin == "ai" else "right"
            real = {"left": "right", "right": "left"}[ai]
            values["response"] = real if wrong > 0 else ai
            wrong -= 1
        factories.record(participant, values)
    flow.finish(participant, {})
    participant.refresh_from_db()
    return participant


CATCH_BLOCK = factories.block(catch_trials=2)


@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [(0, Outcome.COMPLETED), (1, Outcome.COMPLETED), (2, Outcome.FAILED_CHECK)],
)
def test_outcome_of_failed_catch_trials_follows_the_default_rule(db, wrong, outcome):
    study = make_study(CATCH_BLOCK, catch=2)
    participant = answer_catch_trials(factories.enrol(study, arrival=ALICE), wrong=wrong)
    assert completion.outcome(participant) is outcome


def test_outcome_of_failed_catch_trials_follows_the_frozen_rule(db):
    rule = design.ExclusionRule("catch_trials", {"max_failed_share": 0.2})
    study = make_study(CATCH_BLOCK, catch=2, exclusion_rules=(rule,))
    participant = answer_catch_trials(factories.enrol(study, arrival=ALICE), wrong=1)
    assert completion.outcome(participant) is Outcome.FAILED_CHECK


def test_outcome_of_failed_catch_trials_is_completed_without_a_code_for_it(db):
    study = make_study(CATCH_BLOCK, catch=2)
    study.recruitment = {"panel": "prolific", "codes": {"completed": "DONE1"}}
    study.save()
    participant = answer_catch_trials(factories.enrol(study, arrival=ALICE), wrong=2)
    assert completion.outcome(participant) is Outcome.COMPLETED


def test_way_back_needs_no_id_where_the_code_is_enough(study):
    participant = factories.complete(factories.enrol(study, arrival=ALICE))
    recruitment.erase_ids(study)
    back = completion.way_back(participant)
    assert back.url == "https://app.prolific.com/submissions/complete?cc=DONE1"


def test_way_back_is_none_for_whoever_came_by_the_open_link(study):
    participant = factories.complete(factories.enrol(study))
    assert completion.way_back(participant) is None


def test_way_back_is_none_once_the_study_has_another_panel(study):
    participant = factories.complete(factories.enrol(study, arrival=ALICE))
    participant.study.recruitment = {"panel": "mturk"}
    assert completion.way_back(participant) is None


def test_payments_list_every_id_with_its_outcome(study, tmp_path):
    factories.complete(factories.enrol(study, 1, arrival=BOB))
    factories.enrol(study, 2, arrival=ALICE)
    gone = factories.enrol(study, 3, arrival=Arrival("prolific", "carol"))
    flow.withdraw(gone)
    factories.enrol(make_study(slug="other"), arrival=Arrival("prolific", "dave"))
    out = tmp_path / "payments.csv"
    call_command("payments", "small", "--out", str(out), stdout=io.StringIO())
    with out.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["panel", "panel_id", "panel_study", "submission", "outcome", "code"],
        ["prolific", "alice", "there", "sitting1", "not_completed", ""],
        ["prolific", "bob", "there", "sitting2", "completed", "DONE1"],
    ]


def test_payments_need_a_folder(study, tmp_path):
    with pytest.raises(CommandError, match="There is no folder"):
        call_command("payments", "small", "--out", str(tmp_path / "no" / "x.csv"))


def test_data_set_holds_no_panel_id(study, tmp_path):
    arrival = Arrival("prolific", "alice-who-is-secret", "there-secret", "sitting-secret")
    participant = factories.complete(factories.enrol(study, arrival=arrival))
    digest = participant.entry_key.digest
    for form in ("psychds", "csv"):
        out = tmp_path / form
        call_command("export", "small", "--out", str(out), "--format", form, stdout=io.StringIO())
    texts = [*_texts_of_zip(tmp_path / "psychds"), (tmp_path / "csv").read_text()]
    assert sum(participant.code in text for text in texts) >= 2
    assert [text for text in texts if "secret" in text or digest in text] == []


def _texts_of_zip(path):
    with ZipFile(path) as archive:
        return [archive.read(name).decode() for name in archive.namelist()]


# --- settings and permissions ------------------------------------------------------------------


def test_study_refuses_settings_with_faults(study):
    study.recruitment = {"panel": "prolific"}
    with pytest.raises(ValidationError) as error:
        study.clean_fields()
    assert list(error.value.message_dict) == ["recruitment"]


def test_study_with_faulty_settings_does_not_go_live(db):
    study = factories.make_study(live=False)
    study.recruitment = {"panel": "prolific"}
    study.save()
    with pytest.raises(studies.StudyError, match="“codes” has no “completed”"):
        studies.go_live(study)
    study.refresh_from_db()
    assert study.state == Study.State.DRAFT


@pytest.fixture
def member(study, client, django_user_model, settings):
    """Logs somebody in who has a role in the study; a password is enough in this lab."""
    settings.CLOSED_LAB = True

    def log_in(role: str):
        user = django_user_model.objects.create_user(role, is_staff=True)
        Membership.objects.create(user=user, study=study, role=role)
        client.force_login(user)
        return client

    return log_in


def test_admin_shows_panel_ids_to_those_who_pay(study, member):
    factories.enrol(study, arrival=ALICE)
    page = member(Role.ASSISTANT).get("/admin/survey/panelidentity/")
    assert page.status_code == 200
    assert "alice" in page.content.decode()


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.REVIEWER])
def test_admin_shows_no_panel_ids_to_others(study, member, role):
    factories.enrol(study, arrival=ALICE)
    page = member(role).get("/admin/survey/panelidentity/")
    assert page.status_code == 403
    assert "alice" not in page.content.decode()


def test_admin_lists_participants_without_their_panel_ids(study, member):
    participant = factories.enrol(study, arrival=ALICE)
    client = member(Role.RESEARCHER)
    for path in ("", f"{participant.pk}/change/"):
        text = client.get(f"/admin/survey/participant/{path}").content.decode()
        assert participant.code in text
        assert "alice" not in text


def test_admin_gives_the_list_for_payment_to_those_who_pay(study, member):
    participant = factories.complete(factories.enrol(study, arrival=ALICE))
    elsewhere = factories.enrol(make_study(slug="other"), arrival=BOB)
    chosen = [participant.pk, elsewhere.pk]
    data = {"action": "download_payments", "_selected_action": chosen}
    answer = member(Role.ASSISTANT).post("/admin/survey/panelidentity/", data)
    assert list(csv.reader(io.StringIO(answer.content.decode())))[1:] == [
        ["prolific", "alice", "there", "sitting1", "completed", "DONE1"]
    ]
