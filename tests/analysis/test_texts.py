import ast
import re
from pathlib import Path

import polib
import pytest

from analysis import labels
from analysis.exclusions import RULES
from analysis.texts import CATALOGUES, Message, translator

ANALYSIS = Path(labels.__file__).parent
ENGLISH_ONLY = {"simulate.py"}


def templates():
    """Every text for people in the package: in messages, marked, in pages, in tables of names."""
    found = {rule.meaning for rule in RULES.values()}
    for file in ANALYSIS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("Message", "marked")
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(node.args[0].value)
    for file in (ANALYSIS / "templates").glob("*.html"):
        text = file.read_text(encoding="utf-8")
        found |= {a or b for a, b in re.findall(r"""_\("([^"]+)"\)|_\('([^']+)'\)""", text)}
    for name in ("CONTRASTS", "TASKS", "VERDICTS", "CLAIMS", "FEATURES", "QUESTIONS", "FACTORS"):
        found |= set(getattr(labels, name).values())
    return sorted(found - {""})


@pytest.fixture(scope="module")
def catalogue():
    return polib.pofile(str(CATALOGUES / "ja" / "LC_MESSAGES" / "analysis.po"))


def test_every_text_is_translated_and_no_other(catalogue):
    translated = sorted(entry.msgid for entry in catalogue if entry.translated())

    assert translated == templates()


def test_translations_use_the_same_values(catalogue):
    def fields(text):
        return sorted(re.findall(r"\{[^}]*\}", text))

    different = [e.msgid for e in catalogue if set(fields(e.msgid)) != set(fields(e.msgstr))]

    assert different == []


def test_a_message_says_its_values_in_the_language_too():
    message = Message("{first}, {second}", {"first": Message("symmetry"), "second": 3})

    assert str(message) == "symmetry, 3"
    assert message.say(translator("ja")) == "対称性・3"


def test_an_unknown_language_is_refused():
    with pytest.raises(ValueError, match="language must be one of en, ja"):
        translator("fr")
