"""A study as a TOML file: exact round trip, every fault with its line, and the demo studies."""

import re
import tomllib

import pytest
from hypothesis import given

from survey.design import (
    DesignError,
    StudyFileError,
    TomlFault,
    dumps,
    faults,
    loads,
    shortage,
)
from survey.design.toml_lines import lines_of
from tests.design_samples import DEMO, demo_stimuli, examples, make_study, studies

DEMOS = sorted(path.stem for path in DEMO.glob("*.toml"))

SMALL = '''\
slug = "small"
languages = ["en"]

[texts.en]
title = "Pictures"
consent = """
You take part
freely."""
consent_version = "1"
debrief = 'Thank you.'

[[blocks]]  # the only one
key = "detection"
task = "detect_pair"
trials = 8

[blocks.texts.en]
instructions = "Look and choose."
'''


def read(name: str) -> str:
    return (DEMO / f"{name}.toml").read_text(encoding="utf-8")


def faults_of(text: str) -> list[str]:
    with pytest.raises(StudyFileError) as caught:
        loads(text)
    return [str(fault) for fault in caught.value.faults]


@examples
@given(studies())
def test_study_written_and_read_is_the_same(study):
    assert loads(dumps(study)) == study


def test_written_study_leaves_out_what_has_its_default():
    expected = SMALL.replace("  # the only one", "").replace("'Thank you.'", '"Thank you."')
    assert dumps(loads(SMALL)) == expected


@pytest.mark.parametrize("name", DEMOS)
def test_demo_study_written_and_read_is_the_same(name):
    study = loads(read(name))
    assert loads(dumps(study)) == study


def test_small_file_is_read():
    study = loads(SMALL)
    assert study.texts["en"]["consent"] == "You take part\nfreely."
    assert study.blocks[0].trials == 8


def test_every_fault_of_a_file_is_listed_with_its_line():
    text = (
        SMALL.replace("trials = 8", "trails = 8\nrepeat_share = 'half'")
        .replace('"detect_pair"', '"detect"')
        .replace('title = "Pictures"', 'title = ""')
        .replace('slug = "small"', 'slug = "Small"\nquota = 100')
    )
    assert faults_of(text) == [
        "line 1, slug: found 'Small'; allowed: lower-case letters and digits, joined by single"
        " hyphens (at most 50)",
        "line 2, quota: found 'quota'; allowed: a known name: slug, languages, texts, blocks,"
        " minimum_age, duration_minutes, conditions, block_order, share_stimuli, background,"
        " display_width, display_height, display_fit, allow_small_screens, exclusion_rules,"
        " analysis_plan, mode, fullscreen",
        "line 6, texts.en.title: found nothing; allowed: a text",
        "line 13, blocks[0].trials: found nothing; allowed: this must be given",
        "line 15, blocks[0].task: found 'detect'; allowed: detect_pair, prefer_pair,"
        " detect_single, rate_single",
        "line 16, blocks[0].trails: found 'trails'; allowed: a known name; did you mean trials?",
        "line 17, blocks[0].repeat_share: found 'half'; allowed: a number",
    ]


def test_faults_carry_line_place_found_and_allowed():
    with pytest.raises(StudyFileError) as caught:
        loads(SMALL.replace("trials = 8", "trials = 0"))
    assert caught.value.faults == [TomlFault(15, "blocks[0].trials", 0, "1 to 1000")]


def test_fault_of_syntax_names_its_line():
    assert faults_of(SMALL.replace("trials = 8", "trials = = 8")) == [
        "line 15: found 'trials = = 8'; allowed: TOML (Invalid value)"
    ]


def test_fault_of_syntax_at_the_end_names_the_last_line():
    found = faults_of(SMALL + "[blocks.texts.en")
    assert len(found) == 1
    assert found[0].startswith("line 19: found '[blocks.texts.en'; allowed: TOML (")


