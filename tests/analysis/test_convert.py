import json
from pathlib import Path

import pandas as pd
import pytest

from analysis import data
from analysis.__main__ import main
from analysis.checks import DataError
from analysis.convert import convert
from analysis.simulate import Truth, simulate

SHARED = Path(__file__).parents[3] / "shared" / "data"
SINGLE = """[columns]
participant_id = "who"
task = { value = "detect_single" }
stimulus_id = "image"
origin = { from = "truth", map = { fake = "ai", real = "real" } }
response = { from = "answer", map = { fake = "ai", real = "real", "" = "" } }
confidence = { from = "sure", scale = [1, 7] }
"""


def written(folder, name, content):
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def faults(mapping, source):
    with pytest.raises(DataError) as caught:
        convert(mapping, source)
    return [str(fault).split(": ", 1)[1] for fault in caught.value.faults]


LONG = "who,image,truth,answer,sure\np1,i1,fake,real,4\np1,i2,real,,\n"


def test_a_long_table_is_mapped_cell_by_cell(tmp_path):
    mapping, source = written(tmp_path, "m.toml", SINGLE), written(tmp_path, "t.csv", LONG)

    found = convert(mapping, source)

    assert found.to_dict("records") == [
        {
            "participant_id": "p1",
            "task": "detect_single",
            "stimulus_id": "i1",
            "origin": "ai",
            "response": "real",
            "confidence": "0.5",
        },
        {
            "participant_id": "p1",
            "task": "detect_single",
            "stimulus_id": "i2",
            "origin": "real",
            "response": "",
            "confidence": "",
        },
    ]


def test_a_spreadsheet_gives_the_same(tmp_path):
    mapping, source = written(tmp_path, "m.toml", SINGLE), written(tmp_path, "t.csv", LONG)
    table = pd.read_csv(source, dtype=str, keep_default_na=False)
    table.to_excel(tmp_path / "t.xlsx", index=False)

    pd.testing.assert_frame_equal(convert(mapping, tmp_path / "t.xlsx"), convert(mapping, source))


def test_jspsych_trials_of_several_participants_are_read_from_a_folder(tmp_path):
    mapping = written(
        tmp_path,
        "m.toml",
        """[where]
trial_type = "image-button-response"
[columns]
participant_id = "subject"
task = { value = "detect_single" }
origin = "data.origin"
response = { from = "response", map = { 0 = "real", 1 = "ai" } }
rt_ms = "rt"
""",
    )
    (tmp_path / "answers").mkdir()
    for person in ("p1", "p2"):
        trials = [
            {"trial_type": "html-keyboard-response", "subject": person, "rt": None},
            {
                "trial_type": "image-button-response",
                "subject": person,
                "rt": 812,
                "response": 1,
                "data": {"origin": "ai"},
            },
        ]
        written(tmp_path / "answers", f"{person}.json", json.dumps(trials))

    found = convert(mapping, tmp_path / "answers")

    assert found["participant_id"].tolist() == ["p1", "p2"]
    assert found["response"].tolist() == ["ai", "ai"]
    assert found["rt_ms"].astype(float).tolist() == [812, 812]


WIDE = r"""[wide]
pattern = 'q(?P<number>\d+)'
response = "choice"
[[lookup]]
file = "images.csv"
on = "number"
key = "#row"
[columns]
participant_id = "who"
task = { value = "prefer_pair" }
pair_id = "number"
left_origin = { from = "left", extract = '(real|ai)-' }
right_origin = { from = "right", extract = '(real|ai)-' }
left_stimulus_id = "left"
right_stimulus_id = "right"
response = { from = "choice", map = { A = "left", B = "right" } }
"""


