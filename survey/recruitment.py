"""Who came from a panel: the id for payment, and the keyed hash by which a person comes once."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from survey import panels
from survey.models import EntryKey, PanelIdentity, Participant, Study
from survey.panels import Arrival, Rules


def rules_of(study: Study) -> Rules:
    """How the study recruits."""
    return panels.read(study.recruitment)


def digest(study: Study, arrival: Arrival) -> str:
    """The keyed hash of a person in one study: another study's is different."""
    key = f"survey.recruitment/{study.pk}"
    return salted_hmac(key, arrival.person, algorithm="sha256").hexdigest()


def participant_of(study: Study, arrival: Arrival) -> Participant | None:
    """The participant that this person is already, if any."""
    key = EntryKey.objects.select_related("participant")
    found = key.filter(study=study, digest=digest(study, arrival)).first()
    return found.participant if found else None


@transaction.atomic
def remember(participant: Participant, arrival: Arrival) -> None:
    """Keep the id and its hash; the same person a second time is an IntegrityError."""
    study = participant.study
    EntryKey.objects.create(participant=participant, study=study, digest=digest(study, arrival))
    PanelIdentity.objects.create(
        participant=participant,
        panel=arrival.panel,
        panel_id=arrival.panel_id,
        panel_study=arrival.panel_study,
        submission=arrival.submission,
        submit_to=arrival.submit_to,
    )


def arrival_of(participant: Participant) -> Arrival | None:
    """How a participant came; without ids once they are erased, None by the open link."""
    identity = PanelIdentity.objects.filter(participant=participant).first()
    if identity is None:
        is_open = participant.source == "open"
        return None if is_open else Arrival(panel=participant.source)
    return Arrival(
        panel=identity.panel,
        panel_id=identity.panel_id,
        panel_study=identity.panel_study,
        submission=identity.submission,
        submit_to=identity.submit_to,
    )


def offers_card(participant: Participant) -> bool:
    """Whether a participant gets a card with the score: by the open link, or by the settings."""
    rules = rules_of(participant.study)
    return rules.show_result and (rules.share_card or participant.source == "open")


@transaction.atomic
def forget(participant: Participant) -> None:
    """Erase who a participant is, the hash included: part of a withdrawal."""
    PanelIdentity.objects.filter(participant=participant).delete()
    EntryKey.objects.filter(participant=participant).delete()


def forget_keys(study: Study) -> None:
    """Erase the hashes of a study that takes nobody any more."""
    EntryKey.objects.filter(study=study).delete()


def erase_ids(study: Study, *, days: int = 0) -> int:
    """Erase the ids of those who entered at least so many days ago; the hashes stay."""
    limit = timezone.now() - timedelta(days=days)
    old = PanelIdentity.objects.filter(participant__study=study, participant__entered_at__lte=limit)
    erased, _by_table = old.delete()
    return erased
