import csv
import hashlib
import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from analysis import data, schema
from analysis.checks import DataError
from analysis.simulate import Truth, simulate, write

ALL_TASKS = Truth(participants=6, pairs=8, tasks=schema.TASKS, enhanced=0.5, unanswered=0.1)
HEADER = "participant_id,task,response,left_origin,right_origin,origin"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "trials.csv"
    write(simulate(ALL_TASKS), str(file))
    return file


def saved(folder, *lines, header=HEADER):
    file = folder / "t.csv"
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return file


def faults(file):
    with pytest.raises(DataError) as caught:
        data.load(file)
    return [str(fault).removeprefix(f"{file}: ") for fault in caught.value.faults]


def test_load_keeps_every_row_in_its_type(path):
    found = data.load(path)

    assert len(found.trials) == 6 * 8 * 4
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.trials["rt_ms"].dtype == float
    assert found.trials["is_simulated"].dtype == bool
    assert isinstance(found.trials["participant_id"].dtype, pd.CategoricalDtype)


def test_derived_columns_agree_with_the_schema_row_by_row(path):
    found = data.load(path).trials
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    by_pair = {row["pair_id"]: row["origin"] for row in rows if row["origin"] not in ("", "real")}
    as_number = {"true": 1.0, "false": 0.0, None: None}
    naive = [
        schema.derive({**row, "compared_with": by_pair.get(row["pair_id"], "ai")}) for row in rows
    ]

    def listed(name):
        return [None if pd.isna(value) else value for value in found[name].astype(object)]

    assert listed("correct") == [as_number[row["correct"]] for row in naive]
    assert listed("chose_ai") == [as_number[row["chose_ai"]] for row in naive]
    assert listed("contrast_generator") == [row["contrast_generator"] for row in naive]
    assert listed("contrast") == [row["contrast"] for row in naive]


def test_parquet_file_and_folder_and_data_set_give_the_same_trials(path, tmp_path):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    half = len(table) // 2
    (tmp_path / "parts").mkdir()
    table.to_parquet(tmp_path / "whole.parquet")
    table[:half].to_parquet(tmp_path / "parts" / "a.parquet")
    table[half:].to_parquet(tmp_path / "parts" / "b.parquet")
    inner = "data/study-s_description-trials_data.csv"
    (tmp_path / "set" / "data").mkdir(parents=True)
    (tmp_path / "set" / inner).write_bytes(path.read_bytes())
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr(f"study/{inner}", path.read_bytes())
        archive.writestr("study/data/study-s_description-stimuli_data.csv", "stimulus_id\ns1\n")

    expected = data.load(path).trials
    for name in ("whole.parquet", "parts", "set", "set.zip"):
        found = data.load(tmp_path / name)
        pd.testing.assert_frame_equal(found.trials, expected)
    assert found.stimuli is not None
    assert found.stimuli["stimulus_id"].tolist() == ["s1"]


def test_parquet_with_native_types_is_read_as_the_same_values(tmp_path):
    table = pd.DataFrame(
        {
            "participant_id": ["p1", "p2"],
            "task": ["rate_single"] * 2,
            "response": [4.0, 5.5],
            "origin": pd.Categorical(["real", "ai"]),
            "confidence": [0.25, np.nan],
            "trial_index": [0, 1],
            "is_simulated": [True, False],
        }
    )
    table.to_parquet(tmp_path / "native.parquet")

    found = data.load(tmp_path / "native.parquet").trials

    assert found["rating"].tolist() == [4.0, 5.5]
    assert found["is_simulated"].tolist() == [True, False]
    assert found["confidence"].isna().tolist() == [False, True]


def test_unknown_columns_are_kept(tmp_path):
    file = saved(tmp_path, "p1,detect_pair,left,real,ai,,7", header=HEADER + ",shoe_size")

    assert data.load(file).trials["shoe_size"].tolist() == ["7"]


