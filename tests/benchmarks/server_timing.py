"""Can the truth be told from how long the server takes?

By hand: `uv run python -m tests.benchmarks.server_timing [PARTICIPANTS]`. A real server on SQLite;
one visitor after the other, each response and each image timed. For each kind of request the AUC
of the time as a detector of the truth, with a 95 % interval (Hanley and McNeil 1982): 0.5 is blind,
and an interval that holds 0.5 shows no leak at this number of requests.
"""

import random
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from math import sqrt
from pathlib import Path

from scipy.stats import rankdata

from tests.faults.crowd import Visitor
from tests.faults.site import Site

PARTICIPANTS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
ROUNDS = 200


def auc(times: list[float], truths: list[bool]) -> tuple[float, float]:
    """Area under the curve of time against truth, and half its 95 % interval."""
    ranks, positive = rankdata(times), sum(truths)
    negative = len(truths) - positive
    total = sum(rank for rank, truth in zip(ranks, truths, strict=True) if truth)
    area = (total - positive * (positive + 1) / 2) / (positive * negative)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positive - 1) * (q1 - area**2) + (negative - 1) * (q2 - area**2)
    return area, 1.96 * sqrt(variance / (positive * negative))


def left_is_ai(folder: Path) -> dict[tuple[str, int], bool]:
    """The truth of every trial, from the server's own database."""
    with closing(sqlite3.connect(folder / "honmono.sqlite3")) as database:
        rows = database.execute(
            """SELECT p.token, t."index", s.origin FROM survey_trial t
               JOIN survey_participant p ON p.id = t.participant_id
               JOIN survey_stimulus s ON s.id = t.left_id"""
        )
        return {(token, index): origin != "real" for token, index, origin in rows}


def time_responses(visitor: Visitor) -> list[tuple[str, int, float]]:
    """Take part once; the time of each response."""
    token, times = visitor.start_part(), []
    state = visitor.json("GET", f"/p/{token}/trials")
    while state["step"] == "trials":
        trial = state["trials"][0]
        payload = visitor.response(state["block"], trial)
        begun = time.perf_counter()
        state = visitor.json("POST", f"/p/{token}/responses", payload)
        times.append((token, trial["number"], time.perf_counter() - begun))
    return times


def time_images(visitor: Visitor, folder: Path) -> tuple[list[float], list[bool]]:
    """Fetch every image many times, each round in another order."""
    with closing(sqlite3.connect(folder / "honmono.sqlite3")) as database:
        stimuli = database.execute("SELECT key, origin FROM survey_stimulus").fetchall()
    times, truths = [], []
    for number in range(ROUNDS):
        random.Random(number).shuffle(stimuli)
        for key, origin in stimuli:
            begun = time.perf_counter()
            visitor.ask("GET", f"/i/{key}.jpg", None, {})
            times.append(time.perf_counter() - begun)
            truths.append(origin != "real")
    return times, truths


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = Site(folder, f"sqlite:///{folder / 'honmono.sqlite3'}")
        site.set_up()
        site.start()
        visitor = Visitor(site.port, 1, threading.Event())
        measured = [one for _n in range(PARTICIPANTS) for one in time_responses(visitor)]
        images, image_truths = time_images(visitor, folder)
        visitor.close()
        truth = left_is_ai(folder)
        site.stop()
    responses = [seconds for _token, _index, seconds in measured]
    truths = [truth[token, index] for token, index, _seconds in measured]
    for what, times, is_ai in (("responses", responses, truths), ("images", images, image_truths)):
        area, half = auc(times, is_ai)
        median = sorted(times)[len(times) // 2] * 1000
        print(f"{what}: n {len(times)}, median {median:.2f} ms, AUC {area:.3f} +- {half:.3f}")


if __name__ == "__main__":
    main()
