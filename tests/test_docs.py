"""The worked examples of the docs: every command runs and says what the page says."""

import re
import runpy
import shlex
from pathlib import Path

from analysis.__main__ import main

PAGE = Path(__file__).parents[1] / "docs" / "examples.md"
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = ["uv", "run", "python"]


def run(command):
    """One line of the page, in this process: `uv` would look for the project in the new folder."""
    words = shlex.split(command)
    if words[0] == "mkdir":
        Path(words[-1]).mkdir(parents=True)
    elif words[:5] == [*OURS, "-m", "analysis"]:
        assert main(words[5:]) == 0
    elif words[:3] == OURS and len(words) == 4:
        runpy.run_path(words[3])
    else:
        raise ValueError(f"the page has a command that this test does not know: {command}")


def test_examples_print_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    printed, compared = "", 0

    for language, name, content in blocks:
        if name:
            Path(name).write_text(content, encoding="utf-8")
        elif language == "sh":
            for command in content.splitlines():
                run(command)
            printed = capsys.readouterr().out
        else:
            compared += 1
            assert printed == content

    assert compared == 5