def test_a_byte_order_mark_and_quoted_newlines_are_no_faults(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text(
        f'\ufeff{HEADER},note\np1,detect_pair,left,real,ai,,"two\nlines"\n', encoding="utf-8"
    )

    assert data.load(file).trials["note"].tolist() == ["two\nlines"]


def test_item_is_the_pair_or_the_two_stimuli_or_the_single_one(tmp_path):
    header = HEADER + ",pair_id,left_stimulus_id,right_stimulus_id,stimulus_id"
    file = saved(
        tmp_path,
        "p1,detect_pair,left,real,ai,,k1,a,b,",
        "p1,detect_pair,left,real,ai,,,b,a,",
        "p1,detect_pair,left,ai,real,,,a,b,",
        "p1,detect_single,ai,,,ai,k1,,,c",
        "p1,detect_pair,left,ai,real,,,,,",
        header=header,
    )

    items = data.load(file).trials["item"].astype(object)

    assert items[:4].tolist() == ["k1", "a + b", "a + b", "c"]
    assert items[4:].isna().tolist() == [True]


def test_a_real_single_stimulus_is_compared_with_what_is_shown_beside_it(tmp_path):
    only_enhanced = ["p1,detect_single,real,,,real,", "p1,detect_single,ai,,,enhanced,"]
    header = HEADER + ",pair_id"

    trials = data.load(saved(tmp_path, *only_enhanced, header=header)).trials

    assert trials["contrast"].tolist() == ["real_vs_enhanced"] * 2
    assert not trials["serves_every_contrast"].any()


def test_a_real_single_stimulus_without_a_pair_serves_every_contrast(tmp_path):
    file = saved(
        tmp_path,
        "p1,detect_single,real,,,real,k1",
        "p1,detect_single,ai,,,enhanced,k1",
        "p1,detect_single,real,,,real,",
        "p1,detect_single,ai,,,ai,",
        header=HEADER + ",pair_id",
    )

    trials = data.load(file).trials

    assert trials["contrast"].tolist()[:2] == ["real_vs_enhanced"] * 2
    assert trials["serves_every_contrast"].tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (",detect_pair,left,real,ai,", "row 2, column participant_id: found an empty cell"),
        ("p1,guess,left,real,ai,", "row 2, column task: found 'guess'"),
        ("p1,,left,real,ai,", "row 2, column task: found an empty cell"),
        ("p1,detect_pair,left,,ai,", "row 2, column left_origin: found an empty cell"),
        ("p1,detect_pair,left,real,,", "row 2, column right_origin: found an empty cell"),
        ("p1,detect_pair,left,drawn,ai,", "row 2, column left_origin: found 'drawn'"),
        ("p1,detect_single,ai,,,", "row 2, column origin: found an empty cell"),
        ("p1,detect_pair,tie,real,ai,", "row 2, column response: found 'tie'"),
        ("p1,prefer_pair,ai,real,ai,", "row 2, column response: found 'ai'"),
        ("p1,detect_single,left,,,ai", "row 2, column response: found 'left'"),
        ("p1,rate_single,good,,,ai", "row 2, column response: found 'good'"),
        ("p1,rate_single,inf,,,ai", "row 2, column response: found 'inf'"),
        ("p1,detect_pair,left,real", "row 2, column -: found 4 cells"),
    ],
)
def test_a_bad_cell_is_named_by_row_and_column(tmp_path, line, expected):
    found = faults(saved(tmp_path, line))

    assert [fault.split(";")[0] for fault in found] == [expected]


@pytest.mark.parametrize(
    ("column", "cell", "allowed"),
    [
        ("confidence", "1.5", "a number from 0 to 1"),
        ("confidence", "sure", "a number from 0 to 1"),
        ("confidence", "-0.5", "a number from 0 to 1"),
        ("rt_ms", "-20", "a number, at least 0"),
        ("exposure_ms", "0.5", "a whole number, at least 1"),
        ("trial_index", "1.5", "a whole number, at least 0"),
        ("kind", "test", "main, practice, catch, repeat"),
        ("disclosure", "none", "hidden, true_labels, false_labels"),
        ("is_simulated", "yes", "true, false"),
        ("answered_at", "yesterday", "an ISO 8601 time, such as 2026-01-31T12:00:00Z"),
        ("layout", "tilted", "side_by_side, stacked"),
    ],
)
def test_an_optional_column_is_checked_too(tmp_path, column, cell, allowed):
    file = saved(
        tmp_path,
        "p1,detect_pair,left,real,ai,,",
        f"p1,detect_pair,left,real,ai,,{cell}",
        header=f"{HEADER},{column}",
    )

    assert faults(file) == [f"row 3, column {column}: found {cell!r}; allowed: {allowed}"]


def test_every_fault_is_listed(tmp_path):
    lines = ["p1,detect_pair,up,real,ai,", "p1,detect_pair,left,real,drawn,"] * 50

    assert len(faults(saved(tmp_path, *lines))) == 100


@pytest.mark.parametrize(
    ("header", "line", "missing"),
    [
        ("task,response", "detect_pair,left", ["participant_id", "left_origin", "right_origin"]),
        ("participant_id,response", "p1,left", ["task"]),
        ("participant_id,task,response", "p1,rate_single,3", ["origin"]),
        ("participant_id,task", "p1,", ["response"]),
    ],
)
def test_a_missing_column_is_named(tmp_path, header, line, missing):
    found = faults(saved(tmp_path, line, header=header))

    assert [fault.split(":")[0] for fault in found if "no such column" in fault] == [
        f"row 1, column {name}" for name in missing
    ]


