import argparse
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from analysis import power
from analysis.mixed import fit_glmm
from analysis.power import (
    Design,
    add_arguments,
    closed_form,
    participants_needed,
    run,
    simulated,
    standard_error,
)

PLAN = Design(60, 20, 30, share=0.57)


def run_command(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def test_standard_error_is_that_of_simulated_shares():
    rng = np.random.default_rng(1)
    participant = np.repeat(np.arange(60), 20)
    shares = []
    for _ in range(1500):
        item = np.argsort(rng.random((60, 30)), axis=1)[:, :20].ravel()
        eta = PLAN.intercept + rng.normal(0, 0.3, 60)[participant] + rng.normal(0, 0.5, 30)[item]
        shares.append((rng.random(1200) < special.expit(eta)).mean())

    assert np.mean(shares) == pytest.approx(0.57, abs=0.003)
    assert standard_error(PLAN) == pytest.approx(np.std(shares), rel=0.06)


def test_standard_error_without_variation_is_binomial():
    design = replace(PLAN, sd_participant=0.0, sd_item=0.0)

    assert standard_error(design) == pytest.approx(np.sqrt(0.57 * 0.43 / 1200))


def test_closed_form_matches_a_one_sample_t_test():
    # power.t.test(n = 25, delta = 0.07, sd = 5 * 0.023523656241751793,
    #              type = "one.sample", strict = TRUE)$power
    design = Design(400, 25, 25, share=0.57)

    assert standard_error(design) == pytest.approx(0.023523656241751793)
    assert closed_form(design).difference == pytest.approx(0.814572219319, abs=1e-6)


def test_closed_form_at_the_null_is_alpha():
    assert closed_form(replace(PLAN, share=0.5)).difference == pytest.approx(0.05)


def test_closed_form_at_the_bound_of_equivalence_is_alpha():
    design = Design(4000, 100, 400, share=0.55)

    assert closed_form(design).equivalence == pytest.approx(0.05, abs=1e-6)


def test_simulated_power_agrees_with_the_closed_form():
    expected = closed_form(PLAN)

    found = simulated(PLAN, runs=80, seed=2)

    error = np.sqrt(expected.difference * (1 - expected.difference) / 80)
    assert found.difference == pytest.approx(expected.difference, abs=3 * error)
    assert found.width == pytest.approx(expected.width, rel=0.08)
    assert found.runs == 80


def test_simulated_power_does_not_depend_on_the_number_of_processes():
    assert simulated(PLAN, runs=24, jobs=2) == simulated(PLAN, runs=24, jobs=1)


@pytest.mark.filterwarnings("default")  # the cluster's own, when it shuts down
def test_simulated_power_on_a_dask_cluster_is_the_same():
    """Two processes share the work, and the result is that of one."""
    from distributed import LocalCluster
    from distributed.diagnostics.task_stream import TaskStreamPlugin

    with LocalCluster(
        n_workers=2, threads_per_worker=1, protocol="tcp", dashboard_address=None
    ) as cluster:
        seen = TaskStreamPlugin(cluster.scheduler)
        cluster.scheduler.add_plugin(seen)
        found = simulated(PLAN, runs=24, scheduler=cluster.scheduler_address)

    here = simulated(PLAN, runs=24)
    assert len({task["worker"] for task in seen.buffer}) == 2
    assert (found.difference, found.equivalence) == (here.difference, here.equivalence)
    assert found.width == pytest.approx(here.width)


HOPELESS = Design(2, 3, 3, share=0.97, smallest=0.4)


def test_runs_without_a_fit_are_counted_and_have_found_nothing():
    """Six responses, nearly always the same: most runs have nothing to fit."""
    found = simulated(HOPELESS, runs=40)

    assert 25 < found.failed < 40
    assert found.equivalence <= 1 - found.failed / 40
    assert 0 < found.width <= 1


def test_a_fit_that_did_not_converge_is_a_failed_run(monkeypatch):
    """By the model's own flag, whatever its standard error."""
    monkeypatch.setattr(power, "fit_glmm", lambda *a: replace(fit_glmm(*a), converged=False))

    found = simulated(PLAN, runs=3)

    assert (found.runs, found.failed, found.difference, found.equivalence) == (3, 3, 0, 0)
    assert np.isnan(found.width)


def test_command_says_how_many_runs_failed(capsys):
    arguments = ("--participants", "2", "--trials", "3", "--items", "3", "--share", "0.97")

    assert run_command(*arguments, "--runs", "20", "--smallest", "0.4") == 0

    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"the mixed model did not converge in \d+ of them, which count as having found nothing",
        lines[-1],
    )


def test_participants_needed_is_the_fewest():
    needed = participants_needed(Design(2, 40, 200, share=0.57))

    design = Design(needed, 40, 200, share=0.57)
    assert closed_form(design).difference >= 0.8
    assert closed_form(replace(design, participants=needed - 1)).difference < 0.8


def test_participants_do_not_make_up_for_items():
    assert participants_needed(Design(2, 10, 10, share=0.53)) is None


def test_command_plans_a_number_of_participants(capsys):
    assert run_command("--items", "200", "--share", "0.57") == 0

    lines = capsys.readouterr().out.splitlines()
    needed = participants_needed(Design(2, 40, 200, share=0.57))
    assert lines[0] == f"participants needed for a power of 0.8: {needed}"
    assert lines[1].startswith("closed form: difference 0.8")


def test_command_says_when_items_are_too_few(capsys):
    assert run_command("--items", "10", "--trials", "10", "--share", "0.53") == 0

    assert capsys.readouterr().out == (
        "no number of participants reaches a power of 0.8 with 10 items: more items are needed\n"
    )


def test_command_simulates(capsys):
    assert run_command("--participants", "30", "--items", "40", "--runs", "20") == 0

    assert capsys.readouterr().out.splitlines()[1].startswith("20 simulated studies: difference")


def test_command_rejects_an_impossible_design(capsys):
    assert run_command("--participants", "30", "--items", "10", "--trials", "40") == 2

    assert capsys.readouterr().err.startswith("at least 2 participants")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"participants": 1}, "at least 2"),
        ({"share": 1.0}, "between 0 and 1"),
        ({"alpha": 0.5}, "between 0 and"),
        ({"sd_item": -1.0}, "must not be negative"),
        ({"smallest": 0.0}, "above 0"),
        ({"smallest": 0.5}, "on either side"),
    ],
)
def test_design_rejects_impossible_values(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PLAN, **change)


def test_participants_needed_rejects_unknown_outcomes():
    with pytest.raises(ValueError, match="outcome must be"):
        participants_needed(PLAN, outcome="verdict")
    with pytest.raises(ValueError, match="power must lie"):
        participants_needed(PLAN, power=1.0)
