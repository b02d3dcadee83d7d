"""What stands in one row: a question, a choice, a condition, a rule, a claim, a reason."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import get_language, get_language_info, pgettext_lazy
from django.utils.translation import gettext_lazy as lazy

from survey.admin.fields import SeveralField, TextField
from survey.admin.rows import RowForm, RowsField
from survey.claims import CLAIMS, CONTRASTS
from survey.design import study as constants

QUESTION_KINDS = {
    "choice": lazy("one of several choices"),
    "multiple": lazy("any of several choices"),
    "number": lazy("a number"),
    "text": lazy("a short text"),
    "scale": lazy("a scale, from low to high"),
}
RULES = {
    "incomplete": lazy("Participants who left too much unanswered"),
    "catch_trials": lazy("Participants who failed catch trials"),
    "side_bias": lazy("Participants who nearly always chose the same side"),
    "straight_lining": lazy("Participants who nearly always gave the same response"),
    "focus_loss": lazy("Trials during which the page was out of focus"),
    "minimum_response_time": lazy("Responses too fast to be true"),
    "duplicates": lazy("A participant's second response to the same item"),
}
PARAMETERS = {
    "min_answered_share": lazy("Smallest share of main trials answered"),
    "max_failed_share": lazy("Largest share of catch trials failed"),
    "max_same_share": lazy("Largest share of the same response"),
    "min_trials": lazy("Judged from so many trials on"),
    "max_focus_lost_ms": lazy("Longest time out of focus in ms"),
    "min_rt_ms": lazy("Shortest response time in ms"),
    "max_fast_share": lazy("Largest share of faster responses"),
}
NAME = pgettext_lazy("condition", "Name")
CODE = lazy("In the data: a lower-case letter, then lower-case letters, digits and _.")


def language_name(code: str) -> str:
    """What a language is called in itself."""
    try:
        return str(get_language_info(code)["name_local"])
    except KeyError:
        return code


def words_fields(label: Any, languages: Iterable[str], **more: Any) -> dict[str, forms.Field]:
    """A line of text in each language."""
    return {
        f"texts__{code}": TextField(
            label=format_lazy("{} ({})", label, language_name(code)),
            required=False,
            widget=forms.TextInput(attrs={"lang": code}),
            **more,
        )
        for code in languages
    }


def _row(name: str, base: type[RowForm], /, **fields: Any) -> type[RowForm]:
    return type(base)(name, (base,), fields)


class QuestionRow(RowForm):
    """A background question."""

    layout = "long"

    @property
    def heading(self) -> str:  # type: ignore[override]
        words = f"texts__{get_language()}"
        return str((words in self.fields and self[words].value()) or self["key"].value() or "")


class LineRow(RowForm):
    """A code with its words, or the like."""

    layout = "line"


def questions_field(languages: list[str]) -> RowsField:
    """The background questions, each with its choices."""
    choice = _row(
        "ChoiceRow",
        LineRow,
        value=forms.CharField(label=lazy("Code"), max_length=50),
        **words_fields(lazy("Choice"), languages),
    )
    question = _row(
        "QuestionRow",
        QuestionRow,
        key=forms.CharField(label=NAME, max_length=50, help_text=CODE),
        kind=forms.ChoiceField(
            label=pgettext_lazy("question", "Kind"),
            choices=list(QUESTION_KINDS.items()),
            initial="choice",
        ),
        required=forms.BooleanField(
            label=lazy("Must be answered"),
            required=False,
            help_text=lazy("Else it may be skipped."),
        ),
        **words_fields(pgettext_lazy("background", "Question"), languages),
        choices=RowsField(
            choice,
            label=lazy("Choices"),
            noun=lazy("Choice"),
            add=lazy("Add a choice"),
            help_text=lazy(
                "For choices and scales, in the order in which they are shown. The code is what "
                "stands in the data."
            ),
        ),
    )
    return RowsField(
        question,
        label=lazy("Background questions"),
        noun=pgettext_lazy("background", "Question"),
        add=lazy("Add a question"),
        help_text=lazy("Asked after the trials, in this order."),
    )


def conditions_field(blocks: list[str]) -> RowsField:
    """The groups of participants, each with the blocks that it meets."""
    row = _row(
        "ConditionRow",
        RowForm,
        name=forms.CharField(label=NAME, max_length=50, help_text=CODE),
        weight=forms.IntegerField(
            label=lazy("Weight"),
            initial=1,
            help_text=lazy("With weights of 2 and 1, twice as many come into the first group."),
        ),
        blocks=SeveralField(
            label=lazy("Blocks"),
            choices=[(key, key) for key in blocks],
            help_text=lazy("None ticked: all. A new block can be ticked after saving."),
        ),
    )
    return RowsField(
        row,
        label=lazy("Conditions"),
        noun=lazy("Condition"),
        add=lazy("Add a condition"),
        help_text=lazy(
            "Groups between which participants are divided by chance. None: everybody is in one "
            "group. Every row is one group, so add two at least."
        ),
    )


class RuleRow(RowForm):
    """A rule of the analysis that may be applied, with its parameters."""

    layout = "own-line"
    name = forms.ChoiceField(choices=list(RULES.items()), widget=forms.HiddenInput)
    is_applied = forms.BooleanField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = str(self["name"].value() or "")
        self.fields["is_applied"].label = RULES.get(rule, rule)
        for name, usual in constants.EXCLUSION_RULES.get(rule, {}).items():
            self.fields[f"parameters__{name}"] = forms.FloatField(
                label=PARAMETERS[name],
                required=False,
                widget=forms.NumberInput(attrs={"step": "any", "placeholder": f"{usual:g}"}),
            )

    @staticmethod
    def values_of(entry: Any) -> dict[str, Any]:
        values = RowForm.values_of(entry)
        whole = {n: int(v) for n, v in values.items() if isinstance(v, float) and v.is_integer()}
        return {"is_applied": True} | values | whole

    def entry(self) -> Any:
        entry = {"parameters": {}} | super().entry()
        return entry if entry.pop("is_applied") else None


class RulesField(RowsField):
    """Every rule that the analysis knows, those that are applied first."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(RuleRow, noun=lazy("Rule"), may_grow=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        applied = {entry["name"]: entry for entry in value if entry["name"] in RULES}
        rest = [{"name": name, "is_applied": False} for name in RULES if name not in applied]
        return [*applied.values(), *rest]

    def clean(self, value: Any) -> list[Any]:
        return [entry for entry in super().clean(value) if entry is not None]


