"""Trusted Types for the participants' pages: text becomes markup through one named policy only.

The admin is left out, because Django's own scripts there write markup in several places.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

TRUSTED_TYPES = {"require-trusted-types-for": ["'script'"], "trusted-types": ["honmono"]}


def trusted_types(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, inside of django-csp's, which writes the header."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith("/admin/"):
            response._csp_update = TRUSTED_TYPES
        return response

    return middleware
