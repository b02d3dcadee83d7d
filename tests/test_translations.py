"""The Japanese catalogue is complete, and its texts fit those of the code."""

import re

import polib
import pytest
from django.utils.translation import templatize

from tests.update_translations import CATALOGUE, Key, texts_of, wanted

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}|(?<!%)%[sd]")


@pytest.fixture(scope="module")
def catalogue() -> dict[Key, polib.POEntry]:
    """The Japanese entries by context and English text."""
    return {(entry.msgctxt, entry.msgid): entry for entry in polib.pofile(str(CATALOGUE))}


def translations(entry):
    """What an entry says in Japanese, which has one form for one and for many."""
    return [*entry.msgstr_plural.values()] if entry.msgid_plural else [entry.msgstr]


def test_extraction_finds_texts_of_code_and_templates():
    code = '_("one")\npgettext_lazy("kind", "two")\nngettext("%(n)s one", "%(n)s many", n)\n'
    page = templatize('{% load i18n %}{% translate "three" %}')
    assert [*texts_of(code), *texts_of(page)] == [
        ((None, "one"), ""),
        (("kind", "two"), ""),
        ((None, "%(n)s one"), "%(n)s many"),
        ((None, "three"), ""),
    ]


def test_every_text_is_in_the_japanese_catalogue(catalogue):
    missing = {key: files for key, (_plural, files) in wanted().items() if key not in catalogue}
    assert missing == {}, "run `uv run python -m tests.update_translations`, then translate"


def test_no_japanese_text_is_empty_or_doubtful(catalogue):
    entries = catalogue.values()
    assert [e.msgid for e in entries if e.fuzzy or not all(translations(e))] == []


def test_placeholders_agree(catalogue):
    different = [
        entry.msgid
        for entry in catalogue.values()
        for text in translations(entry)
        if set(PLACEHOLDER.findall(text))
        != set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
    ]
    assert different == []