class ClaimRow(LineRow):
    """A claim, stored as `indistinguishable:real_vs_ai`."""

    claim = forms.ChoiceField(
        label=lazy("Claim"), choices=[("", "–"), *((c, CLAIMS[c]) for c in constants.CLAIMS)]
    )
    contrast = forms.ChoiceField(
        label=lazy("Compared"), choices=list(CONTRASTS.items()), required=False
    )

    @staticmethod
    def values_of(entry: Any) -> dict[str, Any]:
        claim, _sign, contrast = entry.partition(":")
        return {"claim": claim, "contrast": contrast}

    def entry(self) -> Any:
        contrast = self.cleaned_data["contrast"]
        return self.cleaned_data["claim"] + (f":{contrast}" if contrast else "")


class EffectRow(ClaimRow):
    """A claim with the smallest effect that matters, stored as a pair of the two."""

    effect = forms.FloatField(
        label=lazy("Smallest effect"), widget=forms.NumberInput(attrs={"step": "any"})
    )

    @staticmethod
    def values_of(entry: Any) -> dict[str, Any]:
        claim, effect = entry
        return {**ClaimRow.values_of(claim), "effect": effect}

    def entry(self) -> Any:
        return super().entry(), self.cleaned_data["effect"]


def reasons_field(languages: list[str]) -> RowsField:
    """The reasons that a participant may give, with their words."""
    row = _row(
        "ReasonRow",
        LineRow,
        code=forms.CharField(label=lazy("Code"), max_length=50),
        **words_fields(lazy("Words"), languages),
    )
    return RowsField(
        row,
        label=lazy("Reasons offered"),
        noun=lazy("Reason"),
        add=lazy("Add a reason"),
        help_text=lazy("A code such as detail, and its words. None: no reasons are asked for."),
    )
