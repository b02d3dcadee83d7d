"""Every fault of a design is named by its place, and all at once."""

import re
from dataclasses import replace

import polib
import pytest
from hypothesis import given

from survey.design import (
    AnalysisPlan,
    Choice,
    Condition,
    DesignError,
    ExclusionRule,
    Message,
    Question,
    Study,
    canonical_json,
    design_hash,
    faults,
    from_canonical,
    from_dict,
    to_dict,
    validate,
)
from tests.design_samples import (
    BLOCK_TEXTS,
    TEXTS,
    designs,
    examples,
    make_block,
    make_pool,
    make_study,
    studies,
)
from tests.update_translations import CATALOGUE

SAMPLE = make_study(
    make_block("detection", confidence_steps=4, reasons=("light",)),
    make_block("appeal", "rate_single"),
)


def with_block(**changes) -> Study:
    """The sample with another first block."""
    return replace(SAMPLE, blocks=(replace(SAMPLE.blocks[0], **changes), SAMPLE.blocks[1]))


def with_rating(**changes) -> Study:
    """The sample with another second block."""
    return replace(SAMPLE, blocks=(SAMPLE.blocks[0], replace(SAMPLE.blocks[1], **changes)))


def with_text(**changes) -> Study:
    return replace(SAMPLE, texts={"en": {**TEXTS, **changes}})


def block_text(**changes) -> dict:
    return {"en": {**BLOCK_TEXTS["en"], **changes}}


def with_question(**changes) -> Study:
    question = Question(
        key="age",
        kind="choice",
        texts={"en": "Age?"},
        choices=(Choice("young", {"en": "Young"}), Choice("old", {"en": "Old"})),
    )
    return replace(SAMPLE, background=(replace(question, **changes),))


RULE = ExclusionRule("catch_trials", {"max_failed_share": 0.5})

