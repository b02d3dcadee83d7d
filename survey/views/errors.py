"""What is said when something is not as it should be."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _message(request, _("Bad request"), _("This request could not be understood."), 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _message(request, _("Not allowed"), _("You may not open this page."), 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    text = _("This form is too old or your browser refuses cookies. Go back, reload and try again.")
    return _message(request, _("The form was not accepted"), text, 403)


def locked_out(request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
    text = _("There were too many wrong passwords. Please wait a quarter of an hour.")
    return _message(request, _("Sign-in is locked"), text, 429)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _message(request, _("Not found"), _("There is nothing at this address."), 404)


def server_error(request: HttpRequest) -> HttpResponse:
    text = _("Something went wrong on our side. Nothing that was stored is lost. Please try again.")
    return _message(request, _("An error"), text, 500)


def _message(request: HttpRequest, title: str, text: str, status: int) -> HttpResponse:
    return render(request, "survey/message.html", {"title": title, "text": text}, status=status)


def json_error(code: str, message: str, status: int) -> JsonResponse:
    return JsonResponse({"error": code, "message": message}, status=status)
