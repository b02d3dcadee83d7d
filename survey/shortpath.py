"""The two endpoints that are asked most take a short path: no session, no user, no messages.

Their credential is the private link, so nothing of that is needed; the full stack costs more
than the response itself. Everything else goes the long way.
"""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from survey import views

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


def short_path(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: answer the hot endpoints here and pass everything else on."""

    def middleware(request: HttpRequest) -> HttpResponse:
        match = HOT.fullmatch(request.path_info)
        if match is None:
            return get_response(request)
        response = VIEWS[match[2]](request, token=match[1])
        length = {"Content-Length": str(len(response.content))}
        for name, value in (HEADERS | length).items():
            response.headers[name] = value
        return response

    return middleware
