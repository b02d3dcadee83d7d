"""Lists of the design as rows of fields that can be added, moved and removed.

Without a script an empty row stands at the end, and a number and a tick move and remove a row;
static/survey/admin/rows.js puts buttons in their place.
"""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.formsets import (
    DELETION_FIELD_NAME,
    ORDERING_FIELD_NAME,
    BaseFormSet,
    formset_factory,
)
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as lazy

from survey import design
from survey.faults import in_words

Text = str | Promise
Placed = tuple[str, design.Fault]  # where a fault is within a form, and the fault
MARK = '<span class="fault"{} tabindex="-1">{}</span>'
TOOLS = (ORDERING_FIELD_NAME, DELETION_FIELD_NAME)


def mark_of(place: str) -> str:
    """The id of the mark of a fault, for links to it."""
    return f"fault-{place}"


class MarksFaults:
    """For forms: each fault of the design stands at the field that it is about."""

    fields: dict[str, forms.Field]

    def show_faults(self, faults: Iterable[design.Fault], prefix: str = "") -> None:
        """Mark the fields that the faults are about, however deep in a list these are."""
        self.show_placed([(fault.place.removeprefix(prefix), fault) for fault in faults])

    def show_placed(self, faults: Iterable[Placed]) -> None:
        """The same, with the place of each fault as it is called within this form.

        Links lead to the first of several faults at one place: an id stands once in a page.
        """
        marked: set[str] = set()
        for place, fault in faults:
            name = self.field_of(place)
            inside = place.removeprefix(name)
            field = self.fields.get(name)
            if isinstance(field, RowsField) and inside.startswith("["):
                field.widget.faults.append((inside, fault))
            elif field is not None:
                id_ = format_html(' id="{}"', mark_of(fault.place))
                mark = format_html(MARK, "" if fault.place in marked else id_, in_words(fault))
                marked.add(fault.place)
                field.help_text = format_html("{} {}", field.help_text, mark)

    def field_of(self, place: str) -> str:
        """The field of a place such as `texts.en.title` or `background[0].choices`.

        A table that has a field for each of its members is marked at the first empty one.
        """
        parts = [part for part in re.split(r"[.\[\]]+", place) if part]
        for size in range(len(parts), 0, -1):
            name = "__".join(parts[:size])
            if name in self.fields:
                return name
        members = [name for name in self.fields if name.startswith(f"{parts[0]}__")]
        empty = [name for name in members if not self._initial(name)]
        return next(iter([*empty, *members]), "")

    def _initial(self, name: str) -> Any:
        return self.get_initial_for_field(self.fields[name], name)  # type: ignore[attr-defined]


class RowForm(MarksFaults, forms.Form):
    """One entry of a list. A field `texts__en` holds the member `en` of the entry's `texts`."""

    heading: Text = ""
    layout = "box"  # or "long": not open among others; "line": under one head; "own-line"

    def __init__(self, *args: Any, initial: Any = None, **kwargs: Any) -> None:
        values = None if initial is None else self.values_of(initial)
        super().__init__(*args, initial=values, **kwargs)

    def has_changed(self) -> bool:
        """A place in the order alone makes no entry."""
        return bool(set(self.changed_data) - {ORDERING_FIELD_NAME})

    @property
    def is_spare(self) -> bool:
        """Whether this is the empty row in which a new entry may be written."""
        return self.empty_permitted and not (self.is_bound and self.has_changed())

    @staticmethod
    def values_of(entry: Any) -> dict[str, Any]:
        """The fields' values for an entry."""
        values: dict[str, Any] = {}
        for name, value in entry.items():
            inner = value if isinstance(value, dict) else {}
            values |= {f"{name}__{key}": member for key, member in inner.items()}
            values |= {} if isinstance(value, dict) else {name: value}
        return values

    def entry(self) -> Any:
        """The entry for the fields' values; what is empty is left out of its tables."""
        entry: dict[str, Any] = {}
        for name, value in self.cleaned_data.items():
            if name in TOOLS:
                continue
            table, _sign, key = name.partition("__")
            if not key:
                entry[table] = value
            elif value not in (None, ""):
                entry.setdefault(table, {})[key] = value
            else:
                entry.setdefault(table, {})
        return entry


class RowsWidget(forms.Widget):
    """The rows, with what adds, moves and removes them."""

    use_fieldset = True

    class Media:
        css = {"all": ["survey/admin/rows.css"]}
        js = [forms.Script("survey/admin/rows.js", type="module")]

    def __init__(self, formset: type[BaseFormSet], noun: Text, add: Text) -> None:
        super().__init__()
        self.formset, self.noun, self.add = formset, noun, add
        self.faults: list[Placed] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> "RowsWidget":
        copied = super().__deepcopy__(memo)
        copied.faults = []
        return copied

    @property
    def media(self) -> forms.Media:
        return forms.Media(self.Media) + self.formset().media  # type: ignore[no-any-return]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> BaseFormSet:
        return self.formset(data, prefix=name)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}-TOTAL_FORMS" not in data

    def id_for_label(self, id_: str) -> str:
        return ""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> Any:
        is_sent = isinstance(value, BaseFormSet)
        rows = value if is_sent else self.formset(initial=value or [], prefix=name)
        for index, form in enumerate([] if is_sent else rows.initial_forms):
            row = f"[{index}]."
            form.show_placed(
                [(at.removeprefix(row), fault) for at, fault in self.faults if at.startswith(row)]
            )
        context = {"rows": rows, "noun": self.noun, "add": self.add, "id": (attrs or {}).get("id")}
        return render_to_string("admin/rows.html", context)


class RowsField(forms.Field):
    """A list of entries, each a row of fields."""

    widget: RowsWidget
    default_error_messages = {"rows": lazy("Please correct what is marked in the rows.")}

    def __init__(
        self,
        row: type[RowForm],
        *,
        noun: Text,
        add: Text = "",
        may_grow: bool = True,
        **kwargs: Any,
    ) -> None:
        formset = formset_factory(row, extra=may_grow, can_order=True, can_delete=may_grow)
        widget = RowsWidget(formset, noun, add)
        super().__init__(required=False, widget=widget, **kwargs)

    def clean(self, value: BaseFormSet) -> list[Any]:
        if not value.is_valid():
            raise ValidationError(self.error_messages["rows"], code="rows")
        return [form.entry() for form in value.ordered_forms]

    def has_changed(self, initial: Any, data: BaseFormSet) -> bool:
        try:
            return self.clean(data) != list(initial or [])
        except ValidationError:
            return True
