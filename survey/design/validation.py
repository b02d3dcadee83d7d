"""Every fault of a design, named by its place, before a participant can meet it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from survey.design.study import (
    BLOCK_ORDERS,
    CLAIMS,
    CONFIDENCE_SLIDER,
    DETECT_TASKS,
    DISCLOSURES,
    DISPLAY_FITS,
    EXCLUSION_RULES,
    FEEDBACK,
    FULLSCREEN,
    MODES,
    ORIGINS,
    PAIRINGS,
    QUESTION_KINDS,
    TASKS,
    VARIES,
    Block,
    Question,
    Study,
)
from survey.messages import Message

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
KEY = re.compile(r"[a-z][a-z0-9_]*")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})?")
CONTRAST = re.compile(r"[a-z]+_vs_[a-z]+")
# The debrief page lies beside the withdrawal page, so this relative link always works.
WITHDRAW_LINK = "](withdraw)"
LABEL_WORDS = {"en": "label", "ja": "ラベル"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where, what was found, what is allowed."""

    place: str
    found: object
    allowed: str

    def __str__(self) -> str:
        return f"{self.place}: found {shown(self.found)}; allowed: {self.allowed}"


NOTHING = Message("nothing")


class DesignError(ValueError):
    """A design that cannot be run, with every fault at once."""

    def __init__(self, faults: Iterable[object]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(map(str, self.faults)))


def shown(value: object) -> str:
    """A value as a person would write it, cut where it is long."""
    if isinstance(value, list | tuple):
        text = ", ".join(map(str, value)) or NOTHING
    elif value is None or value == "":
        text = NOTHING
    else:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


class _Check:
    """Collects faults under one place."""

    def __init__(self, place: str, faults: list[Fault]) -> None:
        self.place = place
        self.faults = faults

    def at(self, name: str) -> "_Check":
        joint = "." if self.place and not name.startswith("[") else ""
        return _Check(self.place + joint + name, self.faults)

    def must(self, condition: bool, found: object, allowed: str) -> None:
        if not condition:
            self.faults.append(Fault(self.place, found, allowed))

    def one_of(self, value: str, allowed: Sequence[str]) -> None:
        self.must(value in allowed, value, ", ".join(allowed))

    def between(self, value: float, low: float, high: float) -> None:
        allowed = Message("%(low)s to %(high)s", low=low, high=high)
        self.must(low <= value <= high, value, allowed)

    def matches(self, value: str, pattern: re.Pattern[str], allowed: str) -> None:
        self.must(len(value) <= 50 and bool(pattern.fullmatch(value)), value, allowed)

    def unique(self, values: Sequence[object]) -> None:
        self.must(len(set(values)) == len(values), values, Message("each one only once"))

    def subset(self, values: Sequence[str], allowed: Sequence[str]) -> None:
        self.must(set(values) <= set(allowed), values, some_of(allowed))
        self.unique(values)


def some_of(names: Iterable[str]) -> Message:
    return Message("some of %(names)s", names=", ".join(names) or NOTHING)


A_TEXT = Message("a text")
KEY_RULE = Message("a lower-case letter, then lower-case letters, digits and _ (at most 50)")


def faults(study: Study) -> list[Fault]:
    """Every fault of the design, in the order of its fields."""
    found: list[Fault] = []
    check = _Check("", found)
    _study(study, check)
    _texts(study, check)
    for i, block in enumerate(study.blocks):
        _block(block, study, check.at(f"blocks[{i}]"))
    check.at("blocks").unique([block.key for block in study.blocks])
    _conditions(study, check)
    for i, question in enumerate(study.background):
        _question(question, study, check.at(f"background[{i}]"))
    check.at("background").unique([question.key for question in study.background])
    _plan(study, check)
    return found


def validate(study: Study) -> None:
    """Raise a DesignError that lists every fault of the design."""
    found = faults(study)
    if found:
        raise DesignError(found)


def _study(study: Study, check: _Check) -> None:
    slug_rule = Message("lower-case letters and digits, joined by single hyphens (at most 50)")
    check.at("slug").matches(study.slug, SLUG, slug_rule)
    check.at("languages").must(bool(study.languages), (), Message("at least one language"))
    check.at("languages").unique(study.languages)
    for language in study.languages:
        codes = Message("codes such as en, ja or pt-BR")
        check.at("languages").matches(language, LANGUAGE, codes)
    check.at("blocks").must(bool(study.blocks), (), Message("at least one block"))
    check.at("minimum_age").between(study.minimum_age, 0, 120)
    check.at("duration_minutes").between(study.duration_minutes, 1, 600)
    check.at("block_order").one_of(study.block_order, BLOCK_ORDERS)
    check.at("display_width").between(study.display_width, 16, 8192)
    check.at("display_height").between(study.display_height, 16, 8192)
    check.at("display_fit").one_of(study.display_fit, DISPLAY_FITS)
    check.at("fullscreen").one_of(study.fullscreen, FULLSCREEN)
    check.at("mode").one_of(study.mode, MODES)
    if study.mode == "learning":
        tasks = [block.task for block in study.blocks]
        rule = Message("learning, with at least one detection block")
        check.at("mode").must(bool(set(tasks) & set(DETECT_TASKS)), study.mode, rule)