def test_empty_file_lists_what_must_be_given():
    places = [line.split(":")[0] for line in faults_of("")]
    assert places == [f"line 1, {name}" for name in ("slug", "languages", "texts", "blocks")]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a = 1\nb = 2", {"a": 1, "b": 2}),
        ("# first\n\na.b = 1\na.c = 2", {"a": 3, "a.b": 3, "a.c": 4}),
        ('a = """\n[x]\n"""\nb = 1', {"a": 1, "b": 4}),
        ("a = '''\n\"'\n'''\nb = '#'  # ]\nc = 1", {"a": 1, "b": 4, "c": 5}),
        ('a = """"x"""""\nb = 1', {"a": 1, "b": 2}),
        ('a = "\\"["\nb = 1', {"a": 1, "b": 2}),
        ("a = [\n  1,\n  # two\n  2,\n]\nb = 1.5", {"a": 1, "a[0]": 2, "a[1]": 4, "b": 6}),
        ("a = {b = 1, c = {d = 2}}", {"a": 1, "a.b": 1, "a.c": 1, "a.c.d": 1}),
        (
            "[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 1",
            {"a": 1, "a[0]": 1, "a[0].b": 2, "a[1]": 3, "a[1].c": 4, "a[1].c.d": 5},
        ),
        (
            "a = [\n  {b = 1},\n  {b = 2},\n]",
            {"a": 1, "a[0]": 2, "a[0].b": 2, "a[1]": 3, "a[1].b": 3},
        ),
        ('[\'x y\'."z"]\n"a:b" = 1', {"x y": 1, "x y.z": 1, "x y.z.a:b": 2}),
        ("a = 1979-05-27T07:32:00.5Z\r\nb = +1e-3\r\nc = inf", {"a": 1, "b": 2, "c": 3}),
    ],
)
def test_lines_of_names_the_line_of_every_place(text, lines):
    tomllib.loads(text)
    assert lines_of(text) == lines


@examples
@given(studies())
def test_lines_of_finds_every_block(study):
    text = dumps(study)
    headers = [i for i, line in enumerate(text.split("\n"), 1) if line == "[[blocks]]"]
    lines = lines_of(text)
    assert [lines[f"blocks[{i}]"] for i in range(len(study.blocks))] == headers


def test_demo_studies_are_the_five_that_are_promised():
    assert DEMOS == ["brief", "demo", "labels", "learn", "lu2023"]


@pytest.mark.parametrize("name", DEMOS)
def test_demo_study_runs_on_the_demo_stimuli(name):
    study = loads(read(name))
    assert study.slug == name
    assert study.languages == ("en", "ja")
    assert shortage(study, demo_stimuli()) == []


@pytest.mark.parametrize("name", ["demo", "brief"])
def test_nothing_before_the_detection_block_speaks_of_ai(name):
    study = loads(read(name))
    preference, detection = study.blocks
    speaks_of_ai = re.compile("AI|artificial|enhance|fake|人工知能|生成|加工")
    for language in study.languages:
        before = {k: v for k, v in study.texts[language].items() if k != "debrief"}
        said = [*before.values(), *preference.texts[language].values()]
        assert [text for text in said if speaks_of_ai.search(text)] == []
        assert speaks_of_ai.search(detection.texts[language]["prompt"])
        assert speaks_of_ai.search(study.texts[language]["debrief"])


def test_labels_study_has_a_fault_without_its_debrief():
    text = read("labels").replace("](withdraw)", "](elsewhere)")
    found = [line.split(":")[0] for line in faults_of(text)]
    assert [place.split(", ")[1] for place in found] == ["texts.en.debrief", "texts.ja.debrief"]


def test_demo_study_is_what_the_readme_promises():
    study = loads(read("demo"))
    preference, detection = study.blocks
    assert (preference.task, preference.trials) == ("prefer_pair", 16)
    assert (detection.task, detection.trials, detection.practice, detection.catch_trials) == (
        "detect_pair",
        16,
        1,
        1,
    )
    assert detection.texts["en"]["confidence_labels"] == [
        "Guessing",
        "A little",
        "Fairly",
        "Certain",
    ]
    assert len(study.background) == 6


def test_study_with_faults_is_refused_when_it_is_read_but_can_be_written():
    study = make_study()
    assert [fault.place for fault in faults(study)] == ["blocks"]
    with pytest.raises(DesignError):
        loads(dumps(study))
