import json
import subprocess
import sys

import pandas as pd
import pytest

from analysis.__main__ import main

COUNTS = {"participants", "planned", "answered", "analysed", "stimuli", "pairs", "sha256"}
ESTIMATE = {
    "question",
    "task",
    "subset",
    "term",
    "estimate",
    "low",
    "high",
    "level",
    "p",
    "n_participants",
    "n_stimuli",
    "n",
    "method",
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulated") / "trials.csv"
    sizes = ["--participants", "30", "--pairs", "12", "--enhanced", "0.5"]
    assert main(["simulate", "--out", str(path), *sizes]) == 0
    return path


@pytest.fixture(scope="module")
def folder(table):
    out = table.parent / "report"
    assert main(["report", str(table), "--out", str(out), "--include-simulated"]) == 0
    return out


def test_report_writes_page_results_tables_and_figures(folder):
    names = sorted(path.name for path in folder.iterdir())
    drawn = {path.suffix for path in (folder / "figures").iterdir()}

    assert names == ["figures", "report.html", "results.json", "tables"]
    assert drawn == {".svg", ".png"}


def test_results_json_has_the_keys_of_the_contract(folder):
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))

    assert list(results) == [
        "schema_version",
        "data",
        "settings",
        "exclusions",
        "estimates",
        "claims",
        "summaries",
        "warnings",
    ]
    assert results["schema_version"] == 1
    assert set(results["data"]) == COUNTS
    assert {frozenset(row) for row in results["estimates"]} == {frozenset(ESTIMATE)}
    assert {frozenset(row) for row in results["exclusions"]} == {
        frozenset({"rule", "participants", "trials"})
    }
    assert {frozenset(row) for row in results["claims"]} == {
        frozenset({"id", "verdict", "statement", "confirmatory", "basis", "basis_tasks"})
    }
    assert {frozenset(said) for said in results["summaries"]} == {
        frozenset({"question", "task", "subset", "sentences"})
    }


def test_results_agree_with_a_count_by_hand(folder, table):
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    trials = pd.read_csv(table, keep_default_na=False)
    rows = trials[(trials["task"] == "detect_pair")]
    rows = rows[(rows["left_origin"] == "ai") | (rows["right_origin"] == "ai")]
    ai_side = rows["left_origin"].map({"real": "right", "ai": "left"})
    by_hand = (rows["response"] == ai_side).mean()

    found = [
        row["estimate"]
        for row in results["estimates"]
        if (row["question"], row["subset"], row["term"], row["method"])
        == ("detectability", "contrast=real_vs_ai", "accuracy", "wilson")
    ]

    assert found == [pytest.approx(by_hand, abs=1e-12)]


def test_every_basis_of_a_claim_is_a_row_of_the_table(folder):
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    keys = [
        (f"{row['question']}/{row['subset']}/{row['term']}/{row['method']}", row["task"])
        for row in results["estimates"]
    ]
    bases = [
        key
        for claim in results["claims"]
        for key in zip(claim["basis"], claim["basis_tasks"], strict=True)
    ]

    assert [keys.count(basis) for basis in bases] == [1] * len(bases)
    assert len({claim["id"] for claim in results["claims"]}) == len(results["claims"])


def test_a_report_is_the_same_each_time(table, folder, tmp_path):
    main(["report", str(table), "--out", str(tmp_path / "again"), "--include-simulated"])

    for name in ("results.json", "report.html"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_a_report_on_simulated_data_says_so_on_every_page(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))

    assert page.count('<p class="simulated" role="note">') == 1
    assert "display: table-header-group" in page  # so that print repeats it on each page
    assert results["warnings"][0].startswith("This analysis includes simulated participants.")


def test_simulated_data_alone_are_refused_unless_asked_for(table, tmp_path, capsys):
    code = main(["report", str(table), "--out", str(tmp_path / "report")])

    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unusable_table_exits_with_2_and_a_line_a_fault_and_writes_nothing(tmp_path, capsys):
    path = tmp_path / "bad.csv"
    path.write_text(
        "participant_id,task,response,left_origin,right_origin\n"
        "p1,detect_pair,up,real,ai\n"
        "p2,detect_pair,left,real,drawn\n"
    )

    code = main(["report", str(path), "--out", str(tmp_path / "report")])

    assert code == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{path}: row 3, column right_origin: found 'drawn'; allowed: real, ai, enhanced",
        f"{path}: row 2, column response: found 'up'; allowed: left, right (detect_pair)",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["bad.csv"]


