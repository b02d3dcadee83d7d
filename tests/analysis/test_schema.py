import subprocess
import sys

import pytest

from analysis import schema

CONTRACT_ORDER = [
    "row_id",
    "study_id",
    "design_hash",
    "participant_id",
    "condition",
    "block",
    "trial_index",
    "kind",
    "repeat_of",
    "task",
    "question",
    "pair_id",
    "left_stimulus_id",
    "right_stimulus_id",
    "left_origin",
    "right_origin",
    "stimulus_id",
    "origin",
    "left_generator",
    "right_generator",
    "generator",
    "category",
    "enhancement_level",
    "exposure_ms",
    "disclosure",
    "response",
    "confidence",
    "reason",
    "rt_ms",
    "server_elapsed_ms",
    "shown_ms",
    "frame_ms",
    "study_version",
    "language",
    "mode",
    "flags",
    "input_device",
    "layout",
    "viewport_w",
    "viewport_h",
    "dpr",
    "shown_w",
    "shown_h",
    "images_loaded_ms",
    "focus_lost_ms",
    "answered_at",
    "is_simulated",
]


def test_columns_are_those_of_the_contract_in_its_order():
    assert [column.name for column in schema.COLUMNS] == CONTRACT_ORDER
    assert [column.name for column in schema.DERIVED] == [
        "contrast",
        "contrast_generator",
        "correct",
        "chose_ai",
    ]


def test_columns_name_their_unit_when_the_name_does():
    in_ms = [column for column in schema.COLUMNS if column.name.endswith("_ms")]

    assert {column.unit for column in in_ms} == {"ms"}
    assert all(column.meaning for column in schema.COLUMNS + schema.DERIVED)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("real", "ai", "real_vs_ai"),
        ("ai", "real", "real_vs_ai"),
        ("enhanced", "real", "real_vs_enhanced"),
        ("ai", "enhanced", "enhanced_vs_ai"),
        ("ai", "ai", "ai_vs_ai"),
        ("real", "", None),
        ("real", "drawn", None),
    ],
)
def test_contrast_of_a_pair_puts_the_real_one_first(left, right, expected):
    assert schema.contrast("prefer_pair", left_origin=left, right_origin=right) == expected


@pytest.mark.parametrize(
    ("origin", "compared_with", "expected"),
    [
        ("ai", "", "real_vs_ai"),
        ("enhanced", "ai", "real_vs_enhanced"),
        ("real", "", "real_vs_ai"),
        ("real", "enhanced", "real_vs_enhanced"),
        ("", "", None),
    ],
)
def test_contrast_of_a_single_stimulus_is_what_it_is_compared_with(origin, compared_with, expected):
    found = schema.contrast("rate_single", origin=origin, compared_with=compared_with)

    assert found == expected


def test_contrast_of_an_unknown_task_is_none():
    assert schema.contrast("name_it", left_origin="real", right_origin="ai") is None


def test_contrast_generator_is_that_of_the_side_that_is_not_real():
    names = {"left_generator": "g1", "right_generator": "g2"}

    def of(left: str, right: str) -> str | None:
        return schema.contrast_generator(
            "detect_pair", left_origin=left, right_origin=right, **names
        )

    assert (of("ai", "real"), of("real", "ai"), of("ai", "ai")) == ("g1", "g2", None)
    assert schema.contrast_generator("detect_single", generator="g3") == "g3"
    assert schema.contrast_generator("detect_single", generator="") is None


@pytest.mark.parametrize(
    ("left", "right", "response", "expected"),
    [
        ("real", "ai", "right", True),
        ("real", "ai", "left", False),
        ("enhanced", "real", "left", True),
        ("ai", "ai", "left", None),
        ("ai", "enhanced", "left", None),
        ("real", "ai", "", None),
        ("real", "ai", "tie", None),
    ],
)
def test_correct_in_a_pair_means_that_the_ai_side_was_named(left, right, response, expected):
    found = schema.correct("detect_pair", response, left_origin=left, right_origin=right)

    assert found is expected


@pytest.mark.parametrize(
    ("origin", "response", "expected"),
    [
        ("real", "real", True),
        ("real", "ai", False),
        ("ai", "ai", True),
        ("enhanced", "ai", True),
        ("enhanced", "real", False),
        ("ai", "", None),
        ("", "ai", None),
    ],
)
def test_correct_for_a_single_stimulus_counts_enhanced_as_ai(origin, response, expected):
    assert schema.correct("detect_single", response, origin=origin) is expected


def test_correct_is_none_for_what_is_not_detected():
    assert schema.correct("prefer_pair", "left", left_origin="real", right_origin="ai") is None
    assert schema.correct("rate_single", "4", origin="ai") is None


@pytest.mark.parametrize(
    ("left", "right", "response", "expected"),
    [
        ("real", "ai", "right", True),
        ("real", "enhanced", "left", False),
        ("real", "ai", "tie", None),
        ("ai", "ai", "left", None),
        ("real", "real", "left", None),
    ],
)
def test_chose_ai_is_about_one_real_and_one_that_is_not(left, right, response, expected):
    found = schema.chose_ai("prefer_pair", response, left_origin=left, right_origin=right)

    assert found is expected


def test_chose_ai_is_none_in_detection():
    assert schema.chose_ai("detect_pair", "left", left_origin="ai", right_origin="real") is None


def test_derive_writes_text_and_none():
    row = {
        "task": "prefer_pair",
        "response": "left",
        "left_origin": "ai",
        "right_origin": "real",
        "left_generator": "g1",
        "right_generator": None,
    }

    assert schema.derive(row) == {
        "contrast": "real_vs_ai",
        "contrast_generator": "g1",
        "correct": None,
        "chose_ai": "true",
    }


def test_derive_uses_what_a_real_stimulus_is_compared_with():
    row = {"task": "detect_single", "response": "ai", "origin": "real"}

    assert schema.derive({**row, "compared_with": "enhanced"})["contrast"] == "real_vs_enhanced"
    assert schema.derive(row) == {
        "contrast": "real_vs_ai",
        "contrast_generator": None,
        "correct": "false",
        "chose_ai": None,
    }


def test_schema_and_binomial_import_only_the_standard_library():
    code = (
        "import sys, analysis.schema, analysis.binomial\n"
        "print([n for n in ('numpy', 'scipy', 'pandas', 'django') if n in sys.modules])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout == "[]\n"
