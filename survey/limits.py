"""A limit of starts from one address, so that nobody fills a study by a script.

It counts only behind a proxy that the settings name: without one the address is the proxy's own,
and one visitor would lock out all others. The counts are in the database, which all servers share.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from survey import committing, enrolment
from survey.models import StartCount

View = Callable[..., HttpResponse]


def limit_starts(view: View) -> View:
    """Answer 429 once an address has started too often within the hour."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if _is_counted(request) and count_start(_source(request)) > settings.STARTS_PER_HOUR:
            return _too_many(request)
        return view(request, *args, **kwargs)

    return wrapped


def _is_counted(request: HttpRequest) -> bool:
    if request.method != "POST" or not (settings.TRUSTED_PROXY and settings.STARTS_PER_HOUR):
        return False
    return not enrolment.is_simulation_pass(request.POST.get("simulated", ""))


def _source(request: HttpRequest) -> str:
    address = request.META.get("REMOTE_ADDR", "")
    return salted_hmac("survey.limits", address, algorithm="sha256").hexdigest()


@committing.shared
def count_start(source: str) -> int:
    """Count one more start from a source. Returns how many there were in this hour."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    statement = (
        "INSERT INTO survey_startcount (source, hour, starts) VALUES (%s, %s, 1) "
        "ON CONFLICT (source, hour) DO UPDATE SET starts = survey_startcount.starts + 1 "
        "RETURNING starts"
    )
    stored = connection.ops.adapt_datetimefield_value(hour)
    with connection.cursor() as cursor:
        cursor.execute(statement, [source, stored])
        starts = int(cursor.fetchone()[0])
    if starts == 1:
        StartCount.objects.filter(hour__lt=hour).delete()
    return starts


def _too_many(request: HttpRequest) -> HttpResponse:
    text = _("Too many people have started from your network within this hour. Please try later.")
    context = {"title": _("Too many starts"), "text": text}
    response = render(request, "survey/message.html", context, status=429)
    response["Retry-After"] = "3600"
    return response