FAULTS = {
    "slug": replace(SAMPLE, slug="Two words"),
    "languages": replace(SAMPLE, languages=("en", "en")),
    "texts": replace(SAMPLE, texts={**SAMPLE.texts, "fr": TEXTS}),
    "texts.en.title": with_text(title=""),
    "texts.en.consent": with_text(consent=""),
    "texts.en.consent_version": with_text(consent_version=""),
    "texts.en.debrief": with_text(debrief=""),
    "minimum_age": replace(SAMPLE, minimum_age=-1),
    "duration_minutes": replace(SAMPLE, duration_minutes=0),
    "block_order": replace(SAMPLE, block_order="sorted"),
    "display_width": replace(SAMPLE, display_width=4),
    "display_height": replace(SAMPLE, display_height=9999),
    "display_fit": replace(SAMPLE, display_fit="stretch"),
    "mode": replace(SAMPLE, mode="teaching"),
    "fullscreen": replace(SAMPLE, fullscreen="always"),
    "blocks": replace(SAMPLE, blocks=(SAMPLE.blocks[0], SAMPLE.blocks[0])),
    "blocks[0].key": with_block(key="One"),
    "blocks[0].task": with_block(task="detect"),
    "blocks[0].trials": with_block(trials=0),
    "blocks[0].question": with_block(question="liking"),
    "blocks[0].pairing": with_block(pairing="sorted"),
    "blocks[0].origins": with_block(origins=("real",)),
    "blocks[0].categories": with_block(categories=("a", "a")),
    "blocks[0].generators": with_block(generators=("a", "a")),
    "blocks[0].enhancement_levels": with_block(enhancement_levels=(2.0,)),
    "blocks[0].exposures_ms": with_block(exposures_ms=(100, 100)),
    "blocks[0].exposure_varies": with_block(exposure_varies="always"),
    "blocks[0].disclosures": with_block(disclosures=()),
    "blocks[0].disclosure_varies": with_block(disclosure_varies="always"),
    "blocks[0].ties": with_block(ties=True),
    "blocks[0].scale_steps": with_block(scale_steps=7),
    "blocks[0].confidence_steps": with_block(confidence_steps=8),
    "blocks[0].reasons": with_block(reasons=("light", "light")),
    "blocks[0].feedback": with_block(feedback="always"),
    "blocks[0].practice": with_block(feedback="practice"),
    "blocks[0].catch_trials": with_block(catch_trials=5),
    "blocks[0].repeat_share": with_block(repeat_share=0.01),
    "blocks[0].texts": with_block(texts={}),
    "blocks[0].texts.en.instructions": with_block(texts=block_text(instructions="")),
    "blocks[0].texts.en.labels": with_block(texts=block_text(labels=["a"])),
    "blocks[0].texts.en.confidence_labels": with_block(texts=block_text(confidence_labels=["a"])),
    "blocks[0].texts.en.reasons": with_block(texts=block_text(reasons={"colour": "Colour"})),
    "blocks[1].trials": with_rating(trials=7),
    "blocks[1].pairing": with_rating(pairing="random"),
    "blocks[1].question": with_rating(question=""),
    "blocks[1].scale_steps": with_rating(scale_steps=12),
    "blocks[1].feedback": with_rating(feedback="each"),
    "blocks[1].catch_trials": with_rating(catch_trials=1),
    "conditions": replace(SAMPLE, conditions=(Condition("a"), Condition("a"))),
    "conditions[0].name": replace(SAMPLE, conditions=(Condition(""),)),
    "conditions[0].weight": replace(SAMPLE, conditions=(Condition("a", weight=0),)),
    "conditions[0].blocks": replace(SAMPLE, conditions=(Condition("a", blocks=("none",)),)),
    "background[0].key": with_question(key="1"),
    "background[0].kind": with_question(kind="slider"),
    "background[0].texts": with_question(texts={}),
    "background[0].choices": with_question(choices=()),
    "background[0].choices[0].texts": with_question(
        choices=(Choice("a"), Choice("b", {"en": "B"}))
    ),
    "exclusion_rules": replace(SAMPLE, exclusion_rules=(RULE, RULE)),
    "exclusion_rules[0].name": replace(SAMPLE, exclusion_rules=(ExclusionRule("outliers"),)),
    "exclusion_rules[0].parameters": replace(
        SAMPLE, exclusion_rules=(replace(RULE, parameters={"max_share": 0.5}),)
    ),
    "analysis_plan.claims": replace(SAMPLE, analysis_plan=AnalysisPlan(claims=("magic",))),
    "analysis_plan.alpha": replace(SAMPLE, analysis_plan=AnalysisPlan(alpha=1)),
    "analysis_plan.smallest_effects.prefers_ai": replace(
        SAMPLE, analysis_plan=AnalysisPlan(smallest_effects={"prefers_ai": 0})
    ),
}


def test_comparison_of_a_preference_block_needs_a_plain_name():
    study = make_study(make_block(task="prefer_pair", question="Which is best?"))
    assert [fault.place for fault in faults(study)] == ["blocks[0].question"]


def test_learning_mode_without_feedback_on_each_trial_is_a_fault():
    study = replace(with_block(feedback="never"), mode="learning")
    assert [fault.place for fault in faults(study)] == ["blocks[0].feedback"]
    assert faults(replace(with_block(feedback="each"), mode="learning")) == []


def test_learning_mode_without_detection_is_a_fault():
    study = replace(SAMPLE, blocks=SAMPLE.blocks[1:], mode="learning")
    assert [fault.place for fault in faults(study)] == ["mode"]


def test_repeats_after_feedback_are_a_fault():
    study = with_block(feedback="each", repeat_share=0.5)
    assert [fault.place for fault in faults(study)] == ["blocks[0].repeat_share"]


def test_sample_has_no_fault():
    assert faults(SAMPLE) == []


@pytest.mark.parametrize("place", FAULTS)
def test_fault_is_found_at_its_place(place):
    assert {fault.place for fault in faults(FAULTS[place])} == {place}


def test_validate_lists_every_fault_at_once():
    study = replace(with_block(trials=0, ties=True), slug="Two words")
    with pytest.raises(DesignError) as caught:
        validate(study)
    assert str(caught.value).splitlines() == [
        "slug: found 'Two words'; allowed: lower-case letters and digits, joined by single "
        "hyphens (at most 50)",
        "blocks[0].trials: found 0; allowed: 1 to 1000",
        "blocks[0].ties: found true; allowed: false, except in prefer_pair",
    ]


