"""The images of a study: pairs side by side, thumbnails, and the generators they come from."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy, ngettext

from survey import roles, studies, trail
from survey.admin import upload
from survey.admin.scoped import OWN, NamedValues, Scoped, found
from survey.delivery import image_url
from survey.models import Generator, Pair, Stimulus, Study
from survey.roles import Right


def thumbnail(stimulus: Stimulus) -> SafeString:
    """A small picture of a stimulus with what it is."""
    study = stimulus.study
    return format_html(
        '<img class="thumbnail" src="{}" alt="{}" loading="lazy" width="160" height="{}">',
        image_url(stimulus),
        f"{stimulus.code}: {stimulus.get_origin_display()}",
        round(160 * study.display_height / study.display_width),
    )


def side_by_side(stimuli: list[Stimulus]) -> SafeString:
    """The stimuli of a pair, the photograph first, each with what it is below."""
    ordered = sorted(stimuli, key=lambda stimulus: (stimulus.origin != "real", stimulus.code))
    figures = ((thumbnail(one), capfirst(one.get_origin_display())) for one in ordered)
    figure = '<figure class="thumbnail">{}<figcaption>{}</figcaption></figure>'
    return format_html_join("", figure, figures)


class Truth(Scoped):
    """What tells which image is real; who looks at it is written down."""

    view_right = Right.TRUTH
    list_per_page = 50

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        for study in roles.studies_of(request.user, Right.TRUTH):
            trail.note_once_a_day(request.user, study, "truth")
        return response


@admin.register(Pair)
class PairAdmin(Truth):
    list_display = ("code", "study", "pictures", "category", "obvious")
    list_filter = (("study", OWN),)
    search_fields = ("code",)
    fields = ("study", "code", "pictures", "category", "obvious")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pair]:
        return super().get_queryset(request).prefetch_related("stimuli__study")

    @admin.display(description=gettext_lazy("pictures"))
    def pictures(self, pair: Pair) -> SafeString:
        return side_by_side(list(pair.stimuli.all()))

    @admin.display(description=gettext_lazy("category"))
    def category(self, pair: Pair) -> str:
        return ", ".join(sorted({stimulus.category for stimulus in pair.stimuli.all()}))

    @admin.display(description=gettext_lazy("obvious"), boolean=True)
    def obvious(self, pair: Pair) -> bool:
        return any(stimulus.is_catch for stimulus in pair.stimuli.all())


@admin.register(Stimulus)
class StimulusAdmin(Truth):
    list_display = ("code", "picture", "pair", "origin", "generator", "is_catch", "study")
    list_filter = (
        ("study", OWN),
        "origin",
        ("generator", OWN),
        ("category", NamedValues),
        "is_catch",
    )
    list_select_related = ("study", "pair", "generator")
    search_fields = ("code", "credit", "source")
    exclude = ("key", "original", "perceptual_hash")
    actions = ("mark_obvious", "mark_ordinary")

    def has_delete_permission(self, request: HttpRequest, obj: Stimulus | None = None) -> bool:
        """Images can be taken out of a draft; what a study has shown stays."""
        if obj is not None and obj.study.state != Study.State.DRAFT:
            return False
        return self._may(request, Right.DESIGN, obj)

    def delete_model(self, request: HttpRequest, obj: Stimulus) -> None:
        upload.remove(obj.study, Stimulus.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Stimulus]) -> None:
        chosen = Stimulus.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        for study in Study.objects.filter(stimuli__in=chosen).distinct():
            upload.remove(study, chosen.filter(study=study))

    def has_design_permission(self, request: HttpRequest) -> bool:
        return self._may(request, Right.DESIGN, None)

    @admin.action(
        permissions=["design"],
        description=gettext_lazy("Mark as obvious, for practice and catch trials"),
    )
    def mark_obvious(self, request: HttpRequest, queryset: QuerySet[Stimulus]) -> None:
        self._mark(request, queryset, is_catch=True)

    @admin.action(permissions=["design"], description=gettext_lazy("Mark as not obvious"))
    def mark_ordinary(self, request: HttpRequest, queryset: QuerySet[Stimulus]) -> None:
        self._mark(request, queryset, is_catch=False)

    def _mark(self, request: HttpRequest, chosen: QuerySet[Stimulus], *, is_catch: bool) -> None:
        mine = roles.studies_of(request.user, Right.DESIGN).filter(stimuli__in=chosen).distinct()
        try:
            count = sum(upload.mark(study, chosen, is_catch=is_catch) for study in mine)
        except studies.StudyError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        told = ngettext("One image was marked.", "%(n)s images were marked.", count)
        self.message_user(request, told % {"n": count}, messages.SUCCESS)

    @admin.display(description=gettext_lazy("picture"))
    def picture(self, stimulus: Stimulus) -> SafeString:
        return thumbnail(stimulus)


@admin.register(Generator)
class GeneratorAdmin(admin.ModelAdmin):
    """The models that make images. All studies share them; a new one is free to all who design."""

    list_display = ("name", "vendor", "kind", "open_weights", "released", "cost_per_image_usd")
    search_fields = ("name", "vendor")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Generator]:
        """Those of the own studies, and those that no study uses yet."""
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        mine = roles.studies_of(request.user, Right.TRUTH)
        wanted = Q(pk__in=Stimulus.objects.filter(study__in=mine).values("generator"))
        unused = ~Q(pk__in=Stimulus.objects.exclude(generator=None).values("generator"))
        return rows.filter(wanted | unused)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return roles.may(request.user, Right.TRUTH)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return roles.may(request.user, Right.TRUTH)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return roles.may(request.user, Right.DESIGN)

    def has_change_permission(self, request: HttpRequest, obj: Generator | None = None) -> bool:
        """Where others use it too, only somebody who may design all of those studies."""
        if not roles.may(request.user, Right.DESIGN) or obj is None:
            return roles.may(request.user, Right.DESIGN)
        mine = roles.studies_of(request.user, Right.DESIGN)
        return not obj.stimuli.exclude(study__in=mine).exists()

    def has_delete_permission(self, request: HttpRequest, obj: Generator | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        return found(super().get_object(request, object_id, from_field))
