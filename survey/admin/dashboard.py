"""The admin's front page: every study with where it stands and who has come."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import AdminSite
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from survey import roles
from survey.admin import setup
from survey.admin.curves import Curve, steps
from survey.models import Study
from survey.roles import Right


def index(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """The studies of this user."""
    mine = list(roles.studies_of(request.user).annotate(**_counts()))
    watched = set(roles.studies_of(request.user, Right.WATCH).values_list("pk", flat=True))
    own = dict(request.user.memberships.values_list("study", "role"))  # type: ignore[union-attr]
    rows = [_row(study, study.pk in watched, own.get(study.pk, "")) for study in mine]
    context = {
        **site.each_context(request),
        "title": site.index_title,
        "rows": rows,
        "may_make": setup.may_make_studies(request.user),
        "app_list": sorted(
            site.get_app_list(request), key=lambda app: app["app_label"] != "survey"
        ),
    }
    return TemplateResponse(request, "admin/index.html", context)


def _counts() -> dict[str, Count]:
    """Who came, without the simulated ones. A place that was lost unfinished counts as left."""
    people = Q(participants__is_simulated=False)
    done = Q(participants__completed_at__isnull=False)
    here = Q(participants__holds_place=True)
    conditions = {
        "enrolled": people,
        "active": people & here & ~done,
        "completed": people & done,
        "left": people & ~here & ~done,
    }
    return {name: Count("participants", filter=which) for name, which in conditions.items()}


def _row(study: Any, is_watched: bool, role: str) -> dict[str, Any]:
    counts = {name: getattr(study, name) for name in ("enrolled", "active", "completed", "left")}
    return {
        "study": study,
        "url": reverse("admin:survey_study_change", args=[study.pk]),
        "role": roles.Role(role).label if role else "",
        **(counts if is_watched else {}),
        "curve": today(study) if is_watched else None,
    }


def today(study: Study) -> Curve:
    """Who entered in the last 24 hours, hour by hour, as a small rising curve."""
    now = timezone.now()
    begin = now - timedelta(hours=24)
    entered = study.participants.filter(is_simulated=False, entered_at__gte=begin)
    ends = [begin + timedelta(hours=hour + 1) for hour in range(24)]
    counts = {f"by_{n}": Count("pk", filter=Q(entered_at__lt=end)) for n, end in enumerate(ends)}
    sums = list(entered.aggregate(**counts).values())
    text = ngettext(
        "%(n)s person entered in the last 24 hours.",
        "%(n)s people entered in the last 24 hours.",
        sums[-1],
    )
    return steps(sums, text=text % {"n": sums[-1]}, title=_("last 24 hours"))