@pytest.mark.parametrize(
    ("debrief", "is_enough"),
    [
        ("Half of the labels were false. You can [withdraw](withdraw).", True),
        ("Half of the labels were false.", False),
        ("Thank you. You can [withdraw](withdraw).", False),
    ],
)
def test_false_labels_demand_a_debrief_that_tells_of_them(debrief, is_enough):
    labelled = replace(SAMPLE.blocks[1], disclosures=("true_labels", "false_labels"))
    study = replace(with_text(debrief=debrief), blocks=(labelled,))
    assert (faults(study) == []) == is_enough


@examples
@given(designs())
def test_random_designs_have_no_fault(design):
    assert faults(design[0]) == []


@examples
@given(studies())
def test_study_as_plain_data_comes_back_the_same(study):
    assert from_dict(to_dict(study)) == study


def test_plain_data_with_wrong_members_is_refused_with_every_fault():
    data = to_dict(SAMPLE)
    data["blocks"][0]["trails"] = 8
    del data["blocks"][0]["trials"]
    data["blocks"][1]["repeat_share"] = "half"
    data["languages"] = "en"
    data["display_width"] = True
    with pytest.raises(DesignError) as caught:
        from_dict(data)
    assert sorted(map(str, caught.value.faults)) == [
        "blocks[0].trails: found 'trails'; allowed: a known name; did you mean trials?",
        "blocks[0].trials: found nothing; allowed: this must be given",
        "blocks[1].repeat_share: found 'half'; allowed: a number",
        "display_width: found true; allowed: a whole number",
        "languages: found 'en'; allowed: a list in square brackets",
    ]


def test_plain_data_of_the_wrong_shape_is_refused_with_every_fault():
    data = {**to_dict(SAMPLE), "texts": "none", "blocks": ["detection"], "exclusion_rules": [1]}
    with pytest.raises(DesignError) as caught:
        from_dict(data)
    assert [fault.place for fault in caught.value.faults] == [
        "texts",
        "blocks[0]",
        "exclusion_rules[0]",
    ]


def test_design_hash_is_stable():
    # A change of this value means that designs frozen before would no longer be recognised.
    found = design_hash(SAMPLE, make_pool(1), {"pair00_real": "ab" * 32})
    learning = design_hash(replace(SAMPLE, mode="learning"), make_pool(1))
    asking = design_hash(replace(SAMPLE, fullscreen="ask"), make_pool(1))
    assert len({learning, asking, design_hash(SAMPLE, make_pool(1))}) == 3
    assert found == "88da364c085cb19d11e0974702c9e82431794ff83bf56e05ee0481cda9d2c650"


def test_design_hash_does_not_depend_on_order_or_spelling():
    stimuli = make_pool(3)
    one = design_hash(with_block(repeat_share=1), stimuli)
    assert design_hash(with_block(repeat_share=1.0), stimuli[::-1]) == one


def test_design_hash_changes_with_the_design_the_stimuli_and_their_content():
    stimuli = make_pool(3)
    hashes = {
        design_hash(SAMPLE, stimuli),
        design_hash(with_block(trials=6), stimuli),
        design_hash(with_text(title="Other"), stimuli),
        design_hash(SAMPLE, stimuli[:-1]),
        design_hash(SAMPLE, stimuli, {"pair00_real": "ab" * 32}),
    }
    assert len(hashes) == 5


@examples
@given(studies())
def test_frozen_design_comes_back_the_same(study):
    stimuli = make_pool(4, versions=2)
    again, pool = from_canonical(canonical_json(study, stimuli))
    assert again == study
    assert pool == sorted(stimuli, key=lambda stimulus: stimulus.id)


@pytest.mark.parametrize("place", FAULTS)
def test_fault_can_be_said_in_other_languages(place):
    """What is allowed is a list of the design's own names, or a message of the catalogue."""
    known = {entry.msgid for entry in polib.pofile(str(CATALOGUE)) if entry.translated()}
    for fault in faults(FAULTS[place]):
        if isinstance(fault.allowed, Message):
            assert fault.allowed.template in known
        else:
            assert re.fullmatch(r"[\w, -]+", fault.allowed), fault