def test_a_wide_table_is_joined_with_its_images(tmp_path):
    mapping = written(tmp_path, "m.toml", WIDE)
    written(tmp_path, "images.csv", "left,right\nreal-1.png,ai-1.png\nai-2.png,real-2.png\n")
    source = written(tmp_path, "t.csv", "who,q1,q2\np1,A,B\np2,B,\n")

    found = convert(mapping, source)

    assert found[["participant_id", "pair_id", "response"]].to_numpy().tolist() == [
        ["p1", "1", "left"],
        ["p2", "1", "right"],
        ["p1", "2", "right"],
        ["p2", "2", ""],
    ]
    assert found["left_origin"].tolist() == ["real", "real", "ai", "ai"]


def test_a_simulated_study_comes_back_from_a_wide_table(tmp_path):
    """What oTree and LimeSurvey export: a row a participant, a column a question."""
    table = simulate(Truth(participants=6, pairs=5, tasks=("prefer_pair",)))
    table["side"] = table["response"].map({"left": "A", "right": "B"})
    ai_left = table["left_origin"] == "ai"
    table["choice"] = table["side"].where(ai_left, table["side"].map({"A": "B", "B": "A"}))
    wide = table.pivot_table(
        index="participant_id", columns="pair_id", values="choice", aggfunc="first"
    ).add_prefix("player.1.")
    wide.reset_index().to_csv(tmp_path / "t.csv", index=False)
    mapping = written(
        tmp_path,
        "m.toml",
        r"""[wide]
pattern = 'player\.1\.(?P<pair>.+)'
response = "choice"
[columns]
participant_id = "participant_id"
task = { value = "prefer_pair" }
pair_id = "pair"
left_origin = { value = "ai" }
right_origin = { value = "real" }
response = { from = "choice", map = { A = "left", B = "right" } }
""",
    )

    assert main(["convert", str(mapping), str(tmp_path / "t.csv"), str(tmp_path / "o.csv")]) == 0

    found = data.load(tmp_path / "o.csv").trials
    expected = (table["choice"] == "A").groupby(table["participant_id"]).mean()
    shares = found.groupby("participant_id", observed=True)["chose_ai"].mean()
    assert shares.to_dict() == expected.to_dict()


def test_cells_that_the_mapping_does_not_know_are_named_once(tmp_path):
    mapping = written(tmp_path, "m.toml", SINGLE)
    source = written(tmp_path, "t.csv", LONG.replace("fake,real", "drawn,dunno").replace("4", "9"))

    assert faults(mapping, source) == [
        "row -, column origin: found 'drawn'; allowed: fake, real",
        "row -, column response: found 'dunno'; allowed: fake, real, ",
        "row -, column confidence: found '9'; allowed: a number from 1 to 7",
    ]


def test_a_default_takes_what_is_left_over(tmp_path):
    mapping = written(
        tmp_path, "m.toml", SINGLE.replace("scale = [1, 7]", 'scale = [1, 7], default = ""')
    )
    source = written(tmp_path, "t.csv", LONG.replace("4", "9"))

    assert convert(mapping, source)["confidence"].tolist() == ["", ""]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("[nonsense]\n", "column nonsense: found no such table"),
        ("[columns]\nshoe_size = 'x'\n", "column shoe_size: found no such column"),
        ("[columns]\ntask = {}\n", "column task: found {}"),
        ("[columns]\ntask = { from = 'a', value = 'b' }\n", "column task: found {'from'"),
        ("[columns]\ntask = { from = 'a', guess = 1 }\n", "column task: found guess"),
        ("[columns]\ntask = 'absent'\n", "column task: found no column absent in the source"),
        ("[wide]\n", "column wide: found 'pattern'"),
        ("[wide]\npattern = 'q(\\\\d'\nresponse = 'r'\n", "column wide: found "),
        ("[wide]\npattern = 'nothing'\nresponse = 'r'\n", "column wide: found no column"),
        ("[where]\nabsent = 'x'\n", "column where: found no column absent"),
        ("[[lookup]]\nfile = 't.csv'\n", "column lookup: found no on"),
        ("[[lookup]]\nfile = 't.csv'\non = 'x'\nkey = 'who'\n", "column lookup: found no column x"),
        ("[[lookup]]\nfile = 'n.csv'\non = 'who'\nkey = 'who'\n", "column -: found "),
        ("[columns", "column -: found "),
    ],
)
def test_a_faulty_mapping_is_refused(tmp_path, change, expected):
    mapping, source = written(tmp_path, "m.toml", change), written(tmp_path, "t.csv", LONG)

    found = faults(mapping, source)

    assert [fault[: len(f"row -, {expected}")] for fault in found] == [f"row -, {expected}"]