def _texts(study: Study, check: _Check) -> None:
    _languages(study.texts, study, check.at("texts"))
    for language, text in study.texts.items():
        here = check.at(f"texts.{language}")
        written: dict[str, object] = {**text}
        for name in ("title", "consent", "consent_version", "debrief"):
            here.at(name).must(bool(written.get(name)), "", A_TEXT)
        if any("false_labels" in block.disclosures for block in study.blocks):
            _tells_of_false_labels(text.get("debrief", ""), language, here.at("debrief"))


def _tells_of_false_labels(debrief: str, language: str, check: _Check) -> None:
    word = LABEL_WORDS.get(language.split("-")[0], "")
    tells = word in debrief.lower() and WITHDRAW_LINK in debrief
    rule = Message("a text that offers withdrawal by a link: [...](withdraw)")
    if word:
        rule = Message(
            "a text that tells of the false labels (with the word “%(word)s”) and offers "
            "withdrawal by a link: [...](withdraw)",
            word=word,
        )
    check.must(tells, debrief, rule)


def _languages(texts: Iterable[str], study: Study, check: _Check) -> None:
    given = tuple(texts)
    check.must(set(given) == set(study.languages), given, ", ".join(study.languages))


def _block(block: Block, study: Study, check: _Check) -> None:
    check.at("key").matches(block.key, KEY, KEY_RULE)
    check.at("task").one_of(block.task, TASKS)
    check.at("trials").between(block.trials, 1, 1000)
    if block.task not in TASKS:
        return
    for part in (_task, _presentation, _after_the_choice, _extra_trials, _block_texts):
        part(block, study, check)


def _task(block: Block, study: Study, check: _Check) -> None:
    if block.is_pair_task:
        check.at("pairing").one_of(block.pairing, PAIRINGS)
    else:
        check.at("pairing").must(
            block.pairing == "matched", block.pairing, Message("matched, except in pair tasks")
        )
        even = Message("an even number, so that half are real")
        check.at("trials").must(block.trials % 2 == 0, block.trials, even)
    if block.task == "rate_single":
        named = Message("the name of the scale: %(rule)s", rule=KEY_RULE)
        check.at("question").matches(block.question, KEY, named)
        check.at("scale_steps").between(block.scale_steps, 2, 11)
    else:
        rule = Message("0, except in rate_single")
        check.at("scale_steps").must(block.scale_steps == 0, block.scale_steps, rule)
    if block.task == "prefer_pair" and block.question:
        check.at("question").matches(block.question, KEY, KEY_RULE)
    if block.task in DETECT_TASKS:
        empty = Message("nothing for this task")
        check.at("question").must(block.question == "", block.question, empty)
    ties = Message("false, except in prefer_pair")
    check.at("ties").must(block.task == "prefer_pair" or not block.ties, block.ties, ties)
    check.at("origins").subset(block.origins, ORIGINS[1:])
    for name in ("categories", "generators", "enhancement_levels"):
        check.at(name).unique(getattr(block, name))
    for level in block.enhancement_levels:
        check.at("enhancement_levels").between(level, 0, 1)


def _presentation(block: Block, study: Study, check: _Check) -> None:
    check.at("exposures_ms").unique(block.exposures_ms)
    for exposure_ms in block.exposures_ms:
        check.at("exposures_ms").between(exposure_ms, 10, 60_000)
    check.at("exposure_varies").one_of(block.exposure_varies, VARIES)
    check.at("disclosures").must(bool(block.disclosures), (), some_of(DISCLOSURES))
    check.at("disclosures").subset(block.disclosures, DISCLOSURES)
    check.at("disclosure_varies").one_of(block.disclosure_varies, VARIES)


def _after_the_choice(block: Block, study: Study, check: _Check) -> None:
    steps = block.confidence_steps
    allowed = Message("0 (off), 2 to 7, or %(slider)s (slider)", slider=CONFIDENCE_SLIDER)
    fits = steps in (0, CONFIDENCE_SLIDER) or 2 <= steps <= 7
    check.at("confidence_steps").must(fits, steps, allowed)
    check.at("reasons").unique(block.reasons)
    for reason in block.reasons:
        check.at("reasons").matches(reason, KEY, KEY_RULE)
    check.at("feedback").one_of(block.feedback, FEEDBACK)
    if block.feedback != "never":
        rule = Message("never, as this task has no right response")
        check.at("feedback").must(block.task in DETECT_TASKS, block.feedback, rule)
    if study.mode == "learning" and block.task in DETECT_TASKS:
        rule = Message("each, in the learning mode")
        check.at("feedback").must(block.feedback == "each", block.feedback, rule)
    if block.feedback == "practice":
        rule = Message("1 or more, for the feedback")
        check.at("practice").must(block.practice > 0, block.practice, rule)


