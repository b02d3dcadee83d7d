"""The list of studies and the form of one: its design, block by block."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from survey import design, faults, roles, studies
from survey.admin import pages, setup
from survey.admin.row_forms import language_name
from survey.admin.scoped import Scoped, ScopedInline, is_frozen
from survey.admin.study_forms import (
    BlockForm,
    BlockFormSet,
    StudyForm,
    block_fields,
    faults_of,
    study_fields,
    text_of,
)
from survey.models import Block, Study
from survey.roles import Right


def languages_of(study: Study | None) -> list[str]:
    """The languages whose texts the form asks for."""
    return list(study.languages) if study and study.languages else ["en"]


def _with_fields(form: type, fields: dict[str, Any]) -> type:
    """A form with more fields, which depend on the study."""
    return type(form.__name__, (form,), fields)


def _texts_of(fields: dict[str, Any], code: str) -> list[str]:
    return [name for name in fields if text_of(name)[0] == code]


class BlockInline(ScopedInline, admin.StackedInline):
    model = Block
    extra = 0
    formset = BlockFormSet
    ordering = ("position",)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        fields = block_fields(languages_of(obj))
        return super().get_formset(request, obj, form=_with_fields(BlockForm, fields), **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Study | None = None) -> Any:
        more = {"classes": ["collapse"]}
        languages = languages_of(obj)
        fields = block_fields(languages)
        return [
            (None, {"fields": [("position", "key", "task"), _COUNTS]}),
            *(
                (
                    lazy("Texts: %(language)s") % {"language": language_name(code)},
                    {**more, "fields": _texts_of(fields, code)},
                )
                for code in languages
            ),
            (
                lazy("Which images"),
                {**more, "fields": ["pairing", "origins", _LISTS]},
            ),
            (
                lazy("How they are shown"),
                {**more, "fields": [_EXPOSURE, "disclosures", "disclosure_varies"]},
            ),
            (
                lazy("What is asked"),
                {**more, "fields": [_ASKED, _AFTER, "ties", "reasons"]},
            ),
        ]


_COUNTS = ("trials", "practice", "catch_trials", "repeat_share")
_LISTS = ("categories", "generators", "enhancement_levels")
_EXPOSURE = ("exposures_ms", "exposure_varies")
_ASKED = ("question", "scale_steps")
_AFTER = ("confidence_steps", "feedback")


@admin.register(Study)
class StudyAdmin(Scoped):
    """A study's design is a form while it may change, and a text to read afterwards."""

    change_right = Right.DESIGN
    form = StudyForm
    list_display = ("name", "state", "entered", "completed", "simulated")
    list_display_links = ("name",)
    list_filter = ("state",)
    search_fields = ("slug",)
    actions = None
    change_form_template = "admin/survey/study/change_form.html"
    readonly_fields = ("state", "design_hash", "as_text")

    def study_of(self, obj: Study) -> Study:
        return obj

    def get_queryset(self, request: HttpRequest) -> Any:
        mine = roles.studies_of(request.user, self.view_right)
        return admin.ModelAdmin.get_queryset(self, request).filter(pk__in=mine)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True  # the list is empty for those who have no study

    def has_view_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return obj is None or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return setup.may_make_studies(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        return super().has_change_permission(request, obj) and not is_frozen(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Study | None = None) -> bool:
        """Only a draft that nobody has taken part in."""
        if obj is None or obj.state != Study.State.DRAFT or obj.participants.exists():
            return False
        return roles.may(request.user, Right.SHARE, obj)

    def get_form(self, request: HttpRequest, obj: Study | None = None, **kwargs: Any) -> Any:
        fields = study_fields(obj, languages_of(obj))
        kwargs["form"] = _with_fields(StudyForm, fields)
        return super().get_form(request, obj, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Study | None) -> list[type]:
        return [BlockInline] if self.has_change_permission(request, obj) else []

    def get_fieldsets(self, request: HttpRequest, obj: Study | None = None) -> Any:
        if not self.has_change_permission(request, obj):
            return [(None, {"fields": ["slug", "state", "design_hash", "as_text"]})]
        more = {"classes": ["collapse"]}
        fields = study_fields(obj, languages_of(obj))
        return [
            (None, {"fields": [("slug", "languages"), ("minimum_age", "duration_minutes")]}),
            *(
                (
                    lazy("Texts: %(language)s") % {"language": language_name(code)},
                    {**more, "fields": _texts_of(fields, code)},
                )
                for code in languages_of(obj)
            ),
            (
                lazy("Order and display"),
                {**more, "fields": [_ORDER, _DISPLAY, _SCREEN, "mode"]},
            ),
            (lazy("Background questions and conditions"), {**more, "fields": _TABLES}),
            (
                lazy("Analysis plan"),
                {
                    **more,
                    "description": _PLAN_HELP,
                    "fields": ["claims", "smallest_effects", "alpha", "stopping_rule", *_RULES],
                },
            ),
        ]

    @admin.display(description=lazy("study"), ordering="slug")
    def name(self, study: Study) -> str:
        return f"{study.title} ({study.slug})"

    @admin.display(description=lazy("entered"))
    def entered(self, study: Study) -> int:
        return study.participants.filter(is_simulated=False).count()

    @admin.display(description=lazy("completed"))
    def completed(self, study: Study) -> int:
        done = study.participants.filter(is_simulated=False, completed_at__isnull=False)
        return done.count()

    @admin.display(description=lazy("simulated"))
    def simulated(self, study: Study) -> int:
        return study.participants.filter(is_simulated=True).count()

    @admin.display(description=lazy("design hash"))
    def design_hash(self, study: Study) -> str:
        version = study.versions.last()
        return version.design_hash if version else _("not frozen yet")

    @admin.display(description=lazy("design"))
    def as_text(self, study: Study) -> SafeString | str:
        try:
            text = design.dumps(studies.design_of(study))
        except design.DesignError as error:
            return faults.as_text(error.faults)
        return format_html('<pre class="toml" tabindex="0">{}</pre>', text)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        _follow(form.instance, _renamed(formsets))
        left = len(faults_of(form.instance))
        if left:
            text = ngettext(
                "Saved, with one thing to mend before it can go live. It is marked in the form.",
                "Saved, with %(left)s things to mend before it can go live. They are marked in "
                "the form.",
                left,
            )
            self.message_user(request, text % {"left": left}, messages.WARNING)

    def response_post_save_change(self, request: HttpRequest, obj: Study) -> HttpResponse:
        """What is left to do, rather than the list of all studies."""
        return HttpResponseRedirect(pages.address(obj, "checklist"))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kw: Any) -> Any:
        study = self.get_object(request, object_id)
        context = {"tabs": pages.tabs(request, study), "study": study}
        kw["extra_context"] = {**(kw.get("extra_context") or {}), **context}
        return super().change_view(request, object_id, *args, **kw)

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A study is not made in an empty form of eighty fields."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse("admin:survey_study_new"))

    def get_urls(self) -> list[URLPattern]:
        new = self.admin_site.admin_view(setup.new)
        return [
            path("new/", new, name="survey_study_new"),
            *pages.urls(),
            *super().get_urls(),
        ]


def _renamed(formsets: Any) -> dict[str, str]:
    """The blocks that have got another name, by the name that they had."""
    blocks = [form for formset in formsets for form in formset.initial_forms]
    return {f.initial["key"]: f.instance.key for f in blocks if "key" in f.changed_data}


def _follow(study: Study, renamed: dict[str, str]) -> None:
    """Bring conditions and blocks into line with the names and languages that were saved."""
    if renamed and study.conditions:
        for condition in study.conditions:
            condition["blocks"] = [renamed.get(key, key) for key in condition["blocks"]]
        study.save(update_fields=["conditions"])
    for block in study.blocks.all():
        texts = {code: block.texts.get(code, {}) for code in study.languages}
        if texts != block.texts:
            block.texts = texts
            block.save(update_fields=["texts"])


_ORDER = ("block_order", "share_stimuli")
_DISPLAY = ("display_width", "display_height", "display_fit")
_SCREEN = ("fullscreen", "allow_small_screens")
_TABLES = ["background", "conditions"]
_RULES = ["exclusion_rules"]
_PLAN_HELP = lazy(
    "Frozen with the design when the study goes live: this is the preregistration, which can be "
    "downloaded and cited by its hash."
)
