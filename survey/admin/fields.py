"""Form fields for what the design holds as lists and tables, so that nobody has to write JSON."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _

Text = str | Promise


class WordsField(forms.CharField):
    """A list, written with commas between its members (or, with `lines`, one a line)."""

    def __init__(
        self, *args: Any, kind: Callable[[str], Any] = str, lines: bool = False, **kwargs: Any
    ) -> None:
        self.kind, self.separator = kind, "\n" if lines else ","
        if lines:
            kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 3}))
        kwargs.setdefault("required", False)
        super().__init__(*args, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return (self.separator if self.separator == "\n" else ", ").join(map(_plain, value))
        return value

    def to_python(self, value: Any) -> list[Any]:
        text = value.replace("、", ",") if isinstance(value, str) else ""
        words = [word.strip() for word in text.split(self.separator)]
        try:
            return [self.kind(word) for word in words if word]
        except ValueError:
            raise ValidationError(_("Write numbers with commas between them.")) from None


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


class TextField(forms.CharField):
    """A text as it was written, but with the newlines of the design instead of the browser's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, strip=False, **kwargs)

    def to_python(self, value: Any) -> str:
        text = super().to_python(value).replace("\r\n", "\n")
        return text if text.strip() else ""


class SeveralField(forms.MultipleChoiceField):
    """Some of a few names, ticked; kept in the order in which they are offered."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        super().__init__(*args, **kwargs)

    def clean(self, value: Any) -> list[str]:
        chosen = super().clean(value)
        return [name for name, _label in self.choices if name in chosen]


def optional(label: Text, help_text: Text = "", **more: Any) -> forms.CharField:
    """A line that may stay empty."""
    return forms.CharField(label=label, help_text=help_text, required=False, **more)


def tick(label: Text, help_text: Text = "") -> forms.BooleanField:
    """A box that may stay empty."""
    return forms.BooleanField(label=label, help_text=help_text, required=False)
