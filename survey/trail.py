"""Who changed, downloaded, saw or erased what: the log of the researcher's side.

`django-auditlog` notices changes of the tables listed here; what is no change is noted with
`note`. Nothing that participants gave, and no panel's id, is ever written to it.
"""

from datetime import timedelta
from typing import Any

from auditlog.models import LogEntry
from auditlog.registry import auditlog
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet
from django.utils import timezone

from survey import models
from survey.models import Study

#: What is watched: what researchers make. Participants, trials, responses and panel ids are not.
WATCHED: dict[type, dict[str, Any]] = {
    models.Study: {},
    models.Block: {},
    models.Generator: {},
    models.Membership: {},
}
ACCOUNT_FIELDS = ["username", "is_active", "is_staff", "is_superuser"]


def watch() -> None:
    """Begin to notice changes; called once when Django is ready."""
    for model, options in WATCHED.items():
        auditlog.register(model, **options)
    auditlog.register(get_user_model(), include_fields=ACCOUNT_FIELDS)


def note(study: Study, event: str, **details: Any) -> LogEntry:
    """Write that something was downloaded, seen or erased, by whoever the admin is serving."""
    return LogEntry.objects.log_create(
        study,
        force_log=True,
        action=LogEntry.Action.ACCESS,
        additional_data={"event": event, **details},
    )


def note_once_a_day(user: Any, study: Study, event: str) -> None:
    """As `note`, for what somebody does again and again: looking at the truth."""
    today = timezone.now() - timedelta(days=1)
    known = LogEntry.objects.get_for_object(study).filter(actor_id=user.pk, timestamp__gte=today)
    if not known.filter(additional_data__event=event).exists():
        note(study, event)


def of_study(study: Study) -> QuerySet[LogEntry]:
    """The log of a study and of the rows that belong to it, the newest first."""
    mine: list[tuple[Any, Any]] = [(Study, [study.pk])]
    mine += [(m.model, m.values("pk")) for m in (study.blocks.all(), study.memberships.all())]
    wanted = Q()
    for model, keys in mine:
        kind = ContentType.objects.get_for_model(model)
        wanted |= Q(content_type=kind, object_id__in=keys)
    return LogEntry.objects.filter(wanted).select_related("actor").order_by("-timestamp")
