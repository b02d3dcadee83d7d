"""The researcher's side: studies, pairs with thumbnails, participants, responses, downloads."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from survey import completion, design, export, studies
from survey.delivery import image_url
from survey.models import (
    Block,
    Generator,
    Pair,
    PanelIdentity,
    Participant,
    Response,
    Stimulus,
    Study,
    Trial,
)

admin.site.site_header = "Honmono"
admin.site.site_title = "Honmono"
admin.site.index_title = gettext_lazy("Studies and data")

FORMATS: dict[str, tuple[str, str, Callable[[Study, Path], None]]] = {
    "psychds": ("zip", "application/zip", export.write_data_set),
    "csv": ("csv", "text/csv; charset=utf-8", export.write_csv_file),
}


def thumbnail(stimulus: Stimulus) -> SafeString:
    """A small picture of a stimulus with what it is."""
    return format_html(
        '<img class="thumbnail" src="{}" alt="{}" loading="lazy" width="160">',
        image_url(stimulus),
        f"{stimulus.code}: {stimulus.get_origin_display()}",
    )


class ReadOnly(admin.ModelAdmin):
    """To look at. What participants gave is changed by nobody."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class BlockInline(admin.StackedInline):
    model = Block
    extra = 0
    fieldsets = [
        (None, {"fields": [("position", "key", "task"), ("trials", "practice", "catch_trials")]}),
        (
            gettext_lazy("More settings"),
            {
                "classes": ["collapse"],
                "fields": [
                    ("question", "scale_steps", "confidence_steps"),
                    ("pairing", "feedback", "repeat_share"),
                    "ties",
                    ("origins", "categories"),
                    ("generators", "enhancement_levels"),
                    ("exposures_ms", "exposure_varies"),
                    ("disclosures", "disclosure_varies"),
                    "reasons",
                    "texts",
                ],
            },
        ),
    ]

    def has_change_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return super().has_change_permission(request, obj) and not _is_frozen(obj)

    def has_add_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return super().has_add_permission(request, obj) and not _is_frozen(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not _is_frozen(obj)


def _is_frozen(study: Study | None) -> bool:
    return study is not None and study.state != Study.State.DRAFT


#: What may still be changed once a study is live: not its design.
OPERATION_FIELDS = ("quota", "slot_minutes", "opens_at", "closes_at", "recruitment")


@admin.register(Study)
class StudyAdmin(admin.ModelAdmin):
    list_display = ("slug", "state", "entered", "completed", "simulated", "links")
    list_filter = ("state",)
    search_fields = ("slug",)
    inlines = (BlockInline,)
    actions = ("open_studies", "pause_studies", "close_studies")
    readonly_fields = ("state", "design_hash", "links")
    change_form_template = "admin/survey/study/change_form.html"
    fieldsets = [
        (None, {"fields": ["slug", ("state", "design_hash"), "links"]}),
        (
            gettext_lazy("Running the study"),
            {"fields": [("quota", "slot_minutes"), ("opens_at", "closes_at"), "recruitment"]},
        ),
        (
            gettext_lazy("Design"),
            {
                "fields": [
                    "languages",
                    "texts",
                    ("minimum_age", "duration_minutes"),
                    ("block_order", "share_stimuli"),
                    "conditions",
                    "background",
                    ("display_width", "display_height", "display_fit"),
                    "allow_small_screens",
                ]
            },
        ),
        (
            gettext_lazy("Analysis"),
            {"classes": ["collapse"], "fields": ["exclusion_rules", "analysis_plan"]},
        ),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Study | None = None) -> list[str]:
        if not _is_frozen(obj):
            return list(self.readonly_fields)
        fields = {field.name for field in Study._meta.fields} - set(OPERATION_FIELDS) - {"id"}
        return [*fields, *self.readonly_fields]

    @admin.display(description=gettext_lazy("entered"))
    def entered(self, study: Study) -> int:
        return study.participants.filter(is_simulated=False).count()

    @admin.display(description=gettext_lazy("completed"))
    def completed(self, study: Study) -> int:
        done = study.participants.filter(is_simulated=False, completed_at__isnull=False)
        return done.count()

    @admin.display(description=gettext_lazy("simulated"))
    def simulated(self, study: Study) -> int:
        return study.participants.filter(is_simulated=True).count()

    @admin.display(description=gettext_lazy("design hash"))
    def design_hash(self, study: Study) -> str:
        version = study.versions.last()
        return version.design_hash if version else _("not frozen yet")

    @admin.display(description=gettext_lazy("links"))
    def links(self, study: Study) -> SafeString | str:
        if study.pk is None:
            return ""
        targets = [
            (reverse("entry", args=[study.slug]), _("Take part")),
            (_download_url(study, "psychds"), _("Download data set (ZIP)")),
            (_download_url(study, "csv"), _("Download trials (CSV)")),
        ]
        return format_html_join(" · ", '<a href="{}">{}</a>', targets)

    @admin.action(description=gettext_lazy("Go live: freeze the design and let participants in"))
    def open_studies(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, studies.go_live)

    @admin.action(description=gettext_lazy("Pause: let nobody in for a while"))
    def pause_studies(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, studies.pause)

    @admin.action(description=gettext_lazy("Close for good"))
    def close_studies(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, studies.close)

    def _each(self, request: HttpRequest, queryset: Any, act: Callable[[Study], Any]) -> None:
        for study in queryset:
            try:
                act(study)
            except (studies.StudyError, design.DesignError) as error:
                self.message_user(request, f"{study.slug}: {error}", messages.ERROR)
            else:
                state = study.get_state_display()
                self.message_user(request, f"{study.slug}: {state}", messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        name = "survey_study_download"
        return [path("<int:pk>/download/<str:kind>", view, name=name), *super().get_urls()]

    def download(self, request: HttpRequest, pk: int, kind: str) -> HttpResponse:
        """The study's data, for those who may see responses."""
        study = get_object_or_404(Study, pk=pk)
        if not request.user.has_perm("survey.view_response"):
            raise PermissionDenied
        if kind not in FORMATS:
            return HttpResponseRedirect(reverse("admin:survey_study_change", args=[pk]))
        suffix, content_type, write = FORMATS[kind]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{study.slug}.{suffix}"
            write(study, file)
            opened = file.open("rb")  # stays readable after its name is gone
        name = f"{study.slug}-trials.{suffix}" if kind == "csv" else file.name
        return FileResponse(opened, as_attachment=True, filename=name, content_type=content_type)


def _download_url(study: Study, kind: str) -> str:
    return reverse("admin:survey_study_download", args=[study.pk, kind])


@admin.register(Pair)
class PairAdmin(ReadOnly):
    list_display = ("code", "study", "pictures", "category", "obvious")
    list_filter = ("study",)
    search_fields = ("code",)
    fields = ("study", "code", "pictures", "category", "obvious")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("stimuli")

    @admin.display(description=gettext_lazy("pictures"))
    def pictures(self, pair: Pair) -> SafeString:
        stimuli = sorted(pair.stimuli.all(), key=lambda stimulus: stimulus.origin != "real")
        figures = (
            (thumbnail(stimulus), capfirst(stimulus.get_origin_display())) for stimulus in stimuli
        )
        figure = '<figure class="thumbnail">{}<figcaption>{}</figcaption></figure>'
        return format_html_join("", figure, figures)

    @admin.display(description=gettext_lazy("category"))
    def category(self, pair: Pair) -> str:
        return ", ".join(sorted({stimulus.category for stimulus in pair.stimuli.all()}))

    @admin.display(description=gettext_lazy("obvious"), boolean=True)
    def obvious(self, pair: Pair) -> bool:
        return any(stimulus.is_catch for stimulus in pair.stimuli.all())


@admin.register(Stimulus)
class StimulusAdmin(ReadOnly):
    list_display = ("code", "picture", "study", "pair", "origin", "generator", "category")
    list_filter = ("study", "origin", "generator", "category", "is_catch")
    search_fields = ("code", "credit", "source")
    exclude = ("key", "original", "perceptual_hash")

    @admin.display(description=gettext_lazy("picture"))
    def picture(self, stimulus: Stimulus) -> SafeString:
        return thumbnail(stimulus)


@admin.register(Generator)
class GeneratorAdmin(admin.ModelAdmin):
    list_display = ("name", "vendor", "kind", "open_weights", "released", "cost_per_image_usd")
    search_fields = ("name", "vendor")


@admin.register(Participant)
class ParticipantAdmin(ReadOnly):
    list_display = (
        "code",
        "study",
        "condition",
        "language",
        "answered",
        "entered_at",
        "completed_at",
        "is_simulated",
    )
    list_filter = ("study", "is_simulated", "condition", "language")
    search_fields = ("code",)

    @admin.display(description=gettext_lazy("answered"))
    def answered(self, participant: Participant) -> str:
        done = participant.trials.filter(answer__isnull=False).count()
        return f"{done} / {participant.trials.count()}"


@admin.register(PanelIdentity)
class PanelIdentityAdmin(ReadOnly):
    """For those who pay and have the permission for it. It shows nothing of the responses."""

    list_display = ("panel_id", "panel", "panel_study", "submission")
    list_filter = ("participant__study",)
    search_fields = ("panel_id", "submission")
    exclude = ("participant",)
    actions = ("download_payments",)

    @admin.action(description=gettext_lazy("Download the list for payment"), permissions=["view"])
    def download_payments(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="payments.csv"'
        completion.write_payments(queryset, response)
        return response


@admin.register(Response)
class ResponseAdmin(ReadOnly):
    list_display = (
        "participant",
        "number",
        "task",
        "pictures",
        "response",
        "confidence",
        "rt_ms",
        "answered_at",
    )
    list_filter = ("trial__participant__study", "trial__task", "trial__participant__is_simulated")
    search_fields = ("trial__participant__code",)
    list_select_related = ("trial__participant", "trial__left", "trial__right", "trial__stimulus")

    @admin.display(description=gettext_lazy("participant"))
    def participant(self, response: Response) -> str:
        return response.trial.participant.code

    @admin.display(description=gettext_lazy("number"))
    def number(self, response: Response) -> int:
        return response.trial.index

    @admin.display(description=gettext_lazy("task"))
    def task(self, response: Response) -> str:
        return response.trial.get_task_display()

    @admin.display(description=gettext_lazy("pictures"))
    def pictures(self, response: Response) -> str:
        trial: Trial = response.trial
        return " | ".join(f"{s.code} ({s.get_origin_display()})" for s in trial.shown())
