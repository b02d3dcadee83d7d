"""Verdicts by the contract's rules, with Holm's correction inside the family."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from analysis.equivalence import tost
from analysis.estimate import Estimate
from analysis.multiplicity import benjamini_hochberg, holm
from analysis.plan import CLAIMS, JOINT, NO_DIFFERENCE, UPWARD, Plan
from analysis.results import Claim, Result
from analysis.sentences import NEEDS, Reason, joint_reason, lead
from analysis.texts import Message


@dataclass(frozen=True)
class Test:
    """What a verdict is made from: an estimate, or the p-value of a joint test.

    `contrast` says what is compared with the photographs, `row` is its row of the result table,
    `unit` names what the estimate is measured in where the claim allows several. `why_not` says
    why the claim cannot be tested, `at_most_undecided` why no verdict can go beyond undecided.
    """

    claim: str
    contrast: str
    estimate: Estimate | None = None
    p_joint: float | None = None
    row: Result | None = None
    unit: Message | None = None
    why_not: Message | None = None
    at_most_undecided: Message | None = None

    @property
    def base(self) -> str:
        return self.claim.split(":")[0]

    def verdict(self, verdict: str, statement: Message) -> Claim:
        """The claim with its verdict."""
        return Claim(self.claim, verdict, statement, self.row, self.unit, self.contrast)


def judge(tests: Sequence[Test], plan: Plan) -> list[Claim]:
    """A verdict for each test, by adjusted p-values, and the claims that nothing tested.

    Holm's correction holds within the confirmatory family, Benjamini and Hochberg's within the
    exploratory rest. Tests of no effect and tests of equivalence are adjusted apart.
    """
    verdicts: dict[str, Claim] = {}
    members = confirmatory_family(tests, plan)
    for confirmatory, adjust in ((True, holm), (False, benjamini_hochberg)):
        family = [
            test
            for test in tests
            if test.why_not is None and (test.claim in members) is confirmatory
        ]
        judged = _judge_family(family, plan, adjust)
        verdicts |= {id: replace(claim, confirmatory=confirmatory) for id, claim in judged.items()}
    found = [verdicts.get(test.claim) or _not_tested(test) for test in tests]
    missing = [name for name in CLAIMS if name not in {test.base for test in tests}]
    return found + [Claim(name, "not_tested", Message(NEEDS[name])) for name in missing]


def confirmatory_family(tests: Sequence[Test], plan: Plan) -> set[str]:
    """Ids of the claims whose verdicts are confirmatory, whatever the responses say.

    A claim of the contract enters once for each contrast, by the first task that it was asked in;
    each question fixes the order of its tasks. Where that task cannot be tested, no other one
    takes its place. The same claim in further tasks is exploratory unless the plan names it.
    """
    first: dict[tuple[str, str], str] = {}
    for test in tests:
        first.setdefault((test.base, test.contrast), test.claim)
    return {
        test.claim
        for test in tests
        if plan.is_confirmatory(
            test.claim,
            test.contrast,
            "" if test.row is None else test.row.task,
            leads=first[test.base, test.contrast] == test.claim,
        )
    }


def _judge_family(
    family: Sequence[Test], plan: Plan, adjust: Callable[[list[float]], Iterable[float]]
) -> dict[str, Claim]:
    estimated = [test for test in family if test.estimate is not None]
    names = [test.claim for test in estimated]
    effect = adjust([_effect_p(test) for test in family])
    equal = dict(
        zip(names, adjust([_equivalence_p(test, plan) for test in estimated]), strict=True)
    )
    return {
        test.claim: _verdict(test, float(p), float(equal.get(test.claim, 1.0)), plan)
        for test, p in zip(family, effect, strict=True)
    }


def _effect_p(test: Test) -> float:
    if test.estimate is None:
        if test.p_joint is None:
            raise ValueError(f"{test.claim} has neither an estimate nor a p-value")
        return test.p_joint
    return test.estimate.p_value(CLAIMS[test.base].null or 0.0)


def _equivalence_p(test: Test, plan: Plan) -> float:
    if test.estimate is None:
        raise ValueError(f"{test.claim} has no estimate")
    null, smallest = CLAIMS[test.base].null or 0.0, plan.smallest_effect(test.claim, test.contrast)
    return tost(test.estimate, null - smallest, null + smallest)


def _not_tested(test: Test) -> Claim:
    if test.why_not is None:
        raise ValueError(f"{test.claim} was tested")
    return test.verdict("not_tested", test.why_not)


def _verdict(test: Test, p_effect: float, p_equal: float, plan: Plan) -> Claim:
    differs, equivalent = p_effect <= plan.alpha, p_equal <= plan.alpha
    verdict = decide(
        CLAIMS[test.base].kind,
        differs=differs,
        upward=test.estimate is None or test.estimate.value > (CLAIMS[test.base].null or 0.0),
        equivalent=equivalent,
    )
    if test.at_most_undecided is not None and verdict != "undecided":
        return test.verdict("undecided", test.at_most_undecided)
    reason = (
        joint_reason(p_effect)
        if test.estimate is None
        else Reason(
            test.claim,
            test.estimate,
            verdict,
            differs,
            equivalent,
            p_effect,
            p_equal,
            plan.level,
            plan.smallest_effect(test.claim, test.contrast),
        ).message()
    )
    first = lead(test.claim, verdict, test.estimate, contrast=test.contrast, unit=test.unit)
    statement = Message("{lead} {reason}", {"lead": first, "reason": reason})
    return test.verdict(verdict, statement)


def decide(kind: str, *, differs: bool, upward: bool, equivalent: bool) -> str:
    """The contract's verdict.

    Parameters
    ----------
    kind : str
        No difference, upward, two-sided or joint.
    differs : bool
        Whether the 1 - alpha interval excludes no effect.
    upward : bool
        Whether the estimate lies on the claimed side.
    equivalent : bool
        Whether the 1 - 2 alpha interval lies within the equivalence region.
    """
    if kind == JOINT:
        return "supported" if differs else "undecided"
    if kind == NO_DIFFERENCE:
        if equivalent:
            return "supported"
        return "refuted" if differs else "undecided"
    if differs and (kind != UPWARD or upward):
        return "supported"
    return "refuted" if differs or equivalent else "undecided"