def test_a_repeated_row_id_is_a_fault(tmp_path):
    line = "p1,detect_pair,left,real,ai,,r1"

    assert faults(saved(tmp_path, line, line, header=HEADER + ",row_id")) == [
        "row 3, column row_id: found 'r1' again; allowed: each row_id once"
    ]


def test_a_repeated_column_is_a_fault(tmp_path):
    assert faults(saved(tmp_path, "a,b", header="task,task")) == [
        "row 1, column task: found the name twice; allowed: once"
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("t.csv", b"", "row 1, column -: found an empty file; allowed: a header and rows"),
        ("t.csv", HEADER.encode(), "row -, column -: found no rows; allowed: at least one trial"),
        ("t.txt", b"x", "row -, column -: found a file of type .txt; allowed: .csv, .parquet"),
        ("t.zip", b"x", "row -, column -: found a damaged file; allowed: a ZIP archive"),
        ("t.parquet", b"x", "row -, column -: found "),
        ("t.csv", HEADER.encode() + b"\np1,detect_pair,left,real,ai,\xff\n", "row -, column -: "),
    ],
)
def test_an_unreadable_file_is_a_fault(tmp_path, name, content, expected):
    file = tmp_path / name
    file.write_bytes(content)

    found = faults(file)

    assert [fault[: len(expected)] for fault in found] == [expected]


def test_a_path_that_leads_nowhere_is_a_fault(tmp_path):
    assert faults(tmp_path / "nothing") == [
        "row -, column -: found nothing there; allowed: a file or folder"
    ]


def test_a_folder_without_trials_is_a_fault(tmp_path):
    assert faults(tmp_path)[0].startswith("row -, column -: found no trials table")


def warnings(file):
    return [str(message) for message in data.load(file).warnings]


def test_minus_one_is_read_as_missing_and_reported(tmp_path):
    file = saved(
        tmp_path,
        "p1,detect_pair,left,real,ai,,-1",
        "p2,detect_pair,left,real,ai,,0.5",
        header=HEADER + ",confidence",
    )

    found = data.load(file)

    assert found.trials["confidence"].isna().tolist() == [True, False]
    assert "confidence: 1 cells hold -1. They were read as missing." in map(str, found.warnings)


def test_a_rating_of_minus_one_is_missing_unless_the_scale_goes_below_zero(tmp_path):
    coded = data.load(saved(tmp_path, "p1,rate_single,-1,,,ai", "p1,rate_single,3,,,ai")).trials
    signed = data.load(saved(tmp_path, "p1,rate_single,-1,,,ai", "p1,rate_single,-3,,,ai")).trials

    assert coded["rating"].isna().tolist() == [True, False]
    assert coded["response"].isna().tolist() == [True, False]
    assert signed["rating"].tolist() == [-1.0, -3.0]


def test_empty_cells_are_counted(tmp_path):
    file = saved(
        tmp_path,
        "p1,detect_pair,left,real,ai,,k1",
        "p1,detect_pair,right,real,ai,,",
        header=HEADER + ",pair_id",
    )

    assert warnings(file) == ["pair_id is empty in 1 of 2 answered trials."]


def test_confidence_is_not_missed_in_a_task_that_does_not_ask_for_it(tmp_path):
    file = saved(
        tmp_path,
        "p1,detect_pair,left,real,ai,,0.5",
        "p1,prefer_pair,left,real,ai,,",
        header=HEADER + ",confidence",
    )

    assert warnings(file) == []


def test_a_repeated_item_is_noticed_unless_it_is_marked_as_a_repeat(tmp_path):
    header = HEADER + ",pair_id,kind"
    lines = ["p1,detect_pair,left,real,ai,,k1,main", "p1,prefer_pair,left,real,ai,,k1,main"]
    marked = saved(tmp_path, *lines, "p1,detect_pair,left,ai,real,,k1,repeat", header=header)
    assert warnings(marked) == []

    unmarked = saved(tmp_path, *lines, "p1,detect_pair,left,ai,real,,k1,main", header=header)
    assert warnings(unmarked) == [
        "1 trials show a participant what he or she had already seen in the same task, although "
        "they are not marked as repeats."
    ]


def test_a_slider_that_was_left_alone_is_noticed(tmp_path):
    moved = [f"p1,rate_single,{value},,,ai" for value in range(1, 41)]
    left = ["p1,rate_single,50,,,ai"] * 20

    assert warnings(saved(tmp_path, *moved)) == []
    assert warnings(saved(tmp_path, *moved, *left)) == [
        "rating: 33% of the responses are exactly 50. The slider may have been left untouched."
    ]