def test_validate_says_what_is_there(table, capsys):
    assert main(["validate", str(table)]) == 0
    assert capsys.readouterr().out == f"{table}: usable, 30 participants, 720 trials\n"


def test_validate_of_nothing_exits_with_2(tmp_path, capsys):
    assert main(["validate", str(tmp_path / "nothing.csv")]) == 2
    assert "nothing there" in capsys.readouterr().err


def test_the_module_runs_as_a_command(table):
    done = subprocess.run(
        [sys.executable, "-m", "analysis", "validate", str(table)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "option",
    [
        ["--sesoi", "indistinguishable"],
        ["--sesoi", "nonsense=0.1"],
        ["--sesoi", "beauty_features=0.1"],
        ["--alpha", "0.7"],
        ["--resamples", "5"],
    ],
)
def test_an_impossible_option_exits_with_2(table, tmp_path, capsys, option):
    out = ["--out", str(tmp_path / "report"), "--include-simulated"]

    assert main(["report", str(table), *out, *option]) == 2
    assert capsys.readouterr().err.startswith(option[0])
    assert list(tmp_path.iterdir()) == []


def test_power_is_dispatched(capsys):
    assert main(["power", "--participants", "100", "--items", "40"]) == 0
    assert capsys.readouterr().out != ""


def test_audit_of_nothing_exits_with_2(tmp_path, capsys):
    code = main(["audit", str(tmp_path), "--truth", str(tmp_path / "manifest.csv")])

    assert code == 2
    assert "manifest.csv" in capsys.readouterr().err


def test_a_command_that_is_not_known_exits_with_2():
    with pytest.raises(SystemExit) as caught:
        main(["guess"])

    assert caught.value.code == 2


def test_an_impossible_simulation_exits_with_2(tmp_path, capsys):
    code = main(["simulate", "--out", str(tmp_path / "t.csv"), "--accuracy", "2"])

    assert code == 2
    assert capsys.readouterr().err == "accuracy must lie between 0 and 1, found 2.0\n"


def test_a_preset_and_rules_shape_the_report(table, tmp_path):
    preset = {
        "claims": ["prefers_ai", "gut_reaction"],
        "alpha": 0.05,
        "stopping_rule": "30 participants",
        "exclusion_rules": [{"name": "duplicates"}],
    }
    (tmp_path / "preset.json").write_text(json.dumps(preset))
    (tmp_path / "rules.toml").write_text("[focus_loss]\n")
    out = tmp_path / "report"
    options = ["--preset", str(tmp_path / "preset.json"), "--rules", str(tmp_path / "rules.toml")]

    assert main(["report", str(table), "--out", str(out), "--include-simulated", *options]) == 0

    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    page = (out / "report.html").read_text(encoding="utf-8")
    assert results["settings"]["confirmatory"] == ["prefers_ai", "gut_reaction"]
    assert results["settings"]["rules"] == {"focus_loss": {"max_focus_lost_ms": 5000}}
    files = [results["settings"][name] for name in ("path", "preset", "rules_file")]
    assert files == [table.name, "preset.json", "rules.toml"]
    assert str(tmp_path) not in page  # nobody learns where the computer keeps them
    for text in (
        "The exclusion rules are not the planned ones.",
        "gut_reaction was planned and could not be tested.",
        "Planned stopping rule: 30 participants",
        "Exploratory: not preregistered",
    ):
        assert page.count(text) == 1


def test_a_second_report_replaces_the_first_and_leaves_other_files(table, tmp_path):
    out = tmp_path / "report"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "tables").mkdir()
    (out / "tables" / "old.csv").write_text("old")

    main(["report", str(table), "--out", str(out), "--include-simulated"])

    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "tables" / "old.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
