"""The pages of one study in the admin, each with the right that opens it.

A page is a view with its rule; there is no way to add one without. Foreign studies answer 404,
own ones without the right 403:

    @pages.page("watch", right=Right.WATCH, tab=gettext_lazy("Watch"))
    def watch(request: HttpRequest, study: Study) -> HttpResponse:
        return pages.render(request, study, "admin/watch.html", {...})

Its address is admin/survey/study/<pk>/watch/ and its name `admin:survey_study_watch`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from survey import roles
from survey.models import Study
from survey.roles import Right

View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Page:
    """One page of a study; those with a `tab` stand in its navigation, in order of `place`."""

    name: str
    right: Right
    route: str
    view: View
    tab: Any = ""
    place: int = 0


_pages: dict[str, Page] = {}


def page(
    name: str, *, right: Right, route: str = "", tab: Any = "", place: int = 50
) -> Callable[[View], View]:
    """Register a view as a page of every study."""

    def register(view: View) -> View:
        if name in _pages:
            raise ValueError(f"there is a page {name} already")
        _pages[name] = Page(name, right, route or f"{name}/", _guarded(view, right), tab, place)
        return view

    return register


def every_page() -> list[Page]:
    """All pages in the order of the navigation."""
    return sorted(_pages.values(), key=lambda one: one.place)


def urls() -> list[URLPattern]:
    """The addresses of all pages, below the list of studies."""
    return [
        path(
            f"<int:pk>/{one.route}",
            admin.site.admin_view(one.view),
            name=f"survey_study_{one.name}",
        )
        for one in every_page()
    ]


def address(study: Study, name: str, *args: Any) -> str:
    """Where a page of a study is."""
    return reverse(f"admin:survey_study_{name}", args=[study.pk, *args])


def study_for(request: HttpRequest, pk: int, right: Right) -> Study:
    """The study if the user may: 404 where it is foreign, 403 where the role is too small."""
    study = get_object_or_404(roles.studies_of(request.user), pk=pk)
    if not roles.may(request.user, right, study):
        raise PermissionDenied
    return study


def _guarded(view: View, right: Right) -> View:
    def guarded(request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, study_for(request, pk, right), *args, **kwargs)

    return update_wrapper(guarded, view)


def tabs(request: HttpRequest, study: Study) -> list[dict[str, Any]]:
    """The navigation of a study: the pages that this user may open."""
    shown = [one for one in every_page() if one.tab and roles.may(request.user, one.right, study)]
    change = reverse("admin:survey_study_change", args=[study.pk])
    addresses = [(address(study, one.name), one.tab) for one in shown]
    return [
        {"url": url, "label": label, "current": url == request.path}
        for url, label in [(change, study._meta.verbose_name), *addresses]
    ]


def render(
    request: HttpRequest,
    study: Study,
    template: str,
    context: dict[str, Any] | None = None,
    status: int = 200,
) -> TemplateResponse:
    """A page in the frame of the admin and of the study, see `admin/study_page.html`."""
    frame = {
        **admin.site.each_context(request),
        "opts": Study._meta,
        "study": study,
        "tabs": tabs(request, study),
    }
    return TemplateResponse(request, template, frame | (context or {}), status=status)
