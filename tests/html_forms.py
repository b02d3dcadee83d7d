"""What a browser without scripts would send of a form, if nothing in it were changed."""

from html.parser import HTMLParser

Values = dict[str, str | list[str]]


class _Reader(HTMLParser):
    """Collects the controls of one form by their names; those in a <template> are no part of it."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.values = form, {}
        self.is_inside, self.templates = False, 0
        self.text_of = self.select = self.first = None

    def handle_starttag(self, tag, attributes):
        one = dict(attributes)
        self.is_inside |= tag == "form" and one.get("id") == self.form
        self.templates += tag == "template"
        if not self.is_inside or self.templates:
            return
        kind = one.get("type", "text")
        if tag == "input" and (kind not in ("checkbox", "radio") or "checked" in one):
            if kind not in ("submit", "button", "file"):
                self._add(one.get("name"), one.get("value", "on" if kind == "checkbox" else ""))
        elif tag == "textarea":
            self.text_of = one["name"]
            self._add(self.text_of, "")
        elif tag == "select":
            self.select, self.first = one["name"], None
        elif tag == "option" and self.select:
            self.first = one["value"] if self.first is None else self.first
            if "selected" in one:
                self._add(self.select, one["value"])

    def handle_endtag(self, tag):
        self.is_inside &= tag != "form"
        self.templates -= tag == "template"
        if tag == "textarea":
            self.text_of = None
        if tag == "select" and self.select:
            if self.select not in self.values and self.first is not None:
                self._add(self.select, self.first)
            self.select = None

    def handle_data(self, data):
        if self.text_of and not self.templates:
            text = data.removeprefix("\n") if not self.values[self.text_of] else data
            self.values[self.text_of] += text.replace("\n", "\r\n")

    def _add(self, name, value):
        if name in self.values:
            before = self.values[name]
            self.values[name] = [*(before if isinstance(before, list) else [before]), value]
        elif name:
            self.values[name] = value


def sent(page: str, form: str) -> Values:
    """The values of the form with that id."""
    reader = _Reader(form)
    reader.feed(page)
    return reader.values
