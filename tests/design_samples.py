"""Random designs with stimuli that suffice for them, and the demo set as the planner sees it."""

import csv
import random
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st

import survey.demo
from survey.design import Block, Choice, Condition, PlannedTrial, Question, Stimulus, Study
from survey.design.study import (
    CLAIMS,
    DISCLOSURES,
    EXCLUSION_RULES,
    AnalysisPlan,
    ExclusionRule,
)

DEMO = Path(survey.demo.__file__).parent
TEXTS = {
    "title": "Pictures",
    "consent": "You take part freely.",
    "consent_version": "1",
    "debrief": "Half of the labels were false. You can [withdraw](withdraw).",
}
BLOCK_TEXTS = {"en": {"instructions": "Look and choose."}}
# No deadline: a busy machine is no fault of a design.
examples = settings(max_examples=30, deadline=None)
GENERATORS = ("Brush", "Chisel", "Dye")


def demo_stimuli() -> list[Stimulus]:
    with (DEMO / "stimuli" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return [
            Stimulus(
                id=row["file"],
                origin=row["origin"],
                pair_id=row["pair_id"],
                generator=row["generator"],
                category=row["category"],
                enhancement_level=float(row["enhancement_level"])
                if row["enhancement_level"]
                else None,
                is_catch=row["is_catch"] == "true",
            )
            for row in csv.DictReader(file)
        ]


def make_pool(pairs: int, versions: int = 1, catch: int = 2, categories: int = 1) -> list[Stimulus]:
    """Pairs of a real stimulus and one or several others; the catch pairs come last."""
    stimuli = []
    for n in range(pairs + catch):
        pair, category = f"pair{n:02}", f"category{n % categories}"
        stimuli.append(Stimulus(f"{pair}_real", "real", pair, category=category))
        for version in range(versions):
            stimuli.append(
                Stimulus(
                    id=f"{pair}_version{version}",
                    origin="ai" if n % 2 else "enhanced",
                    pair_id=pair,
                    generator=GENERATORS[version],
                    category=category,
                    enhancement_level=(version + 1) / versions,
                    is_catch=n >= pairs,
                )
            )
    return stimuli


def make_study(*blocks: Block, **more: object) -> Study:
    return Study(slug="sample", languages=("en",), texts={"en": dict(TEXTS)}, blocks=blocks, **more)


def make_block(key: str = "first", task: str = "detect_pair", trials: int = 8, **more) -> Block:
    if task == "rate_single":
        more = {"question": "appeal", "scale_steps": 7, **more}
    return Block(key=key, task=task, trials=trials, **{"texts": BLOCK_TEXTS, **more})


@st.composite
def blocks(draw: st.DrawFn, key: str, most: int, versions: int) -> Block:
    """A block whose main trials need at most `most` pairs."""
    task = draw(st.sampled_from(["detect_pair", "prefer_pair", "detect_single", "rate_single"]))
    is_pair, detects = task.endswith("pair"), task.startswith("detect")
    pairings = ["matched", "random"] + ["ai_vs_ai"] * (versions > 1)
    trials = draw(st.integers(2, most)) if is_pair else 2 * draw(st.integers(1, most // 2))
    return make_block(
        key,
        task,
        trials,
        pairing=draw(st.sampled_from(pairings)) if is_pair else "matched",
        exposures_ms=tuple(draw(st.lists(st.integers(10, 999), max_size=4, unique=True))),
        exposure_varies=draw(st.sampled_from(["within", "between"])),
        disclosures=tuple(
            draw(st.lists(st.sampled_from(DISCLOSURES), min_size=1, max_size=3, unique=True))
        ),
        disclosure_varies=draw(st.sampled_from(["within", "between"])),
        practice=draw(st.integers(0, 3)),
        catch_trials=draw(st.integers(0, min(2, trials // 2))) if detects else 0,
        repeat_share=draw(st.sampled_from([0, 0.5, 1])),
    )


@st.composite
def designs(draw: st.DrawFn) -> tuple[Study, list[Stimulus]]:
    """A study of one to three blocks, and stimuli that suffice for it."""
    count = draw(st.integers(1, 3))
    share = draw(st.booleans())
    versions = draw(st.integers(1, 3))
    pairs = draw(st.integers(4 * count, 8 * count))
    most = pairs if share else pairs // count
    chosen = [draw(blocks(f"block{i}", most, versions)) for i in range(count)]
    order = draw(st.sampled_from(["fixed", "counterbalanced", "random", "one"]))
    study = make_study(*chosen, share_stimuli=share, block_order=order)
    return study, make_pool(pairs, versions)


@st.composite
def exposure_counts(
    draw: st.DrawFn, study: Study, stimuli: list[Stimulus]
) -> dict[tuple[str, str], int]:
    """Counts as they may have come about, for every block, stimulus and pair."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    units = {s.id for s in stimuli} | {s.pair_id for s in stimuli}
    return {(b.key, unit): rng.randrange(4) for b in study.blocks for unit in sorted(units)}


def by_block(plan: list[PlannedTrial], kind: str = "") -> dict[str, list[PlannedTrial]]:
    """The trials of each block, by its key, of one kind or all."""
    found: dict[str, list[PlannedTrial]] = {trial.block_key: [] for trial in plan}
    for trial in plan:
        if kind in ("", trial.kind):
            found[trial.block_key].append(trial)
    return found


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
keys = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)


def both(text: st.SearchStrategy) -> st.SearchStrategy:
    """The text in both languages of a sample study."""
    return st.fixed_dictionaries({"en": text, "ja": text})


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """Valid studies in two languages with every kind of member and any words."""
    sample, _ = draw(designs())
    names = draw(st.lists(keys, unique=True, max_size=3))
    rules = draw(st.lists(st.sampled_from([*EXCLUSION_RULES]), unique=True, max_size=3))
    claims = draw(st.lists(st.sampled_from(CLAIMS), unique=True, max_size=3))
    text = st.fixed_dictionaries(
        dict.fromkeys(("title", "consent", "consent_version"), words)
        | {"debrief": words.map(lambda word: word + " label ラベル [x](withdraw)")},
        optional={"summary": words, "contact": words},
    )
    block_text = st.fixed_dictionaries(
        {"instructions": words}, optional={"prompt": words, "hint": words, "low": words}
    )
    return Study(
        slug=draw(st.from_regex(r"[a-z0-9]{1,5}(-[a-z0-9]{1,5})?", fullmatch=True)),
        languages=("en", "ja"),
        texts=draw(both(text)),
        blocks=tuple(
            make_block(
                b.key,
                b.task,
                b.trials,
                practice=b.practice,
                exposures_ms=b.exposures_ms,
                disclosures=b.disclosures,
                repeat_share=b.repeat_share,
                categories=tuple(draw(st.lists(words, unique=True, max_size=2))),
                enhancement_levels=tuple(draw(st.lists(st.floats(0, 1), unique=True, max_size=2))),
                texts=draw(both(block_text)),
            )
            for b in sample.blocks
        ),
        minimum_age=draw(st.integers(0, 99)),
        conditions=tuple(Condition(name, weight=i + 1) for i, name in enumerate(names)),
        share_stimuli=draw(st.booleans()),
        background=tuple(
            Question(
                key=name,
                kind="choice",
                required=draw(st.booleans()),
                texts=draw(both(words)),
                choices=tuple(
                    Choice(v, draw(both(words)))
                    for v in draw(st.lists(words, min_size=2, max_size=3, unique=True))
                ),
            )
            for name in names
        ),
        exclusion_rules=tuple(
            ExclusionRule(name, {p: draw(st.floats(0, 1)) for p in EXCLUSION_RULES[name]})
            for name in rules
        ),
        analysis_plan=AnalysisPlan(
            claims=tuple(claims),
            smallest_effects={f"{c}:real_vs_ai": draw(st.floats(0.01, 1)) for c in claims},
            stopping_rule=draw(words),
        ),
    )
