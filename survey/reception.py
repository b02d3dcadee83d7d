"""How somebody from a panel is received: a clean address, one participation, the way back.

Nothing is stored on the server before the consent. What the link carried waits in a signed cookie
that only the study's own pages get. Whoever knows a panel id counts as its owner, because panels
prove no more than that; so a finished participation shows nothing but the way back.
"""

from typing import Any

from csp.constants import NONE, SELF
from csp.decorators import csp_replace
from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from survey import completion, enrolment, panels, recruitment
from survey.models import Participant, Study
from survey.panels import Arrival, Outcome, Refused, Rules, WayBack

COOKIE = "arrival"
COOKIE_SECONDS = 2 * 60 * 60

#: The smallest window, in CSS pixels, of a study that does not allow small screens: two pictures
#: find room beside each other.
SMALLEST = (800, 500)

#: MTurk frames the entry page; this parameter says that the page has left the frame.
OWN_TAB = "own_tab"


def reply(request: HttpRequest, study: Study) -> HttpResponse | None:
    """What somebody gets instead of the consent page; None for whoever may see that."""
    if _is_bot(request):
        return None
    rules = recruitment.rules_of(study)
    if _is_framed(request, rules):
        return _framed_page(request, study, rules)
    try:
        named = panels.read_link(rules, _query(request))
    except Refused as refused:
        return _refused(request, study, str(refused))
    if named is not None:
        return _to_clean_address(study, named)
    arrival = arrival_of(request, study)
    if arrival is None:
        refuse = not rules.open_link
        return _refused(request, study, panels.not_from_panel(rules), 403) if refuse else None
    known = recruitment.participant_of(study, arrival)
    return _welcome_back(request, known, arrival) if known else None


def arrival_of(request: HttpRequest, study: Study) -> Arrival | None:
    """Whom the cookie speaks of, if it is ours, young, and of the panel that the study has now."""
    if _is_bot(request):
        return None
    try:
        text = request.COOKIES.get(COOKIE, "")
        arrival = Arrival(**signing.loads(text, salt=_salt(study), max_age=COOKIE_SECONDS))
    except signing.BadSignature:
        return None
    return arrival if arrival.panel == recruitment.rules_of(study).panel else None


def is_too_small(study: Study, viewport: str) -> bool:
    """Whether a window such as 390x844 is smaller than the study allows."""
    if study.allow_small_screens or not viewport:
        return False
    return any(
        size < least for size, least in zip(map(int, viewport.split("x")), SMALLEST, strict=True)
    )


def screened_out(request: HttpRequest, study: Study) -> WayBack | None:
    """The way back for somebody who came but cannot take part, if the panel wants to know."""
    arrival = arrival_of(request, study)
    if arrival is None:
        return None
    return panels.way_back(recruitment.rules_of(study), arrival, Outcome.SCREENED_OUT)


def render_with_way_back(
    request: HttpRequest, template: str, context: dict[str, Any], back: WayBack | None
) -> HttpResponse:
    """A page with the way back; a form of it may lead to the panel's hosts, and only there."""
    directives = {"form-action": [SELF, *_origins(back.hosts)]} if back and back.hosts else {}
    page = csp_replace(directives)(render)
    return page(request, template, context | {"way_back": back})


def _is_bot(request: HttpRequest) -> bool:
    text = request.GET.get("simulated") or request.POST.get("simulated", "")
    return enrolment.is_simulation_pass(text)


def _query(request: HttpRequest) -> dict[str, list[str]]:
    return dict(request.GET.lists())


def _salt(study: Study) -> str:
    return f"survey.arrival/{study.pk}"


def _to_clean_address(study: Study, arrival: Arrival) -> HttpResponse:
    """Move what the link carried into the cookie, and the browser to the address without it."""
    path = reverse("entry", args=[study.slug])
    response = HttpResponseRedirect(path, status=303)
    response.set_cookie(
        COOKIE,
        signing.dumps(arrival.as_dict(), salt=_salt(study)),
        max_age=COOKIE_SECONDS,
        path=path,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _welcome_back(request: HttpRequest, known: Participant, arrival: Arrival) -> HttpResponse:
    """Somebody who is here already goes on, or has taken part and gets only the way back."""
    if known.completed_at is None:
        return HttpResponseRedirect(reverse("trial_page", args=[known.token]), status=303)
    back = _way_back_again(known, arrival)
    context = _message(known.study, _("You have taken part already"), _taken_part(back))
    page = render_with_way_back(request, "survey/panel_message.html", context, back)
    page.status_code = 409
    return page


def _way_back_again(known: Participant, arrival: Arrival) -> WayBack | None:
    """The way back, but not for a second submission at the panel: one sitting is paid once."""
    came = recruitment.arrival_of(known)
    if came is None or came.submission != arrival.submission:
        return None
    return completion.way_back(known)


def _taken_part(back: WayBack | None) -> str:
    if back is None:
        return _("Everybody can take part once. Thank you for your interest.")
    return _("All your responses are stored. Thank you.")


def _refused(request: HttpRequest, study: Study, text: str, status: int = 400) -> HttpResponse:
    context = _message(study, _("This link does not work"), text)
    return render(request, "survey/panel_message.html", context, status=status)


def _message(study: Study, title: str, text: str) -> dict[str, Any]:
    return {"title": title, "text": text, "contact": study.text("contact")}


# --- inside the frame of MTurk -----------------------------------------------------------------


def _is_framed(request: HttpRequest, rules: Rules) -> bool:
    """Whether MTurk shows this in its frame, where the browser sends no cookie of ours."""
    names = {rules.parameters.get(role) for role in ("panel_id", "submission")}
    is_mturk = rules.panel == panels.MTURK.name
    return is_mturk and bool(names & request.GET.keys()) and OWN_TAB not in request.GET


def _framed_page(request: HttpRequest, study: Study, rules: Rules) -> HttpResponse:
    """The study opens in a tab of its own; the frame is where the work is handed in."""
    context = {
        "title": study.title,
        "summary": study.text("summary"),
        "contact": study.text("contact"),
        "study": {"languages": [get_language()]},  # no language switch: it would lose the ids
        **_hit(request, study, rules),
    }
    directives = {
        "frame-ancestors": _origins(rules.hosts) or [NONE],
        "form-action": _origins(rules.hosts) or [NONE],
    }
    response = csp_replace(directives)(render)(request, "survey/panel_hit.html", context)
    response.xframe_options_exempt = True
    return response


def _hit(request: HttpRequest, study: Study, rules: Rules) -> dict[str, Any]:
    """What the frame says: a text, a link to the study, or the form that hands the work in."""
    query = _query(request)
    if panels.is_preview(rules, query):
        return {"text": _("This is a preview. Accept the task to take part.")}
    try:
        arrival = panels.read_link(rules, query)
        known = recruitment.participant_of(study, arrival) if arrival else None
        if known is None:
            enrolment.check_open(study)
    except (Refused, enrolment.NotOpenError) as refused:
        return {"text": str(refused)}
    if known is None or known.completed_at is None:
        here = f"?{request.GET.urlencode()}"
        return {"own_tab": f"{here}&{OWN_TAB}=1", "again": here}
    back = _way_back_again(known, arrival)
    return {"text": _taken_part(back), "way_back": back}


def _origins(hosts: tuple[str, ...]) -> list[str]:
    return [f"https://{host}" for host in hosts]
