"""Who may do what in which study. Superusers may everything; others what their role allows."""

from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from survey.models import Membership, Study

Role = Membership.Role


class Right(StrEnum):
    """What somebody may do in a study."""

    SEE = "see"  # that the study is there, its texts and its state
    WATCH = "watch"  # who has come so far; never truth or responses
    DESIGN = "design"  # change the design, the images and the texts
    RUN = "run"  # go live, pause, close, recruit
    TRUTH = "truth"  # which image is real
    RESPONSES = "responses"  # what participants gave: tables, estimates, reports
    RELEASE = "release"  # the public release of the data
    PAY = "pay"  # who a participant is at a panel
    SHARE = "share"  # give roles, delete a draft


RIGHTS: dict[str, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.RESEARCHER: frozenset(Right) - {Right.PAY, Right.SHARE},
    Role.ASSISTANT: frozenset({Right.SEE, Right.WATCH, Right.PAY}),
    Role.REVIEWER: frozenset({Right.SEE, Right.TRUTH, Right.RELEASE}),
}

#: What reviewers get is finished: they see nothing of a study before its design is frozen.
ONLY_FROZEN = frozenset({Role.REVIEWER})


def studies_of(user: Any, right: Right = Right.SEE) -> QuerySet[Study]:
    """The studies in which somebody has a right."""
    if not user.is_active:
        return Study.objects.none()
    if user.is_superuser:
        return Study.objects.all()
    allowed = {role for role, rights in RIGHTS.items() if right in rights}
    mine = Membership.objects.filter(user_id=user.pk)
    at_once = mine.filter(role__in=allowed - ONLY_FROZEN).values("study")
    frozen = mine.filter(role__in=allowed & ONLY_FROZEN).values("study")
    return Study.objects.filter(
        Q(pk__in=at_once) | (Q(pk__in=frozen) & ~Q(state=Study.State.DRAFT))
    )


def may(user: Any, right: Right, study: Study | None = None) -> bool:
    """Whether somebody has a right in a study, or without one: in any study."""
    mine = studies_of(user, right)
    return mine.exists() if study is None else mine.filter(pk=study.pk).exists()


def needs_second_step(user: Any) -> bool:
    """Whether a password alone does not let somebody in: those who see responses."""
    if settings.CLOSED_LAB:
        return False
    return user.is_superuser or may(user, Right.RESPONSES)


def make_owner(user: Any, study: Study) -> Membership:
    """Whoever makes a study owns it."""
    return Membership.objects.update_or_create(
        user=user, study=study, defaults={"role": Role.OWNER}
    )[0]
