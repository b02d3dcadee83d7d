"""A new study: from a template, as a copy of one that is here, or from a TOML file."""

import dataclasses
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from survey import demo, design, faults, image_set, roles, studies, trail
from survey.admin.fields import tick
from survey.design import validation
from survey.models import Study

MAX_TOML_BYTES = 1_000_000

TEMPLATES = {
    "demo": lazy("Preference, then detection: the demo"),
    "lu2023": lazy("Photograph or AI, one at a time: Lu et al. (2023)"),
    "brief": lazy("Gut reaction: brief exposure"),
    "labels": lazy("What labels do: disclosure"),
}
BLANK = "blank"
COPY = "copy-"


def may_make_studies(user: Any) -> bool:
    """Researchers make their own studies, and so does whoever has Django's permission for it."""
    return user.has_perm("survey.add_study") or roles.may(user, roles.Right.DESIGN)


class NewStudyForm(forms.Form):
    """Where the design comes from, and the name of the study."""

    slug = forms.RegexField(
        rf"^(?:{validation.SLUG.pattern})\Z",
        label=lazy("Short name"),
        max_length=50,
        required=False,
        help_text=lazy(
            "For the link and the data: lower-case letters, digits, hyphens. A TOML file brings "
            "its own."
        ),
        error_messages={"invalid": lazy("Lower-case letters and digits, joined by hyphens.")},
    )
    template = forms.ChoiceField(label=lazy("Begin with"), widget=forms.RadioSelect)
    with_images = tick(
        lazy("Bring the demo's 36 images along"),
        lazy("To try things out; you can do without and add your own."),
    )
    file = forms.FileField(
        label=lazy("… or a study from a file (TOML)"),
        help_text=lazy("“Download the design” on the form of a study makes one."),
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": ".toml"}),
    )

    def __init__(self, user: Any, *args: Any) -> None:
        super().__init__(*args)
        self.user = user
        copies = [
            (f"{COPY}{study.pk}", _("A copy of %(name)s") % {"name": study.slug})
            for study in roles.studies_of(user, roles.Right.DESIGN)
        ]
        field: Any = self.fields["template"]
        field.choices = [*TEMPLATES.items(), *copies, (BLANK, lazy("A blank page"))]
        field.initial = "demo"

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        file = values.get("file")
        if file:
            values["plan"] = self._read(file)
        elif "template" in values and "slug" in values:
            values["plan"] = self._from_template(values["template"], values["slug"])
        slug = values["plan"].slug if values.get("plan") else values.get("slug", "")
        if not slug:
            if "slug" not in self.errors and not self.errors:
                self.add_error("slug", _("Please give a short name."))
        elif Study.objects.filter(slug=slug).exists():
            self.add_error("slug", _("There is a study of this name already."))
        return values

    def _read(self, file: Any) -> design.Study | None:
        """The design in an uploaded file, under the given name if there is one."""
        try:
            if file.size > MAX_TOML_BYTES:
                raise ValueError
            plan = design.loads(file.read().decode())
        except ValueError as error:
            is_read = isinstance(error, design.DesignError)
            told = faults.all_told(error) if is_read else [_("This is not a text in UTF-8.")]
            self.add_error("file", told)
            return None
        return _named(plan, self.cleaned_data.get("slug", ""))

    def _from_template(self, name: str, slug: str) -> design.Study | None:
        if name == BLANK:
            return None
        if not name.startswith(COPY):
            return _named(_to_fill_in(demo.demo_design(name)), slug) if slug else None
        mine = roles.studies_of(self.user, roles.Right.DESIGN)
        try:
            return _named(studies.design_of(mine.get(pk=name.removeprefix(COPY))), slug)
        except design.DesignError as error:
            told = [_("That study's design has faults:"), *faults.all_told(error)]
            self.add_error("template", told)
            return None


def _to_fill_in(plan: design.Study) -> design.Study:
    """A template without what only the researcher can say; the checklist asks for it."""
    texts = {code: {**words, "contact": ""} for code, words in plan.texts.items()}
    analysis_plan = dataclasses.replace(plan.analysis_plan, stopping_rule="")
    return dataclasses.replace(plan, texts=texts, analysis_plan=analysis_plan)


def _named(plan: design.Study, slug: str) -> design.Study:
    return dataclasses.replace(plan, slug=slug) if slug else plan


def new(request: HttpRequest) -> HttpResponse:
    """The page on which a study begins."""
    if not may_make_studies(request.user):
        raise PermissionDenied
    form = NewStudyForm(request.user, request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        study = _make(request.user, form.cleaned_data)
        messages.success(request, _("%(study)s is here as a draft.") % {"study": study.title})
        return HttpResponseRedirect(reverse("admin:survey_study_checklist", args=[study.pk]))
    context = {
        **admin.site.each_context(request),
        "title": _("New study"),
        "opts": Study._meta,
        "form": form,
    }
    status = 422 if form.errors else 200
    return TemplateResponse(request, "admin/new_study.html", context, status=status)


@transaction.atomic
def _make(user: Any, values: dict[str, Any]) -> Study:
    plan = values.get("plan")
    if plan is None:
        languages = [code for code, _name in settings.LANGUAGES]
        study = Study.objects.create(slug=values["slug"], languages=languages)
    else:
        study = studies.save_design(plan)
    roles.make_owner(user, study)
    if values["with_images"]:
        image_set.import_stimuli(study, demo.STIMULI, jobs=1)
    trail.note(study, "made", template="" if values.get("file") else values["template"])
    return study
