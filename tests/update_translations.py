"""Bring the Japanese catalogue up to date: `uv run python -m tests.update_translations`.

New texts come in without a translation and are listed; texts that are gone are taken out.
Nothing is guessed. Unlike `makemessages` it needs no gettext tools.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import django
import polib
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from django.utils.translation import templatize

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "survey" / "locale" / "ja" / "LC_MESSAGES" / "django.po"
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "lazy": None,
    "Message": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}

Key = tuple[str | None, str]


def sources() -> Iterator[tuple[str, str]]:
    """Every file that may hold texts, as Python that the extractor reads."""
    for path in sorted((ROOT / "templates").rglob("*.html")):
        name = path.relative_to(ROOT).as_posix()
        yield name, templatize(path.read_text(encoding="utf-8"), origin=name)
    for path in sorted((ROOT / "survey").rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def texts_of(source: str) -> Iterator[tuple[Key, str]]:
    """The texts for translation in one source: (context, text) and the plural, if there is one."""
    code = io.BytesIO(source.encode())
    options = {"encoding": "utf-8"}
    for _line, message, _comments, context in extract("python", code, KEYWORDS, options=options):
        text, plural = message[:2] if isinstance(message, tuple) else (message, "")
        yield (context, text), plural


def wanted() -> dict[Key, tuple[str, list[str]]]:
    """Every text of the project, with its plural and the files in which it occurs."""
    found: dict[Key, tuple[str, list[str]]] = {}
    for name, source in sources():
        for key, plural in texts_of(source):
            files = found.setdefault(key, (plural, []))[1]
            if name not in files:
                files.append(name)
    return found


def entry_for(key: Key, plural: str, files: list[str], old: polib.POEntry | None) -> polib.POEntry:
    """The catalogue's entry for a text, with the translation that it had."""
    context, text = key
    entry = polib.POEntry(msgctxt=context, msgid=text, occurrences=[(name, "") for name in files])
    if "%(" in text + plural:
        entry.flags.append("python-format")
    if plural:
        entry.msgid_plural = plural
        entry.msgstr_plural = dict(old.msgstr_plural) if old and old.msgstr_plural else {0: ""}
    elif old:
        entry.msgstr = old.msgstr
    return entry


def update(path: Path = CATALOGUE) -> list[str]:
    """Rewrite the catalogue; returns the texts that have no translation yet."""
    old = polib.pofile(str(path))
    known = {(entry.msgctxt, entry.msgid): entry for entry in old if not entry.fuzzy}
    new = polib.POFile(wrapwidth=100)
    new.header, new.metadata = old.header, old.metadata
    new.extend(entry_for(key, *more, known.get(key)) for key, more in wanted().items())
    new.save(str(path))
    return [entry.msgid for entry in new.untranslated_entries()]


if __name__ == "__main__":
    from django.conf import settings

    settings.configure(USE_I18N=True)
    django.setup()
    print("\n".join(update()) or "The Japanese catalogue is complete.")
