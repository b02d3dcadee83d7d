"""The forms of a study's design: a field for everything, each with its faults beside it."""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import pgettext_lazy

from survey import design, studies
from survey.admin import options
from survey.admin.fields import SeveralField, TextField, WordsField
from survey.admin.row_forms import (
    ClaimRow,
    EffectRow,
    RulesField,
    conditions_field,
    questions_field,
    reasons_field,
)
from survey.admin.rows import MarksFaults, RowsField
from survey.design import study as constants
from survey.models import Block, Study

LONG = forms.Textarea(attrs={"rows": 8})
SHORT = forms.Textarea(attrs={"rows": 2})

MARKDOWN = lazy("Markdown: **bold**, lists, links.")

#: A text of the study in one language: name -> its field.
STUDY_TEXTS = {
    "title": (lazy("Title"), None, ""),
    "summary": (
        lazy("Summary"),
        SHORT,
        lazy("Two sentences on the start page. No word of AI yet."),
    ),
    "consent": (lazy("Information and consent"), LONG, MARKDOWN),
    "consent_version": (
        lazy("Version of the consent"),
        None,
        lazy("Stored with each participant. Change it with the text."),
    ),
    "contact": (lazy("Contact"), None, lazy("Shown beside the consent.")),
    "debrief": (
        lazy("Debriefing"),
        LONG,
        lazy(
            "Markdown. Where labels were false it must tell of them and offer withdrawal by a "
            "link: [...](withdraw)."
        ),
    ),
}

BLOCK_TEXTS = {
    "instructions": (lazy("Instructions"), LONG, MARKDOWN),
    "prompt": (lazy("Prompt"), None, lazy("Above every trial. Empty: the usual one of the task.")),
    "hint": (lazy("Hint"), None, lazy("In small letters below the images.")),
    "low": (lazy("Low end of the scale"), None, ""),
    "high": (lazy("High end of the scale"), None, ""),
    "confidence_prompt": (lazy("Prompt for confidence"), None, ""),
}


