"""The forms that participants fill in: consent, and the background questions of the study."""

import secrets
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from survey import attention, design

OWN_WORDS_MAX = 500


class ConsentForm(forms.Form):
    """Consent and age gate. The start key makes a repeated POST harmless.

    `website` is a field that people do not see; programs fill it in.
    """

    agree = forms.BooleanField(
        label=gettext_lazy("I have read this and I want to take part."),
        error_messages={"required": gettext_lazy("Please tick this box if you want to take part.")},
    )
    adult = forms.BooleanField()
    start_key = forms.RegexField(r"^[A-Za-z0-9_-]{20,64}$", widget=forms.HiddenInput)
    viewport = forms.RegexField(
        r"^\d{1,5}x\d{1,5}$", required=False, widget=forms.HiddenInput, max_length=20
    )
    opened = forms.CharField(required=False, widget=forms.HiddenInput)
    webdriver = forms.CharField(required=False, widget=forms.HiddenInput)
    website = forms.CharField(
        required=False,
        label=gettext_lazy("Leave this empty"),
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, minimum_age: int, **kwargs: Any) -> None:
        start_key = secrets.token_urlsafe(24)
        kwargs.setdefault("initial", {"start_key": start_key, "opened": attention.opened_now()})
        super().__init__(*args, **kwargs)
        adult = self.fields["adult"]
        adult.label = _("I am %(age)s years old or older.") % {"age": minimum_age}
        adult.error_messages["required"] = _(
            "You can take part from the age of %(age)s. Please tick this box to confirm your age."
        ) % {"age": minimum_age}

    def flags(self) -> list[str]:
        """What the form noticed of the way in."""
        values = self.cleaned_data
        return attention.on_entry(
            honeypot=values["website"], opened=values["opened"], webdriver=values["webdriver"]
        )


class BackgroundForm(forms.Form):
    """One field for each background question of the frozen design, skippable unless required."""

    def __init__(
        self, *args: Any, questions: tuple[design.Question, ...], language: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        for question in questions:
            field = _field(question, language)
            field.required = question.required
            field.label = question.texts.get(language) or next(iter(question.texts.values()))
            field.error_messages["required"] = _("Please answer this question.")
            self.fields[question.key] = field

    def answers(self) -> dict[str, Any]:
        """The cleaned answers; what was skipped is left out."""
        return {
            name: value for name, value in self.cleaned_data.items() if value not in (None, "", [])
        }


def _field(question: design.Question, language: str) -> forms.Field:
    choices = [
        (choice.value, choice.texts.get(language) or next(iter(choice.texts.values())))
        for choice in question.choices
    ]
    if question.kind in {"choice", "scale"}:
        return forms.ChoiceField(choices=choices, widget=forms.RadioSelect)
    if question.kind == "multiple":
        return forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple)
    if question.kind == "number":
        return forms.FloatField(widget=forms.NumberInput(attrs={"inputmode": "decimal"}))
    return forms.CharField(max_length=OWN_WORDS_MAX, widget=forms.TextInput)
