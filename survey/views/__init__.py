"""The pages and the two endpoints of a participant. Each reads the request, calls, renders."""

from survey.views.endpoints import responses, trials
from survey.views.errors import (
    bad_request,
    csrf_failure,
    forbidden,
    locked_out,
    not_found,
    server_error,
)
from survey.views.private import background, debrief, score_card, trial_page, withdraw
from survey.views.public import (
    clues,
    consent_text,
    credits,
    entry,
    home,
    image,
    language,
    privacy,
    start,
)

__all__ = [
    "background",
    "bad_request",
    "clues",
    "consent_text",
    "credits",
    "csrf_failure",
    "debrief",
    "entry",
    "forbidden",
    "home",
    "image",
    "language",
    "locked_out",
    "not_found",
    "privacy",
    "responses",
    "score_card",
    "server_error",
    "start",
    "trial_page",
    "trials",
    "withdraw",
]
