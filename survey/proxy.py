"""Who is asking? Behind a proxy that the settings name, the one for whom the proxy asks.

Everything else (the limit of starts, the lock after wrong passwords, "is this HTTPS?") reads
REMOTE_ADDR and X-Forwarded-Proto and may rely on them: from anybody but the named proxy the
X-Forwarded headers are dropped.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")


def trusted_proxy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, first of all."""

    def middleware(request: HttpRequest) -> HttpResponse:
        meta = request.META
        if is_from_proxy(request):
            # The last address is the one that the proxy itself saw; a visitor can invent the rest.
            visitor = meta.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
            meta["REMOTE_ADDR"] = visitor or meta.get("REMOTE_ADDR", "")
        else:
            for name in FORWARDED:
                meta.pop(name, None)
        return get_response(request)

    return middleware


def is_from_proxy(request: HttpRequest) -> bool:
    """Whether the named proxy asks."""
    return request.META.get("REMOTE_ADDR") in settings.TRUSTED_PROXY
