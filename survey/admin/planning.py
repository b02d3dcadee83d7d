"""The sample size planner: numbers in, a curve and a sentence out."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from survey import planner, tasks
from survey.admin import pages
from survey.admin.curves import as_points
from survey.models import Report, Study
from survey.planner import QUESTIONS, Plan
from survey.roles import Right

#: So many studies are simulated when the closed form shall be checked.
RUNS = 500

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 40


class PlannerForm(forms.Form):
    """Everything that the power depends on."""

    question = forms.ChoiceField(
        label=lazy("Question"), choices=[(key, one.label) for key, one in QUESTIONS.items()]
    )
    effect = forms.FloatField(label=lazy("Effect"), min_value=0.001, max_value=5)
    participants = forms.IntegerField(
        label=lazy("Participants"), min_value=2, max_value=planner.LARGEST
    )
    trials = forms.IntegerField(label=lazy("Trials a participant"), min_value=1, max_value=1000)
    pairs = forms.IntegerField(
        label=lazy("Pairs (or images)"),
        min_value=2,
        max_value=10_000,
        help_text=lazy("Few of them set a limit that no number of participants lifts."),
    )
    sd_participant = forms.FloatField(label=lazy("SD of participants"), min_value=0, max_value=5)
    sd_item = forms.FloatField(label=lazy("SD of images"), min_value=0, max_value=5)
    alpha = forms.FloatField(label=lazy("Alpha"), min_value=0.0001, max_value=0.5)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        question = QUESTIONS.get(values.get("question", ""))
        effect = values.get("effect")
        if question and effect and question.is_binary:
            low, high = (0, 0.5) if question.is_equivalence else (0, 1)
            if not low < effect < high or effect == question.null:
                message = _("Between %(low)s and %(high)s, and not what no effect would be.")
                self.add_error("effect", message % {"low": low, "high": high})
        return values


@pages.page("planner", right=Right.DESIGN, tab=lazy("Sample size"), place=25)
def show(request: HttpRequest, study: Study) -> HttpResponse:
    """The power of the study as it is planned, and what it would take."""
    given = request.POST if request.method == "POST" else request.GET
    question = given.get("question", "")
    question = question if question in QUESTIONS else _question_of(study)
    defaults = _defaults(study, question)
    is_asked = "effect" in given and given.get("was") == question
    form = PlannerForm({**defaults, **(given.dict() if is_asked else {})})
    form.fields["effect"].help_text = QUESTIONS[question].effect_help
    context = {
        "title": _("Sample size"),
        "form": form,
        "question": question,
        "source": QUESTIONS[question].source,
        "may_set_quota": study.state != Study.State.CLOSED,
    }
    if form.is_valid():
        plan = Plan(**form.cleaned_data)
        if request.method == "POST":
            tasks.ask(study, Report.Kind.POWER, planner.options(plan, RUNS), request.user)
            query = urlencode({**form.cleaned_data, "was": question})
            return HttpResponseRedirect(f"{request.path}?{query}")
        context |= _answer(plan) | {"simulation": _simulation(study, plan), "runs": RUNS}
    return pages.render(request, study, "admin/planner.html", context)


def _simulation(study: Study, plan: Plan) -> Report | None:
    """The last simulation of this very plan, done or on its way."""
    if not plan.asks.is_binary:
        return None
    wanted = planner.options(plan, RUNS)
    asked = study.reports.filter(kind=Report.Kind.POWER, options=wanted)
    return asked.order_by("asked_at").last()


def _question_of(study: Study) -> str:
    """The question that the study's first block asks."""
    tasks = {"prefer_pair": "preference", "rate_single": "appeal"}
    block = study.blocks.first()
    return tasks.get(block.task, "detectability") if block else "detectability"


def _defaults(study: Study, question: str) -> dict[str, Any]:
    """What is known of the study, and published standard deviations."""
    known = QUESTIONS[question]
    block = study.blocks.first()
    plan = study.analysis_plan or {}
    trials = block.trials if block else 20
    complete = study.pairs.annotate(members=Count("stimuli")).filter(members__gt=1).count()
    return {
        "question": question,
        "effect": known.effect,
        "participants": study.quota or 100,
        "trials": trials,
        "pairs": max(complete or study.stimuli.count() or trials, 2),
        "sd_participant": known.sd_participant,
        "sd_item": known.sd_item,
        "alpha": plan.get("alpha", 0.05),
    }


def _answer(plan: Plan) -> dict[str, Any]:
    rows = planner.curve(plan)
    power = planner.chance(plan)
    return {
        "plan": plan,
        "power": round(100 * power),
        "needed": [(target, planner.needed(plan, target / 100)) for target in (80, 90, 95)],
        "pairs_needed": planner.pairs_needed(plan, 0.8),
        "chart": Chart.of(rows, plan.participants, power),
        "rows": [(n, round(100 * value)) for n, value in rows[::4]],
        "sentence": planner.sentence(plan),
    }


@dataclass(frozen=True)
class Chart:
    """The power curve in the coordinates of its picture."""

    points: str
    here: tuple[float, float]
    target: float
    x_ticks: list[tuple[float, int]]
    y_ticks: list[tuple[float, int]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM

    @classmethod
    def of(cls, rows: list[tuple[int, float]], participants: int, power: float) -> "Chart":
        """A curve from (participants, power)."""
        top = rows[-1][0]

        def place(n: float, value: float) -> tuple[float, float]:
            x = LEFT + (WIDTH - LEFT - RIGHT) * n / top
            return x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value

        step = _round_step(top)
        return cls(
            points=as_points([place(n, value) for n, value in rows]),
            here=place(participants, power),
            target=place(0, 0.8)[1],
            x_ticks=[(place(n, 0)[0], n) for n in range(0, top + 1, step)],
            y_ticks=[(place(0, share / 100)[1], share) for share in (0, 50, 80, 100)],
        )


def _round_step(top: int) -> int:
    """A round distance of ticks that gives about five of them."""
    for step in (5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000):
        if top / step <= 6:
            return step
    return 5000
