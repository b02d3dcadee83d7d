"""Model admins that know roles: everybody sees the rows of the own studies, and no others."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest

from survey import roles
from survey.models import Study
from survey.roles import Right


class Scoped(admin.ModelAdmin):
    """Rows that belong to a study. Subclasses say how to get there and which rights count."""

    study_path = "study"  # the lookup from a row to its study
    view_right = Right.SEE
    change_right: Right | None = None  # None: nobody, what is there is not changed by hand
    show_full_result_count = False

    def study_of(self, obj: Any) -> Study:
        """The study that a row belongs to."""
        for name in self.study_path.split("__"):
            obj = getattr(obj, name)
        return obj

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        mine = roles.studies_of(request.user, self.view_right)
        return super().get_queryset(request).filter(**{f"{self.study_path}__in": mine})

    def _may(self, request: HttpRequest, right: Right | None, obj: Any) -> bool:
        if right is None:
            return False
        return roles.may(request.user, right, self.study_of(obj) if obj else None)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return roles.may(request.user, self.view_right)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.view_right, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.change_right, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.change_right, obj)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        return found(super().get_object(request, object_id, from_field))


def found(obj: Any) -> Any:
    """The row, or 404: Django would lead to the front page, or answer 403 before it looked."""
    if obj is None:
        raise Http404
    return obj


class ScopedInline:
    """For inlines: a row may be changed where its study may."""

    right = Right.DESIGN

    def _may(self, request: HttpRequest, obj: Study | None) -> bool:
        return obj is None or (not is_frozen(obj) and roles.may(request.user, self.right, obj))

    def has_view_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return self._may(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return self._may(request, obj)


def is_frozen(study: Model | None) -> bool:
    """Whether the design may not be changed now: while it is live, and once it is closed."""
    frozen = (Study.State.LIVE, Study.State.CLOSED)
    return isinstance(study, Study) and study.state in frozen


#: For `list_filter`: only the studies, generators ... that occur in the rows one may see.
OWN = admin.RelatedOnlyFieldListFilter


class NamedValues(admin.AllValuesFieldListFilter):
    """A filter by the values that occur, which gives the empty one a name too."""

    def choices(self, changelist: Any) -> Any:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "–"}
