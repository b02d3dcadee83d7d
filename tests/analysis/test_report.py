import html
import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from analysis import answers, data, page, paragraphs, report
from analysis.checks import DataError
from analysis.plan import Plan
from analysis.simulate import Truth, simulate, write
from analysis.texts import LANGUAGES, Message

TRUTH = Truth(
    participants=24,
    pairs=12,
    tasks=("prefer_pair", "detect_pair", "detect_single", "rate_single"),
    enhanced=0.5,
    unanswered=0.05,
)
SETTINGS = {"path": "trials.csv", "sesoi": {"prefers_ai": 0.05}, "preset": None}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "trials.csv"
    write(simulate(TRUTH), str(path))
    return answers.analyse(data.load(path), Plan(resamples=100), include_simulated=True)


@pytest.fixture(scope="module", params=LANGUAGES)
def written(request, found, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "out"
    report.write(found, folder, request.param, SETTINGS)
    return folder, request.param


class Page(HTMLParser):
    """Tags that are open and attributes that lead elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.ids = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v[0] != "#"]
        self.ids += [value for key, value in attrs if key == "id"]


def test_the_page_needs_nothing_else_and_no_script(written):
    parsed = Page((written[0] / "report.html").read_text(encoding="utf-8"))

    assert (parsed.links, parsed.tags.count("script"), parsed.tags.count("img")) == ([], 0, 0)


def test_ids_are_unique_across_the_figures(written):
    ids = Page((written[0] / "report.html").read_text(encoding="utf-8")).ids

    assert len(ids) == len(set(ids))


def test_the_page_says_every_verdict_and_warning(written, found):
    folder, language = written
    text = html.unescape((folder / "report.html").read_text(encoding="utf-8"))
    say = page.translator(language)

    for message in [claim.statement for claim in found.claims] + found.warnings:
        assert text.count(page.typeset(message.say(say))) >= 1


def test_no_value_is_left_unfilled(written):
    text = (written[0] / "report.html").read_text(encoding="utf-8")
    body = re.sub(r"<svg.*?</svg>", "", text[text.index("<body>") :], flags=re.S)

    assert re.findall(r"\{[a-z_]+[:}]", body) == []
    assert re.findall(r"\bnan\b|\bNone\b", body) == []


def test_the_japanese_page_is_japanese(found, tmp_path):
    report.write(found, tmp_path / "out", "ja", SETTINGS)

    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    assert text.count('<html lang="ja">') == 1
    assert [h for h in re.findall(r"<h[123][^>]*>([^<]*)</h", text) if h.isascii()] == []


def test_figures_are_in_the_page_and_in_the_folder(written, found):
    folder, _ = written
    names = {"flow", *(p.name for finding in found.findings for p in finding.pictures)}

    files = {path.name for path in (folder / "figures").iterdir()}
    text = (folder / "report.html").read_text(encoding="utf-8")

    assert files == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    assert all(text.count(f'id="{name}-figure_1"') == 1 for name in names)


def test_tables_hold_every_estimate_with_adjusted_p_values(written, found):
    table = pd.read_csv(written[0] / "tables" / "detectability.csv")
    (finding,) = [f for f in found.findings if f.question == "detectability"]

    assert table["estimate"].tolist() == [row.estimate for row in finding.results]
    tested = table["p"].notna()
    assert (table.loc[tested, "p_adjusted"] >= table.loc[tested, "p"]).all()
    assert table.loc[~tested, "p_adjusted"].isna().all()


def test_the_flow_of_exclusions_sums(found):
    counts = found.counts()
    steps = report.results_json(found, "en", SETTINGS)["exclusions"]

    assert counts["planned"] - sum(step["trials"] for step in steps) == counts["analysed"]
    assert counts["answered"] == counts["analysed"] < counts["planned"]


def test_counts_are_those_of_the_table(found):
    counts = found.counts()

    assert (counts["participants"], counts["planned"]) == (24, 24 * 12 * 4)
    assert (counts["stimuli"], counts["pairs"]) == (24, 12)


def test_every_claim_of_each_contrast_is_judged(found):
    tested = {claim.id for claim in found.claims if claim.verdict != "not_tested"}

    assert tested == {
        f"{claim}:{contrast}{task}"
        for contrast in ("real_vs_ai", "real_vs_enhanced")
        for claim, task in (
            ("indistinguishable", ""),
            ("indistinguishable", ":detect_single"),
            ("prefers_ai", ""),
            ("more_appealing", ""),
            ("calibrated", ""),
            ("calibrated", ":detect_single"),
        )
    }


def test_the_methods_name_every_test_of_the_family(found):
    """Both contrasts; accuracy in pairs and not in single images too, no equivalence of joint."""
    text = " ".join(str(sentence) for sentence in paragraphs.methods(found))

    family = [claim for claim in found.claims if claim.confirmatory]
    joint = [claim for claim in family if claim.id.startswith("generator_gap")]
    said = re.search(r"The family has (\d+) tests of no effect \((.*)\) and (\d+) equiv", text)
    assert int(said[1]) == len(family) == said[2].count(";") + 1
    assert int(said[3]) == len(family) - len(joint)
    assert "People cannot tell them apart (Photograph or AI image, in pairs)" in said[2]
    assert "one at a time" not in said[2]
    assert {claim.id for claim in found.claims if claim.verdict != "not_tested"} > {
        claim.id for claim in family
    }


def test_further_tasks_stand_apart_as_exploratory(written, found):
    folder, language = written
    heading = page.translator(language)("Exploratory: the same claims in further tasks")

    assert (folder / "report.html").read_text(encoding="utf-8").count(heading) == 1
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    told = {claim["id"]: claim["confirmatory"] for claim in results["claims"]}
    assert told["indistinguishable:real_vs_ai"]
    assert not told["indistinguishable:real_vs_ai:detect_single"]


def test_a_failed_report_leaves_nothing_behind(found, tmp_path):
    with pytest.raises(ValueError, match="language"):
        report.write(found, tmp_path / "out", "fr", SETTINGS)

    assert list(tmp_path.iterdir()) == []


def test_an_empty_analysis_is_refused(tmp_path):
    write(simulate(TRUTH), str(tmp_path / "t.csv"))

    with pytest.raises(DataError, match="no trial left of 1152"):
        answers.analyse(data.load(tmp_path / "t.csv"), Plan())


def test_warnings_that_say_the_same_are_merged():
    few = "{what}: there are only {count} images or pairs."
    texts = [
        Message(few, {"what": Message("in pairs"), "count": 3}),
        Message(few, {"what": Message("rating"), "count": 3}),
        Message(few, {"what": Message("rating"), "count": 3}),
        Message(few, {"what": Message("one at a time"), "count": 5}),
        Message("something else"),
        Message("something else"),
    ]

    assert [str(text) for text in answers.merged(texts)] == [
        "in pairs; rating: there are only 3 images or pairs.",
        "one at a time: there are only 5 images or pairs.",
        "something else",
    ]


@pytest.mark.parametrize(
    ("value", "term", "expected"),
    [
        (0.6123, "accuracy", "61.2%"),
        (0.6123, "ai_choice_share", "61.2%"),
        (1.2345, "d_prime", "1.234"),
        (None, "d_prime", "–"),
        (0.00001, "p", "< 0.0001"),
        (0.0312, "p", "0.0312"),
    ],
)
def test_numbers_are_written_for_people(value, term, expected):
    assert page.number(value, term) == expected


def test_signs_are_set_in_type():
    assert page.typeset("-0.2 to -0.1 (p = 0.01), real-time") == (
        "\N{MINUS SIGN}0.2 to \N{MINUS SIGN}0.1 (p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.01), "
        "real-time"
    )


def test_the_interval_picture_has_no_effect_in_its_middle(found):
    for claim in found.claims:
        places = page.verdict(found, claim).places
        if places:
            assert places["null"] == 50
            assert 0 <= places["low"] <= places["estimate"] <= places["high"] <= 100


MINIMAL = {
    "detect_pair": ("left_origin,right_origin", "left,real,ai", "right,real,ai"),
    "prefer_pair": ("left_origin,right_origin", "left,real,ai", "right,real,ai"),
    "detect_single": ("origin", "real,real", "ai,real"),
    "rate_single": ("origin", "3,real", "5,ai", "4,real", "6,ai", "5,ai"),
}


@pytest.mark.parametrize("task", list(MINIMAL))
def test_a_table_of_the_required_columns_alone_gives_a_report(tmp_path, task):
    """Nothing but who, what and the response: enough for a report, never for a verdict."""
    columns, *cells = MINIMAL[task]
    rows = [
        f"p{person},{task},{cells[(person + k) % 3 % 2 if len(cells) == 2 else (person + k) % 5]}"
        for person in range(6)
        for k in range(8)
    ]
    if task == "detect_single":
        rows += [f"p{person},{task},{'ai' if person % 3 else 'real'},ai" for person in range(6)]
    (tmp_path / "t.csv").write_text(f"participant_id,task,response,{columns}\n" + "\n".join(rows))

    found = answers.analyse(data.load(tmp_path / "t.csv"), Plan(resamples=100))
    report.write(found, tmp_path / "out", "en", SETTINGS)

    assert found.results != []
    assert {c.verdict for c in found.claims} == {"undecided", "not_tested"}


def test_a_long_subset_may_break_and_stays_text():
    assert page.breakable("category=<b>&exclusions=none") == (
        "category=&lt;b&gt;&amp;<wbr>exclusions=none"
    )
