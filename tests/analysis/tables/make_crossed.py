"""Writes crossed.csv, the simulated table on which the tests hold values from R."""

from pathlib import Path

import numpy as np


def main() -> None:
    rng = np.random.default_rng(20250611)
    participant = np.repeat(np.arange(24), 20)
    item = np.tile(np.arange(20), 24)
    x = np.where(rng.permuted(np.tile([True, False], (24, 10)), axis=1).ravel(), 0.5, -0.5)
    person, slope = rng.normal(0, 0.6, 24), rng.normal(0, 0.7, 24) + 0.8
    eta = 0.3 + person[participant] + slope[participant] * x + rng.normal(0, 0.5, 20)[item]
    correct = rng.random(480) < 1 / (1 + np.exp(-eta))
    rating = np.round(eta + rng.normal(0, 1, 480), 3)
    columns = [participant, item, x, correct, rating]
    path = Path(__file__).with_name("crossed.csv")
    np.savetxt(
        path,
        np.column_stack(columns),
        fmt=["%d", "%d", "%.1f", "%d", "%.3f"],
        delimiter=",",
        header="participant,item,x,correct,rating",
        comments="",
    )


if __name__ == "__main__":
    main()