class DesignForm(MarksFaults, forms.ModelForm):
    """What both forms share: texts by language, and faults beside the fields."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields:
            language, text = text_of(name)
            if text:
                self.initial[name] = self.instance.texts.get(language, {}).get(text, "")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        texts = {code: dict(words) for code, words in (self.instance.texts or {}).items()}
        for name, value in values.items():
            language, text = text_of(name)
            if text and value:
                texts.setdefault(language, {})[text] = value
            elif text:
                texts.setdefault(language, {}).pop(text, None)
        self.instance.texts = texts
        return values


def text_of(name: str) -> tuple[str, str]:
    """The language and the name of the text that a field holds; empty for other fields."""
    prefix, _sign, rest = name.partition("__")
    if prefix != "texts":
        return "", ""
    language, _sign, text = rest.partition("__")
    return language, text


def text_fields(texts: dict[str, Any], languages: Iterable[str]) -> dict[str, forms.Field]:
    """A field for each text in each language."""
    return {
        f"texts__{code}__{name}": TextField(
            label=label,
            required=False,
            widget=_widget(widget, code),
            help_text=help_text,
        )
        for code in languages
        for name, (label, widget, help_text) in texts.items()
    }


def _widget(widget: forms.Widget | None, code: str) -> forms.Widget:
    attrs = {"lang": code, **(widget.attrs if widget else {"class": "vTextField"})}
    return type(widget)(attrs=attrs) if widget else forms.TextInput(attrs=attrs)


class StudyForm(DesignForm):
    languages = WordsField(
        label=lazy("Languages"),
        required=True,
        help_text=lazy(
            "Codes with commas: en, ja. The fields for the texts of a new one appear after saving; "
            "the texts of one that you take out are deleted."
        ),
    )
    block_order = forms.ChoiceField(
        label=lazy("Order of the blocks"),
        choices=options.labelled(constants.BLOCK_ORDERS, options.BLOCK_ORDERS),
    )
    display_fit = forms.ChoiceField(
        label=lazy("Images are shown"),
        choices=options.labelled(constants.DISPLAY_FITS, options.FITS),
    )
    fullscreen = forms.ChoiceField(
        label=lazy("Full screen"),
        choices=options.labelled(constants.FULLSCREEN, options.FULLSCREEN),
        help_text=lazy("Where the browser can; iPhones cannot, and go on without."),
    )
    exclusion_rules = RulesField(
        label=lazy("Exclusion rules"),
        help_text=lazy(
            "Applied by the analysis in this order, frozen with the design. Nothing is deleted: "
            "every result is also given without them. An empty number: the one in grey."
        ),
    )
    claims = RowsField(
        ClaimRow,
        label=lazy("Claims"),
        noun=lazy("Claim"),
        add=lazy("Add a claim"),
        help_text=lazy("What you expect; everything else that comes out is exploratory."),
    )
    smallest_effects = RowsField(
        EffectRow,
        label=lazy("Smallest effects of interest"),
        noun=lazy("Smallest effect"),
        add=lazy("Add a smallest effect"),
        help_text=lazy(
            "What is smaller does not matter, as 0.05 for five percentage points of accuracy."
        ),
    )
    alpha = forms.FloatField(label=lazy("Alpha"), initial=0.05)
    stopping_rule = TextField(
        label=lazy("Stopping rule"),
        required=False,
        widget=SHORT,
        help_text=lazy("When recruitment ends: a number of participants, a date, or a sequence."),
    )

    class Meta:
        model = Study
        fields = [name for name in studies.STUDY_FIELDS if name not in ("texts", "analysis_plan")]

    plan_names = ("claims", "smallest_effects", "alpha", "stopping_rule")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plan = dict(self.instance.analysis_plan or {})
        effects = plan.get("smallest_effects", {})
        plan["smallest_effects"] = [*effects.items()]
        self.initial |= {name: plan[name] for name in self.plan_names if name in plan}
        found = faults_of(self.instance)
        self.show_placed([(_in_form(fault.place, [*effects]), fault) for fault in found])

    def field_of(self, place: str) -> str:
        return super().field_of("block_order" if place == "blocks" else place)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if all(name in values for name in self.plan_names):
            self.instance.analysis_plan = self._plan(values)
        if "languages" in values:
            texts = self.instance.texts
            self.instance.texts = {code: texts.get(code, {}) for code in values["languages"]}
            for question in values.get("background", ()):
                _keep(values["languages"], question, *question["choices"])
        return values

    def _plan(self, values: dict[str, Any]) -> dict[str, Any]:
        plan = {name: values[name] for name in self.plan_names}
        plan["smallest_effects"] = dict(values["smallest_effects"])
        if len(plan["smallest_effects"]) < len(values["smallest_effects"]):
            self.add_error("smallest_effects", _("Give each claim one smallest effect only."))
        return plan


def _in_form(place: str, effects: list[str]) -> str:
    """The place of a fault in the form, where each smallest effect is a row.

    Only the rules that the analysis knows have one.
    """
    if re.fullmatch(r"exclusion_rules\[\d+\]\.name", place):
        return "exclusion_rules"
    place = place.removeprefix("analysis_plan.")
    claim = place.removeprefix("smallest_effects.")
    return f"smallest_effects[{effects.index(claim)}].effect" if claim in effects else place


def _keep(languages: Iterable[str], *entries: dict[str, Any]) -> None:
    """Take the texts of other languages out of the entries of a list."""
    for entry in entries:
        entry["texts"] = {
            code: entry["texts"][code] for code in languages if code in entry["texts"]
        }


class BlockForm(DesignForm):
    task = forms.ChoiceField(label=lazy("Task"), choices=Block._meta.get_field("task").choices)
    pairing = forms.ChoiceField(
        label=lazy("Pairing"),
        choices=options.labelled(constants.PAIRINGS, options.PAIRINGS),
        help_text=lazy("Pair tasks only; leave “matched” for single images."),
    )
    origins = SeveralField(
        label=lazy("AI images that take part"),
        choices=options.labelled(constants.ORIGINS[1:], options.ORIGINS),
        help_text=lazy("None ticked: all."),
    )
    categories = WordsField(label=lazy("Categories"), help_text=lazy("With commas. Empty: all."))
    generators = WordsField(label=lazy("Generators"), help_text=lazy("With commas. Empty: all."))
    enhancement_levels = WordsField(
        label=lazy("Enhancement levels"),
        kind=float,
        help_text=lazy("From 0 to 1, with commas. Empty: all."),
    )
    exposures_ms = WordsField(
        label=lazy("Exposures in ms"),
        kind=int,
        help_text=lazy("With commas; several are randomised. Empty: until the response."),
    )
    exposure_varies = forms.ChoiceField(
        label=lazy("Exposure varies"), choices=options.labelled(constants.VARIES, options.VARIES)
    )
    disclosures = SeveralField(
        label=lazy("Labels on the images"),
        choices=options.labelled(constants.DISCLOSURES, options.DISCLOSURES),
        help_text=lazy("Several are randomised."),
    )
    disclosure_varies = forms.ChoiceField(
        label=lazy("Labels vary"), choices=options.labelled(constants.VARIES, options.VARIES)
    )
    confidence_steps = forms.TypedChoiceField(
        label=lazy("Steps of confidence"), coerce=int, choices=list(options.CONFIDENCE.items())
    )
    feedback = forms.ChoiceField(
        label=pgettext_lazy("after a trial", "Feedback"),
        choices=options.labelled(constants.FEEDBACK, options.FEEDBACK),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.reasons:
            self.initial["reasons"] = [*map(self._reason, self.instance.reasons)]

    def _reason(self, code: str) -> dict[str, Any]:
        known = {name: t.get("reasons", {}) for name, t in self.instance.texts.items()}
        return {"code": code, "texts": {name: words.get(code, "") for name, words in known.items()}}

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if "reasons" not in values:
            return values
        reasons = values["reasons"]
        for language, texts in self.instance.texts.items():
            words = {one["code"]: one["texts"].get(language) for one in reasons}
            texts["reasons"] = {code: told for code, told in words.items() if told}
            if not texts["reasons"]:
                del texts["reasons"]
        return values | {"reasons": [one["code"] for one in reasons]}

    class Meta:
        model = Block
        fields = ["position", *(name for name in studies.BLOCK_FIELDS if name != "texts")]
        help_texts = {
            "key": lazy("A short name, in the data: preference, detection."),
            "trials": lazy("Without practice, catch trials and repeats."),
            "question": lazy(
                "For ratings the scale, such as appeal; for preferences what is compared."
            ),
            "scale_steps": lazy("For ratings: 2 to 11 buttons."),
            "catch_trials": lazy("Obvious stimuli that show who looks."),
            "repeat_share": lazy("From 0 to 1: shown again with the sides swapped."),
        }


def study_fields(study: Study | None, languages: list[str]) -> dict[str, forms.Field]:
    """The fields that depend on the languages and blocks of the study."""
    blocks = study.blocks.values_list("key", flat=True) if study else []
    return {
        **text_fields(STUDY_TEXTS, languages),
        "background": questions_field(languages),
        "conditions": conditions_field(list(blocks)),
    }


def block_fields(languages: list[str]) -> dict[str, forms.Field]:
    """The texts of a block, among them two lists, and the reasons with their words."""
    fields = text_fields(BLOCK_TEXTS, languages)
    lists = {
        "labels": lazy("Labels of the scale"),
        "confidence_labels": lazy("Labels of confidence"),
    }
    for code in languages:
        attrs = {"rows": 3, "lang": code}
        for name, label in lists.items():
            fields[f"texts__{code}__{name}"] = WordsField(
                label=label,
                lines=True,
                widget=forms.Textarea(attrs=attrs),
                help_text=lazy("One a line, one for each step. Empty: numbers."),
            )
    fields["reasons"] = reasons_field(languages)
    return fields


def faults_of(study: Study) -> list[design.Fault]:
    """Every fault of the design as the tables hold it now."""
    if study.pk is None:
        return []
    try:
        studies.design_of(study)
    except design.DesignError as error:
        return list(error.faults)
    return []


class BlockFormSet(forms.models.BaseInlineFormSet):
    """The blocks in their order, each with its own faults."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if index is None or form.instance.pk is None:
            return
        prefix = f"blocks[{index}]."
        mine = [fault for fault in self._faults() if fault.place.startswith(prefix)]
        form.show_faults(mine, prefix)

    def _faults(self) -> list[design.Fault]:
        if not hasattr(self, "_found"):
            self._found = faults_of(self.instance)
        return self._found


def address(study: Study) -> str:
    """Where the form of a study is."""
    return reverse("admin:survey_study_change", args=[study.pk])
