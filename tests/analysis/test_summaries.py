"""Two sentences on every headline, in both languages, with the numbers of the result table."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis import answers, page
from analysis.data import Dataset
from analysis.labels import FEATURES
from analysis.plan import Plan
from analysis.simulate import Truth, simulate
from analysis.texts import LANGUAGES, translator
from tests.analysis.simulated import typed

QUESTIONS = [module.QUESTION for module in answers.MODULES]
TRUTH = Truth(
    participants=30,
    pairs=44,
    tasks=("prefer_pair", "detect_pair", "detect_single", "rate_single"),
    enhanced=0.5,
    generators=3,
    levels=(0.25, 0.5, 1.0),
    exposures_ms=(100, 1000),
    labels=True,
)


def analysed(table, **tables):
    dataset = Dataset(typed(table), "0" * 64, **tables)
    return answers.analyse(dataset, Plan(resamples=100), include_simulated=True)


@pytest.fixture(scope="module")
def found():
    table = simulate(TRUTH)
    names = {x for side in ("left", "right") for x in table[f"{side}_stimulus_id"].dropna()}
    stimuli = pd.DataFrame({"stimulus_id": sorted(names)})
    rng = np.random.default_rng(4)
    for name in FEATURES:
        stimuli[name] = rng.normal(size=len(stimuli)).astype(str)
    return analysed(table, stimuli=stimuli)


def told(found, question, language="en"):
    """What is said on each headline of a question: row and sentences."""
    (finding,) = [finding for finding in found.findings if finding.question == question]
    say = translator(language)
    return [
        (summary.row, [sentence.say(say) for sentence in summary.sentences])
        for summary in found.summaries(finding)
    ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_two_sentences_a_headline(found, question):
    said = told(found, question)

    wanted = 1 if question == "dose" else 2  # one a task there, and both tasks are here
    assert said != []
    assert {len(sentences) for _row, sentences in said} == {wanted}


@pytest.mark.parametrize("question", QUESTIONS)
def test_japanese_sentences_are_japanese_and_whole(found, question):
    for _row, sentences in told(found, question, "ja"):
        for sentence in sentences:
            words = re.sub(r"generator-\d", "", sentence)
            assert set(re.findall(r"[A-Za-z]+", words)) <= {"AI"}
            assert sentence.endswith("。")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_goes_beyond_a_verdict(found, language):
    verdicts = {
        "en": r"supported|refuted|significant|proves|no difference was",
        "ja": r"支持|否定|有意",
    }
    for question in QUESTIONS:
        for _row, sentences in told(found, question, language):
            assert re.search(verdicts[language], " ".join(sentences)) is None


def test_sentences_hold_the_numbers_of_their_row(found):
    for question in ("detectability", "preference"):
        for row, (first, _second) in told(found, question):
            assert f" {row.estimate:.1%} " in first
            assert f"(95% interval {row.low:.1%} to {row.high:.1%})" in first
    for row, (_first, second) in told(found, "appeal"):
        assert f"That is {row.estimate:+.2f} standard deviations" in second


def test_features_are_never_told_as_causes(found):
    for _row, (_first, second) in told(found, "features"):
        assert second.endswith("does not show that the features are the cause.")
    for _row, (_first, second) in told(found, "features", "ja"):
        assert second.endswith("原因であることを示すものではありません。")


def test_response_times_are_only_described(found):
    for _row, (_first, second) in told(found, "exposure"):
        assert second.endswith("so that this only describes.")


def test_generators_are_told_with_ranks_and_for_themselves_alone(found):
    for row, (first, second) in told(found, "generators"):
        best = re.search(r"(generator-\d|upscaler) (was|is)", first).group(1)
        rank = next(
            each
            for each in found.results
            if each.subset.endswith(f"generator={best}")
            and (each.task, each.term, each.method) == (row.task, "rank", row.method)
        )
        assert rank.estimate == 1
        assert f"{best} may hold rank" in second
        assert second.endswith("these generators only.")


def test_a_single_task_of_doses_tells_of_the_highest_level():
    truth = Truth(participants=20, pairs=30, tasks=("prefer_pair",), enhanced=1.0, levels=(0.5, 1))

    ((_row, sentences),) = told(analysed(simulate(truth)), "dose")

    assert sentences[0].startswith("Within the levels shown, people liked the enhanced side best")
    assert sentences[1].startswith("At the highest level shown, 1, the enhanced side")


def test_response_times_without_exposures_say_that_nothing_was_varied():
    ((_row, (first, second)),) = told(
        analysed(simulate(Truth(participants=20, pairs=30, tasks=("prefer_pair",)))), "exposure"
    )

    assert first.startswith("In the fastest third")
    assert second.startswith("How long to look was not varied at random")


def test_numbers_that_mean_nothing_are_not_told():
    """Labels that separate the choices perfectly leave no estimate."""
    table = simulate(Truth(participants=20, pairs=30, tasks=("prefer_pair",), labels=True))
    said_ai = table["disclosure"] == "true_labels"
    ai_left = table["left_origin"] == "ai"
    table["response"] = np.where(said_ai == ai_left, "left", "right")

    found = analysed(table)

    assert told(found, "disclosure") == []
    (claim,) = [claim for claim in found.claims if claim.id == "disclosure_effect"]
    assert claim.verdict == "undecided"
    assert any("did not converge" in str(warning) for warning in found.warnings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_every_sentence(found, language, tmp_path):
    from analysis import report

    report.write(found, tmp_path / "out", language, {"path": "t.csv", "sesoi": {}, "preset": None})
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8").replace("&#39;", "'")

    for question in QUESTIONS:
        for _row, sentences in told(found, question, language):
            assert [s for s in sentences if page.typeset(s) not in text] == []
