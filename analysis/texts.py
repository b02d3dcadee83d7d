"""Sentences for people, in the language of the report.

The modules that find something say it as a `Message`: an English template and its values.
`translator` turns it into a sentence at the very end. The catalogues are ordinary .po files,
read as they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import polib  # type: ignore[import-untyped]

LANGUAGES = ("en", "ja")
CATALOGUES = Path(__file__).parent / "locale"


@dataclass(frozen=True)
class Message:
    """An English template with the values that belong into it, already formatted or not."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.say(str)

    def say(self, translate: Callable[[str], str]) -> str:
        """The sentence, its values translated too where they are messages themselves."""
        values = {
            name: value.say(translate) if isinstance(value, Message) else value
            for name, value in self.values.items()
        }
        return translate(self.template).format(**values)


def marked(text: str) -> str:
    """The text itself: says that it stands in the catalogues although no `Message` is around it."""
    return text


@cache
def translator(language: str) -> Callable[[str], str]:
    """The function that translates a template; English and unknown texts stay as they are."""
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, found {language!r}")
    if language == "en":
        return str
    catalogue = polib.pofile(str(CATALOGUES / language / "LC_MESSAGES" / "analysis.po"))
    texts = {entry.msgid: entry.msgstr for entry in catalogue if entry.translated()}
    return lambda text: texts.get(text, text)
