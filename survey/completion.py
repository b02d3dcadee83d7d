"""What a panel is told of a participant: nothing before every response is stored."""

import csv
from collections.abc import Iterator
from typing import TextIO

from django.db.models import QuerySet

from survey import flow, panels, recruitment, studies
from survey.models import PanelIdentity, Participant
from survey.panels import Outcome, WayBack

#: The share of failed catch trials above which a check is failed, unless the study's own
#: exclusion rule says otherwise. The analysis takes the same.
MAX_FAILED_SHARE = 0.5

COLUMNS = ("panel", "panel_id", "panel_study", "submission", "outcome", "code")


def outcome(participant: Participant) -> Outcome | None:
    """How the participation ended; None while it has not, and after a withdrawal."""
    if flow.step_of(participant) != flow.Step.DEBRIEF:
        return None
    if participant.trials.filter(answer__isnull=True).exists():
        return None
    codes = recruitment.rules_of(participant.study).codes
    if Outcome.FAILED_CHECK in codes and failed_check(participant):
        return Outcome.FAILED_CHECK
    return Outcome.COMPLETED


def failed_check(participant: Participant) -> bool:
    """Whether the catch trials say that the participant did not look."""
    catch = participant.trials.filter(kind="catch", answer__isnull=False)
    trials = catch.select_related("left", "right", "stimulus", "answer")
    known = [flow.is_correct(trial, trial.answer) for trial in trials]
    judged = [correct for correct in known if correct is not None]
    return judged.count(False) > _max_failed_share(participant) * len(judged)


def _max_failed_share(participant: Participant) -> float:
    for rule in studies.frozen(participant.version).study.exclusion_rules:
        if rule.name == "catch_trials":
            return float(rule.parameters.get("max_failed_share", MAX_FAILED_SHARE))
    return MAX_FAILED_SHARE


def way_back(participant: Participant) -> WayBack | None:
    """How a participant who has completed gets back to the panel, who came from one."""
    arrival, ended = recruitment.arrival_of(participant), outcome(participant)
    rules = recruitment.rules_of(participant.study)
    if arrival is None or ended is None or arrival.panel != rules.panel:
        return None
    return panels.way_back(rules, arrival, ended)


def payments(identities: QuerySet[PanelIdentity]) -> Iterator[tuple[str, ...]]:
    """One row for each panel id that is still kept, in an order that tells nothing."""
    related = ("participant__study", "participant__version")
    for identity in identities.select_related(*related).order_by("panel_id"):
        participant = identity.participant
        ended = outcome(participant)
        yield (
            identity.panel,
            identity.panel_id,
            identity.panel_study,
            identity.submission,
            ended or "not_completed",
            recruitment.rules_of(participant.study).codes.get(ended or "", ""),
        )


def write_payments(identities: QuerySet[PanelIdentity], file: TextIO) -> int:
    """Write the list for payment as CSV; it is no part of the data. Returns its rows."""
    rows = list(payments(identities))
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return len(rows)
