"""The second step of signing in: a code from an app, set up the first time."""

from typing import Any

import django_otp
import segno
from django import forms
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django_otp.plugins.otp_totp.models import TOTPDevice


class CodeForm(forms.Form):
    """Six digits from the app."""

    code = forms.RegexField(
        r"^\s*\d{3}\s*\d{3}\s*$",
        label=gettext_lazy("Code from the app"),
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True}
        ),
        error_messages={"invalid": gettext_lazy("The code has six digits.")},
    )

    def __init__(self, device: TOTPDevice, *args: Any) -> None:
        super().__init__(*args)
        self.device = device

    def clean_code(self) -> str:
        code = "".join(self.cleaned_data["code"].split())
        allowed, _why = self.device.verify_is_allowed()
        if not allowed:
            raise forms.ValidationError(_("Too many wrong codes. Wait a little and try again."))
        if not self.device.verify_token(code):
            raise forms.ValidationError(_("This code is wrong or too old. Take the next one."))
        return code


@csrf_protect
@never_cache
def view(request: HttpRequest) -> HttpResponse:
    """Ask for the code; before the first time show the secret to scan."""
    user: Any = request.user
    if not (user.is_active and user.is_staff):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    device = _device_of(user)
    form = CodeForm(device, request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not device.confirmed:
            device.confirmed = True
            device.save(update_fields=["confirmed"])
        django_otp.login(request, device)
        return HttpResponseRedirect(_target(request))
    context = {
        **admin.site.each_context(request),
        "title": _("Second step"),
        "form": form,
        "next": request.POST.get("next") or request.GET.get("next", ""),
        **({} if device.confirmed else _secret(device)),
    }
    status = 422 if form.errors else 200
    return TemplateResponse(request, "admin/second_step.html", context, status=status)


def _device_of(user: Any) -> TOTPDevice:
    """The user's confirmed device, else the one that is being set up."""
    known = TOTPDevice.objects.filter(user=user).order_by("-confirmed", "pk").first()
    return known or TOTPDevice.objects.create(user=user, name="app", confirmed=False)


def _secret(device: TOTPDevice) -> dict[str, Any]:
    """The secret as a picture to scan and as letters to type."""
    code = segno.make(device.config_url, error="m")
    picture = code.svg_inline(scale=5, border=2, dark="#1f1f1d", light="#fff")
    letters = device.config_url.partition("secret=")[2].partition("&")[0]
    groups = " ".join(letters[i : i + 4] for i in range(0, len(letters), 4))
    return {"picture": mark_safe(picture), "letters": groups}  # noqa: S308 (made by segno)


def _target(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        return target
    return reverse("admin:index")
