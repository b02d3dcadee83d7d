"""The admin's front: who gets in, in how many steps, and that every change has an author."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from auditlog.context import set_actor
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext_lazy

from survey import roles


class Site(admin.AdminSite):
    """Django's admin, which opens on the studies and asks for a second step where it must."""

    site_header = "Honmono"
    site_title = "Honmono"
    index_title = gettext_lazy("Studies")
    site_url = "/"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and self.is_through(request)

    def is_through(self, request: HttpRequest) -> bool:
        """Whether nothing is missing but perhaps a role: no second step, or it was taken."""
        user: Any = request.user
        return user.is_verified() or not roles.needs_second_step(user)

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """As Django's; what is changed in it is written to the log with the user's name."""

        def with_author(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with set_actor(request.user):
                return view(request, *args, **kwargs)

        return super().admin_view(update_wrapper(with_author, view), cacheable)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The password; whoever has given it and needs the second step goes on to that."""
        signed_in = super().has_permission(request)
        if request.method == "GET" and signed_in and not self.is_through(request):
            return redirect_to_login(
                request.GET.get("next") or reverse("admin:index"), reverse("admin:second_step")
            )
        return super().login(request, extra_context)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from survey.admin import second_step

        return [
            path("second-step/", second_step.view, name="second_step"),
            *super().get_urls(),
        ]

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        from survey.admin import dashboard

        return dashboard.index(self, request)
