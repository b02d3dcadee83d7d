"""How a study recruits: the link to paste, the panel's codes, the quota, the pause."""

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from survey import enrolment, panels, trail
from survey.admin import pages
from survey.admin.fields import WordsField, optional, tick
from survey.models import Study
from survey.roles import Right

PANELS = [
    ("", lazy("None: everybody comes by the open link")),
    ("prolific", "Prolific"),
    ("mturk", "Mechanical Turk"),
    ("sona", "SONA"),
    ("other", lazy("Another panel")),
]

#: What stands in the link that a panel is given, for the panel to fill in.
GAPS = {
    "prolific": "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}"
    "&SESSION_ID={{%SESSION_ID%}}",
    "sona": "survey_code=%SURVEY_CODE%",
}


class RecruitmentForm(forms.ModelForm):
    """Places and times, and the panel with its codes."""

    panel = forms.ChoiceField(label=lazy("Panel"), choices=PANELS, required=False)
    label = optional(
        lazy("Name of the panel"),
        lazy("As participants know it; needed for another panel."),
        max_length=50,
    )
    completed = optional(
        lazy("Code for completed"), lazy("Given once the server holds every response.")
    )
    screened_out = optional(
        lazy("Code for screened out"), lazy("Given when all places are taken. Empty: none.")
    )
    failed_check = optional(
        lazy("Code for failed checks"),
        lazy("Given after too many missed catch trials. Empty: the code for completed."),
    )
    return_url = optional(
        lazy("Return address"),
        lazy(
            "May hold {code} and {panel_id}. Empty: the panel's usual one. SONA's credit URL goes "
            "here."
        ),
        widget=forms.TextInput(attrs={"class": "vURLField"}),
    )
    parameters__panel_id = optional(
        lazy("Parameter with the participant's ID"),
        lazy("What it is called in the panel's link. Empty: the panel's usual one."),
    )
    parameters__panel_study = optional(
        lazy("Parameter with the panel's study"),
        lazy("Empty: the panel's usual one, or none."),
    )
    parameters__submission = optional(
        lazy("Parameter with the submission"), lazy("Empty: the panel's usual one, or none.")
    )
    hosts = WordsField(
        label=lazy("Hosts"),
        help_text=lazy("With commas, for Mechanical Turk only. Empty: the usual ones."),
    )
    open_link = tick(
        lazy("The open link works too"), lazy("Else only those whom the panel sends are let in.")
    )
    show_result = tick(
        lazy("Participants see their result"),
        lazy("Off where the panel forbids it: then no score and no truth is shown."),
    )
    share_card = tick(
        lazy("A card to share the score"),
        lazy("Those who come by the open link get one in any case."),
    )

    class Meta:
        model = Study
        fields = ("quota", "slot_minutes", "opens_at", "closes_at")
        help_texts = {
            "quota": lazy("So many participants and not one more. Empty: no limit."),
            "opens_at": lazy("In UTC, as 2026-01-31 09:00. Empty: at once."),
            "closes_at": lazy("In UTC. Empty: when you close the study."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {"show_result": True, **(self.instance.recruitment or {})}
        for name in (*panels.SETTINGS, *panels.Outcome):
            if name in self.fields:
                self.initial[name] = known.get(name, known.get("codes", {}).get(name, ""))
        for role, parameter in known.get("parameters", {}).items():
            self.initial[f"parameters__{role}"] = parameter

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        wanted = recruitment_of(values)
        try:
            panels.read(wanted)
        except panels.PanelError as error:
            for fault in error.faults:
                self.add_error(_field_of(fault), fault)
        self.instance.recruitment = wanted
        return values


#: The setting of a panel that a fault names -> the field that holds it.
FIELDS = {"codes": "completed", "parameters": "parameters__panel_id"}


def _field_of(fault: str) -> str | None:
    """The field at which to show a fault: that of the first setting that it names."""
    named = [name for name in re.findall(r"[“「](\w+)[”」]", fault) if name in panels.SETTINGS]
    return FIELDS.get(named[0], named[0]) if named else None


def recruitment_of(values: dict[str, Any]) -> dict[str, Any]:
    """The form's values as the settings of a panel; what is empty is left out."""
    if not values.get("panel"):
        return {}
    codes = {name.value: values[name] for name in panels.Outcome if values.get(name)}
    renamed = {role: values[at] for role in panels.ROLES if values.get(at := f"parameters__{role}")}
    settings = {name: values.get(name) for name in panels.SETTINGS}
    settings |= {"codes": codes, "parameters": renamed}
    kept = {name: value for name, value in settings.items() if value}
    shown = {} if kept.pop("show_result", False) else {"show_result": False}
    return kept | shown


@pages.page("recruitment", right=Right.RUN, tab=lazy("Recruitment"), place=30)
def recruitment(request: HttpRequest, study: Study) -> HttpResponse:
    """The link to paste, the codes, the places."""
    wanted = request.GET.get("quota", "")
    initial = {"quota": int(wanted)} if wanted.isdecimal() else {}
    form = RecruitmentForm(request.POST or None, instance=study, initial=initial)
    if request.method == "POST" and form.is_valid():
        form.save()
        trail.note(study, "recruitment", panel=study.recruitment.get("panel", ""))
        messages.success(request, _("Saved."))
        return HttpResponseRedirect(request.path)
    kept = Study.objects.get(pk=study.pk) if form.errors else study
    context = {
        "title": _("Recruitment"),
        "form": form,
        "link": link_for(request, kept),
        "is_mturk": kept.recruitment.get("panel") == "mturk",
        "taken": enrolment.places_taken(kept),
        "is_live": kept.state == Study.State.LIVE,
        "is_paused": kept.state == Study.State.PAUSED,
    }
    status = 422 if form.errors else 200
    return pages.render(request, kept, "admin/recruitment.html", context, status)


def link_for(request: HttpRequest, study: Study) -> str:
    """What to paste into the panel: the study's address, with gaps that the panel fills in."""
    address = request.build_absolute_uri(reverse("entry", args=[study.slug]))
    try:
        rules = panels.read(study.recruitment)
    except panels.PanelError:
        return address
    usual = panels.PANELS[rules.panel].parameters if rules.panel else {}
    if rules.panel in GAPS and dict(rules.parameters) == dict(usual):
        return f"{address}?{GAPS[rules.panel]}"
    if rules.panel in ("", "mturk"):
        return address
    gaps = (f"{name}={{{role}}}" for role, name in rules.parameters.items())
    return f"{address}?{'&'.join(gaps)}"
