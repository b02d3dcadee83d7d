"""The two endpoints that are asked most take a short path: no session, no user, no messages.

Their credential is the private link, so nothing of that is needed; the full stack costs more
than the response itself. Everything else goes the long way.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest, HttpResponse

from survey import views, visits
from survey.views.private import unknown_link

HOT = re.compile(r"/p/([^/]+)/(trials|responses)")
VIEWS: dict[str, Callable[..., HttpResponse]] = {
    "trials": views.trials,
    "responses": views.responses,
}
HEADERS = {
    "Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def is_link(token: str) -> bool:
    """Whether somebody has this link: asked before the body of the request is waited for.

    So nobody without a link holds up the threads by sending slowly.
    """
    try:
        return _found(token)
    except LookupError:
        return False


@lru_cache(maxsize=20_000)
def _found(token: str) -> bool:
    """Remembered once found, because a participant's row stays; an error is not remembered."""
    if visits.participant_of(token) is None:
        raise LookupError(token)
    return True


def _answer(request: HttpRequest, view: Callable[..., HttpResponse], token: str) -> HttpResponse:
    """What the view says; the body of a POST is waited for only from who has a link."""
    if request.method == "POST" and not is_link(token):
        return unknown_link(request)
    return view(request, token=token)


def short_path(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: answer the hot endpoints here and pass everything else on."""

    def middleware(request: HttpRequest) -> HttpResponse:
        match = HOT.fullmatch(request.path_info)
        if match is None:
            return get_response(request)
        response = _answer(request, VIEWS[match[2]], match[1])
        length = {"Content-Length": str(len(response.content))}
        for name, value in (HEADERS | length).items():
            response.headers[name] = value
        return response

    return middleware
