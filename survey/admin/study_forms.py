"""The forms of a study's design: a field for everything, each with its faults beside it."""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.translation import get_language_info, pgettext_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from survey import design, studies
from survey.admin.fields import SeveralField, TableField, TextField, TomlField, WordsField
from survey.design import study as constants
from survey.models import Block, Study

LONG = forms.Textarea(attrs={"rows": 8})
SHORT = forms.Textarea(attrs={"rows": 2})

BLOCK_ORDERS = {
    "fixed": lazy("as listed"),
    "counterbalanced": lazy("counterbalanced over participants"),
    "random": lazy("random"),
    "one": lazy("one block a participant"),
}
FITS = {
    "pad": lazy("whole, with neutral bars"),
    "crop": lazy("cut to fill"),
}
PAIRINGS = {
    "matched": lazy("matched: a photograph and what an AI made of it"),
    "random": lazy("random: any photograph and any AI image of a category"),
    "ai_vs_ai": lazy("AI against AI, to rank generators"),
}
ORIGINS = {"ai": lazy("generated"), "enhanced": lazy("photographs changed by an AI")}
DISCLOSURES = {
    "hidden": lazy("none"),
    "true_labels": lazy("true labels"),
    "false_labels": lazy("false labels"),
}
VARIES = {"within": lazy("within a participant"), "between": lazy("between participants")}
FEEDBACK = {
    "never": lazy("never"),
    "practice": lazy("after practice trials"),
    "each": lazy("after each trial"),
}
CONFIDENCE = {
    0: lazy("not asked"),
    **{n: str(n) for n in range(2, 8)},
    design.CONFIDENCE_SLIDER: lazy("slider"),
}
MARKDOWN = lazy("Markdown: **bold**, lists, links.")


def options(names: Iterable[Any], labels: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """The allowed values of the design in the words of this page."""
    return [(name, labels[name]) for name in names]


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


class DesignForm(forms.ModelForm):
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

    def show_faults(self, faults: Iterable[design.Fault], prefix: str = "") -> None:
        """Put each fault of the design into the help of the field that it is about."""
        for fault in faults:
            name = self._field_of(fault.place.removeprefix(prefix))
            if name:
                field = self.fields[name]
                told = fault_in_words(fault)
                mark = format_html('<span class="fault">{}</span>', told)
                field.help_text = format_html("{} {}", field.help_text, mark)

    def _field_of(self, place: str) -> str:
        """The field of a place such as `texts.en.title` or `background[0].choices`."""
        parts = [part for part in re.split(r"[.\[\]]+", place) if part]
        for size in range(len(parts), 0, -1):
            name = "__".join(parts[:size])
            if name in self.fields:
                return name
        return ""


def fault_in_words(fault: design.Fault) -> str:
    """What was found and what is allowed."""
    words = {"found": design.validation.shown(fault.found), "allowed": _(fault.allowed)}
    return _("Found: %(found)s. Allowed: %(allowed)s.") % words


def text_of(name: str) -> tuple[str, str]:
    """The language and the name of the text that a field holds; empty for other fields."""
    prefix, _sign, rest = name.partition("__")
    if prefix != "texts":
        return "", ""
    language, _sign, text = rest.partition("__")
    return language, text


def language_name(code: str) -> str:
    """What a language is called in itself."""
    try:
        return str(get_language_info(code)["name_local"])
    except KeyError:
        return code


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
        help_text=lazy("Codes with commas: en, ja. The texts of a new one appear after saving."),
    )
    block_order = forms.ChoiceField(
        label=lazy("Order of the blocks"), choices=options(constants.BLOCK_ORDERS, BLOCK_ORDERS)
    )
    display_fit = forms.ChoiceField(
        label=lazy("Images are shown"), choices=options(constants.DISPLAY_FITS, FITS)
    )
    conditions = TomlField(
        "conditions",
        label=lazy("Conditions"),
        help_text=lazy(
            'Groups of participants, each [[conditions]] with name = "…", weight = 1 and '
            'blocks = ["…"]. Empty: there is one group.'
        ),
    )
    background = TomlField(
        "background",
        label=lazy("Background questions"),
        help_text=lazy(
            "Each [[background]] has key, kind (choice, multiple, number, text, scale), texts by "
            "language, and choices. The questions of the demo are a pattern."
        ),
    )
    exclusion_rules = TomlField(
        "exclusion_rules",
        label=lazy("Exclusion rules"),
        help_text=lazy("Applied by the analysis in this order, frozen with the design."),
    )
    claims = WordsField(
        label=lazy("Claims"),
        lines=True,
        help_text=lazy("One a line, as in indistinguishable or prefers_ai:real_vs_enhanced."),
    )
    smallest_effects = TableField(
        label=lazy("Smallest effects of interest"),
        kind=float,
        help_text=lazy("One a line: indistinguishable = 0.05. What is smaller does not matter."),
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
        plan = self.instance.analysis_plan or {}
        for name in self.plan_names:
            if name in self.fields and name in plan:
                self.initial[name] = plan[name]
        for fault in faults_of(self.instance):
            self.show_faults([fault], "analysis_plan.")

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if all(name in values for name in self.plan_names):
            self.instance.analysis_plan = {name: values[name] for name in self.plan_names}
        return values


class BlockForm(DesignForm):
    task = forms.ChoiceField(label=lazy("Task"), choices=Block._meta.get_field("task").choices)
    pairing = forms.ChoiceField(
        label=lazy("Pairing"),
        choices=options(constants.PAIRINGS, PAIRINGS),
        help_text=lazy("Pair tasks only; leave “matched” for single images."),
    )
    origins = SeveralField(
        label=lazy("AI images that take part"),
        choices=options(constants.ORIGINS[1:], ORIGINS),
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
        label=lazy("Exposure varies"), choices=options(constants.VARIES, VARIES)
    )
    disclosures = SeveralField(
        label=lazy("Labels on the images"),
        choices=options(constants.DISCLOSURES, DISCLOSURES),
        help_text=lazy("Several are randomised."),
    )
    disclosure_varies = forms.ChoiceField(
        label=lazy("Labels vary"), choices=options(constants.VARIES, VARIES)
    )
    confidence_steps = forms.TypedChoiceField(
        label=lazy("Steps of confidence"), coerce=int, choices=list(CONFIDENCE.items())
    )
    reasons = WordsField(
        label=lazy("Reasons offered"),
        help_text=lazy("Codes with commas, such as detail, light. Empty: none are asked for."),
    )
    feedback = forms.ChoiceField(
        label=pgettext_lazy("after a trial", "Feedback"),
        choices=options(constants.FEEDBACK, FEEDBACK),
    )

    class Meta:
        model = Block
        fields = ["position", *(name for name in studies.BLOCK_FIELDS if name != "texts")]
        help_texts = {
            "key": lazy("A short name, in the data: preference, detection."),
            "trials": lazy("Without practice, catch trials and repeats."),
            "question": lazy(
                "rate_single: the scale, such as appeal. prefer_pair: the comparison."
            ),
            "scale_steps": lazy("rate_single: 2 to 11 buttons."),
            "catch_trials": lazy("Obvious stimuli that show who looks."),
            "repeat_share": lazy("From 0 to 1: shown again with the sides swapped."),
        }


def block_text_fields(languages: Iterable[str]) -> dict[str, forms.Field]:
    """The texts of a block, among them two lists and a table."""
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
        fields[f"texts__{code}__reasons"] = TableField(
            label=lazy("Words of the reasons"),
            widget=forms.Textarea(attrs=attrs),
            help_text=lazy("One a line: detail = Something in the details."),
        )
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
