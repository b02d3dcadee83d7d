"""The two endpoints of the trial page: the next trials, and a response."""

import json
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from survey import committing, delivery, flow, visits
from survey.views.errors import json_error
from survey.views.private import language_of, unknown_link, urls_of

MAX_BODY = 20_000


@require_GET
def trials(request: HttpRequest, token: str) -> HttpResponse:
    """The next few trials."""
    found = visits.coming(token)
    if found is None:
        return unknown_link(request)
    participant, ahead = found
    with language_of(request, participant):
        return _json(delivery.state(participant, urls_of(participant), ahead))


@csrf_exempt  # the private token in the address is the credential; JSON is demanded
@require_POST
def responses(request: HttpRequest, token: str) -> HttpResponse:
    """Store one response; acknowledged only after the commit."""
    payload = _payload(request)
    if payload is None:
        unread = flow.FlowError("bad_request", _("This answer could not be read."), 400)
        return _refused(request, token, unread)
    try:
        recorded = committing.together(flow.record, flow.Sent(token, payload))
    except flow.FlowError as error:
        return _refused(request, token, error)
    participant = recorded.participant
    with language_of(request, participant):
        answer = {
            "stored": True,
            "replayed": recorded.replayed,
            "feedback": delivery.feedback(participant, recorded),
        }
        return _json(answer | delivery.state(participant, urls_of(participant), recorded.ahead))


def _refused(request: HttpRequest, token: str, error: flow.FlowError) -> HttpResponse:
    """Why a response was not stored, in the participant's language."""
    participant = visits.participant_of(token)
    if participant is None:
        return unknown_link(request)
    with language_of(request, participant):
        return json_error(error.code, str(error.message), error.status)


def _json(content: dict[str, Any]) -> HttpResponse:
    """Encoded in a fraction of the time that JsonResponse takes."""
    encoded = msgspec.json.encode(content, enc_hook=_text)
    return HttpResponse(encoded, content_type="application/json")


def _text(value: object) -> str:
    """Lazy translations and marked HTML as plain text (`str` alone leaves the mark on)."""
    return "" + str(value)


def _payload(request: HttpRequest) -> dict[str, Any] | None:
    if request.content_type != "application/json" or len(request.body) > MAX_BODY:
        return None
    try:
        payload = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None
