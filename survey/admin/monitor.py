"""Watch a study while it runs: a page that renews itself."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from survey import monitor, roles, studies
from survey.admin import pages, watched
from survey.models import Study
from survey.monitor import Census
from survey.roles import Right


@pages.page("watch", right=Right.WATCH, tab=gettext_lazy("Watch"), place=40)
@require_GET
def watch(request: HttpRequest, study: Study) -> HttpResponse:
    """The page; `watch_live` is the part of it that is fetched again and again."""
    return pages.render(request, study, "admin/monitor/watch.html", _context(request, study))


@pages.page("watch_live", right=Right.WATCH, route="watch/live/")
@require_GET
def watch_live(request: HttpRequest, study: Study) -> HttpResponse:
    """The counts, pictures and tables as they are now."""
    return render(request, "admin/monitor/_live.html", _context(request, study))


def _context(request: HttpRequest, study: Study) -> dict[str, Any]:
    counts = monitor.census(study)
    simulated = _shows_simulated(request, counts)
    sees_responses = roles.may(request.user, Right.RESPONSES, study)
    who = "simulated" if simulated else "people"
    return {
        "title": _("Watch"),
        "study": study,
        "simulated": simulated,
        "people": counts[False].entered,
        "robots": counts[True].entered,
        "live_url": f"{pages.address(study, 'watch_live')}?who={who}",
        "now": timezone.localtime(),
        "sections": watched.sections(study, counts, simulated, sees_responses),
        "stopping_rule": _stopping_rule(study) if sees_responses else "",
    }


def _shows_simulated(request: HttpRequest, counts: dict[bool, Census]) -> bool:
    """As asked for; unasked the simulated participants only while nobody else is there."""
    wanted = request.GET.get("who", "")
    alone = counts[True].entered > 0 and not counts[False].entered
    return wanted == "simulated" or (wanted != "people" and alone)


def _stopping_rule(study: Study) -> str:
    """As it was laid down before anybody took part."""
    version = study.versions.last()
    return studies.frozen(version).study.analysis_plan.stopping_rule if version else ""
