"""Form fields for what the design holds as lists and tables, so that nobody has to write JSON."""

import tomllib
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from survey import design
from survey.design import serial
from survey.design.toml_lines import lines_of


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


class TableField(forms.CharField):
    """A table, written as lines of `name = value`."""

    def __init__(self, *args: Any, kind: Callable[[str], Any] = str, **kwargs: Any) -> None:
        self.kind = kind
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 3}))
        kwargs.setdefault("required", False)
        super().__init__(*args, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return "\n".join(f"{name} = {_plain(member)}" for name, member in value.items())
        return value

    def to_python(self, value: Any) -> dict[str, Any]:
        table = {}
        for number, line in enumerate((value or "").splitlines(), start=1):
            if not line.strip():
                continue
            name, sign, member = (part.strip() for part in line.partition("="))
            try:
                if not (name and sign and member):
                    raise ValueError(line)
                table[name] = self.kind(member)
            except ValueError:
                message = _("Line %(number)s is not of the form name = value.")
                raise ValidationError(message % {"number": number}) from None
        return table


#: A study without anything, around a part of one.
_BARE: dict[str, Any] = {"slug": "bare", "languages": [], "texts": {}, "blocks": []}


class TomlField(forms.CharField):
    """A list of tables of the design, as in a study file; every fault with its line."""

    def __init__(self, part: str, *args: Any, **kwargs: Any) -> None:
        self.part = part
        attrs = {"rows": 12, "class": "toml", "spellcheck": "false"}
        kwargs.setdefault("widget", forms.Textarea(attrs=attrs))
        kwargs.setdefault("required", False)
        super().__init__(*args, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        text = design.dumps(design.from_dict({**_BARE, self.part: value}))
        start = text.find("[[")
        return text[start:] if start >= 0 else ""

    def to_python(self, value: Any) -> list[Any]:
        text = value or ""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValidationError(_("This is no TOML: %(error)s") % {"error": error}) from None
        if data.keys() - {self.part}:
            message = _("Begin each entry with [[%(part)s]].")
            raise ValidationError(message % {"part": self.part})
        found: list[design.Fault] = []
        study = serial.read({**_BARE, **data}, found)
        if found:
            raise ValidationError([_with_line(text, fault) for fault in found])
        return design.to_dict(study)[self.part]


def _with_line(text: str, fault: design.Fault) -> str:
    line = lines_of(text).get(fault.place, 1)
    return _("Line %(line)s: %(fault)s") % {"line": line, "fault": fault}
