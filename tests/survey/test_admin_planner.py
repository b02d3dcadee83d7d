"""The sample size planner: what it says, where it stops, and that it asks the worker."""

import argparse
from dataclasses import replace

import numpy as np
import pytest
from django.urls import reverse
from scipy import stats

from analysis import power
from survey import planner, roles
from survey.models import Report
from survey.planner import QUESTIONS, Plan

PLAN = Plan("detectability", 0.6, 100, 40, 40, sd_participant=0.46, sd_item=0.53)


@pytest.fixture
def page(study, client, django_user_model, settings):
    """The planner's address for a signed-in owner."""
    settings.CLOSED_LAB = True
    user = django_user_model.objects.create_user("owner", is_staff=True)
    roles.make_owner(user, study)
    client.force_login(user)
    return reverse("admin:survey_study_planner", args=[study.pk])


def asked(plan: Plan) -> dict[str, object]:
    """What the form sends."""
    names = ("question", "effect", "participants", "trials", "pairs")
    values = {name: getattr(plan, name) for name in (*names, "sd_participant", "sd_item", "alpha")}
    return values | {"was": plan.question}


def test_chance_is_that_of_the_analysis():
    design = power.Design(100, 40, 40, share=0.6, sd_participant=0.46, sd_item=0.53)
    assert planner.chance(PLAN) == power.closed_form(design).difference


def test_chance_of_equivalence_supposes_no_effect():
    plan = replace(PLAN, question="equivalence", effect=0.1)
    design = power.Design(100, 40, 40, share=0.5, smallest=0.1, sd_participant=0.46, sd_item=0.53)
    assert planner.chance(plan) == power.closed_form(design).equivalence


def test_chance_of_a_rating_difference_agrees_with_a_simulation():
    plan = Plan("appeal", 0.2, 60, 30, 30, sd_participant=0.2, sd_item=0.3)
    assert planner.chance(plan) == pytest.approx(simulated_rating_power(plan), abs=0.03)


def simulated_rating_power(plan: Plan, runs: int = 2000) -> float:
    """The same question by brute force: the mean's own variance known, t on the fewer levels."""
    rng = np.random.default_rng(1)
    n, k = plan.participants, plan.pairs
    means = (
        plan.effect
        + rng.normal(0, plan.sd_participant, (runs, n)).mean(axis=1)
        + rng.normal(0, plan.sd_item, (runs, k)).mean(axis=1)
        + rng.normal(0, np.sqrt(2 / (n * plan.trials)), runs)
    )
    variance = plan.sd_participant**2 / n + plan.sd_item**2 / k + 2 / (n * plan.trials)
    df = min(n, k) - 1
    estimated = variance * rng.chisquare(df, runs) / df
    return float(np.mean(np.abs(means) / np.sqrt(estimated) > stats.t.isf(plan.alpha / 2, df)))


@pytest.mark.parametrize("question", QUESTIONS)
def test_needed_is_the_first_number_that_suffices(question):
    plan = Plan(question, QUESTIONS[question].effect, 100, 100, 400, 0.3, 0.2)
    plan = replace(plan, effect=0.1) if question == "equivalence" else plan
    n = planner.needed(plan, 0.8)
    before, at = (planner.chance(replace(plan, participants=m)) for m in (n - 1, n))
    assert before < 0.8 <= at


def test_few_images_set_a_limit_that_participants_do_not_lift():
    plan = replace(PLAN, pairs=4, effect=0.55)
    assert planner.needed(plan, 0.8) is None
    assert planner.pairs_needed(plan, 0.8) > 4


def test_curve_rises():
    values = [value for _n, value in planner.curve(PLAN)]
    assert values == sorted(values)


@pytest.mark.parametrize("question", QUESTIONS)
def test_page_answers_every_question_with_a_sentence(question, page, client):
    answer = client.get(page, {"question": question})
    assert answer.context["plan"].question == question
    assert str(answer.context["plan"].participants) in answer.context["sentence"]
    assert '<svg class="curve"' in answer.content.decode()


def test_page_takes_over_what_is_known_of_the_study(page, client, study):
    study.quota = 40
    study.save()
    plan = client.get(page).context["plan"]
    assert (plan.question, plan.participants, plan.trials, plan.pairs) == ("preference", 40, 4, 4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("effect", 0.5), ("effect", 1.2), ("participants", 1), ("pairs", "many"), ("alpha", 0.9)],
)
def test_page_names_what_cannot_be(name, value, page, client):
    answer = client.get(page, asked(PLAN) | {name: value})
    assert (list(answer.context["form"].errors), "plan" in answer.context) == ([name], False)


def test_simulation_is_asked_of_the_worker_and_found_again(page, client, study):
    answer = client.post(page, asked(PLAN))
    report = Report.objects.get(study=study)
    assert report.kind == Report.Kind.POWER
    assert report.options == planner.options(PLAN, 500)
    again = client.get(answer.url)
    assert again.context["simulation"] == report
    other = client.get(page, asked(replace(PLAN, participants=90)))
    assert other.context["simulation"] is None


def test_options_are_those_of_the_command():
    parser = argparse.ArgumentParser()
    power.add_arguments(parser)
    options = planner.options(PLAN, 500)
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    parsed = vars(parser.parse_args(arguments))
    assert {name: parsed[name] for name in options} == options


def test_planner_counts_single_images_where_there_are_no_pairs(page, client, study):
    study.stimuli.update(pair=None)
    study.pairs.all().delete()
    assert client.get(page).context["plan"].pairs == 8