@pytest.mark.parametrize(
    ("name", "content"), [("t.txt", "x"), ("t.json", "{"), ("t.xlsx", "x"), ("t.csv", "")]
)
def test_an_unreadable_source_is_refused(tmp_path, name, content):
    mapping = written(tmp_path, "m.toml", SINGLE)

    assert len(faults(mapping, written(tmp_path, name, content))) == 1


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "answers").mkdir()

    assert faults(written(tmp_path, "m.toml", SINGLE), tmp_path / "answers") == [
        "row -, column -: found no file; allowed: .csv, .xlsx, .json"
    ]


def test_published_judgements_of_faces_are_reproduced(tmp_path):
    """Bray et al. (2023): 62.18 % correct, 20 of 100 images below chance."""
    source = SHARED / "bray2023_faces" / "eachresponse.csv"
    if not source.exists():
        pytest.skip("../shared/data is not here: it is other people's data and no part of this")
    mapping = written(
        tmp_path,
        "m.toml",
        """[columns]
participant_id = "participant"
task = { value = "detect_single" }
stimulus_id = "image"
origin = "truth"
response = "choice"
confidence = { from = "confidence", scale = [0, 10] }
""",
    )
    main(["convert", str(mapping), str(source), str(tmp_path / "t.csv")])

    trials = data.load(tmp_path / "t.csv").trials

    assert trials["correct"].mean() == pytest.approx(0.6218, abs=5e-5)
    below = trials.groupby("stimulus_id", observed=True)["correct"].mean() < 0.5
    assert (below.sum(), len(below)) == (20, 100)


def test_published_comparisons_of_edits_are_reproduced(tmp_path):
    """Dynavect: 60.3 % of 1,576 and 58.9 % of 1,571 comparisons won."""
    folder = SHARED / "dynavect_2afc"
    if not folder.exists():
        pytest.skip("../shared/data is not here: it is other people's data and no part of this")
    images = (folder / "dynavect-survey-images-final.csv").read_text(encoding="utf-8")
    written(tmp_path, "images.csv", images)
    mapping = written(
        tmp_path,
        "m.toml",
        r"""[wide]
pattern = 'Answer\.q(?P<number>\d+)'
response = "choice"
[[lookup]]
file = "images.csv"
on = "number"
key = "#row"
[columns]
participant_id = "participant"
task = { value = "prefer_pair" }
pair_id = "number"
left_origin = { value = "ai" }
right_origin = { value = "ai" }
left_generator = { from = "image_A_url", extract = 'method_(\w+)\.png' }
right_generator = { from = "image_B_url", extract = 'method_(\w+)\.png' }
response = { from = "choice", map = { A = "left", B = "right" } }
""",
    )

    table = convert(mapping, folder / "survey_deid.csv")

    table = table[table["response"] != ""]
    left = table["response"] == "left"
    winner = table["left_generator"].where(left, table["right_generator"])
    loser = table["right_generator"].where(left, table["left_generator"])
    for other, share, n in (("styleclip_g", 0.603, 1576), ("styleclip_o", 0.589, 1571)):
        won, lost = (winner == "ours") & (loser == other), (winner == other) & (loser == "ours")
        assert won.sum() + lost.sum() == n
        assert won.sum() / n == pytest.approx(share, abs=5e-4)