def _extra_trials(block: Block, study: Study, check: _Check) -> None:
    check.at("practice").between(block.practice, 0, 20)
    if block.task in DETECT_TASKS:
        check.at("catch_trials").between(block.catch_trials, 0, block.trials // 2)
    else:
        rule = Message("0, as this task has no right response")
        check.at("catch_trials").must(block.catch_trials == 0, block.catch_trials, rule)
    check.at("repeat_share").between(block.repeat_share, 0, 1)
    if 0 < block.repeat_share <= 1:
        rule = Message("0, or a share that gives at least one repeat of at least two trials")
        enough = block.repeats > 0 and block.trials > 1
        check.at("repeat_share").must(enough, block.repeat_share, rule)
        told = block.feedback == "each"
        rule = Message("0, as the feedback tells the truth before the repeat")
        check.at("repeat_share").must(not told, block.repeat_share, rule)


def _block_texts(block: Block, study: Study, check: _Check) -> None:
    _languages(block.texts, study, check.at("texts"))
    for language, text in block.texts.items():
        here = check.at(f"texts.{language}")
        here.at("instructions").must(bool(text.get("instructions")), "", A_TEXT)
        _labels(text.get("labels", []), block.scale_steps, here.at("labels"))
        steps = 2 if block.confidence_steps == CONFIDENCE_SLIDER else block.confidence_steps
        _labels(text.get("confidence_labels", []), steps, here.at("confidence_labels"))
        named = tuple(text.get("reasons", {}))
        here.at("reasons").must(set(named) <= set(block.reasons), named, some_of(block.reasons))


def _labels(labels: list[str], steps: int, check: _Check) -> None:
    allowed = Message("none, or %(steps)s", steps=steps) if steps else Message("none")
    check.must(len(labels) in (0, steps), labels, allowed)


def _conditions(study: Study, check: _Check) -> None:
    keys = [block.key for block in study.blocks]
    for i, condition in enumerate(study.conditions):
        here = check.at(f"conditions[{i}]")
        here.at("name").matches(condition.name, KEY, KEY_RULE)
        here.at("weight").between(condition.weight, 1, 1000)
        here.at("blocks").subset(condition.blocks, keys)
    check.at("conditions").unique([condition.name for condition in study.conditions])


def _question(question: Question, study: Study, check: _Check) -> None:
    check.at("key").matches(question.key, KEY, KEY_RULE)
    check.at("kind").one_of(question.kind, QUESTION_KINDS)
    _languages(question.texts, study, check.at("texts"))
    values = [choice.value for choice in question.choices]
    check.at("choices").unique(values)
    if question.kind in ("number", "text"):
        check.at("choices").must(not values, values, Message("none for this kind"))
    else:
        check.at("choices").must(len(values) >= 2, values, Message("two or more"))
    for i, choice in enumerate(question.choices):
        here = check.at(f"choices[{i}]")
        here.at("value").must(bool(choice.value), choice.value, A_TEXT)
        _languages(choice.texts, study, here.at("texts"))


def _plan(study: Study, check: _Check) -> None:
    for i, rule in enumerate(study.exclusion_rules):
        known = EXCLUSION_RULES.get(rule.name, {})
        at_rule = check.at(f"exclusion_rules[{i}]")
        at_rule.at("name").one_of(rule.name, [*EXCLUSION_RULES])
        if rule.name in EXCLUSION_RULES:
            at_rule.at("parameters").subset([*rule.parameters], [*known])
    check.at("exclusion_rules").unique([rule.name for rule in study.exclusion_rules])
    plan, here = study.analysis_plan, check.at("analysis_plan")
    here.at("claims").unique(plan.claims)
    for name, claims in (("claims", plan.claims), ("smallest_effects", plan.smallest_effects)):
        for claim in claims:
            here.at(name).must(_is_claim(claim), claim, _CLAIM_RULE)
    for claim, effect in plan.smallest_effects.items():
        size = Message("above 0, below 100")
        here.at(f"smallest_effects.{claim}").must(0 < effect < 100, effect, size)
    here.at("alpha").must(0 < plan.alpha < 0.5, plan.alpha, Message("above 0, below 0.5"))


_CLAIM_RULE = Message(
    "%(claims)s; with a contrast as in indistinguishable:real_vs_ai", claims=", ".join(CLAIMS)
)


def _is_claim(claim: str) -> bool:
    name, colon, contrast = claim.partition(":")
    return name in CLAIMS and (not colon or bool(CONTRAST.fullmatch(contrast)))
