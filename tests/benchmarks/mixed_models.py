"""Our mixed model against R's lme4 and glmmTMB on the same tables, in turn, medians.

Run by hand; R with the packages is `apt-get install r-base-core r-cran-lme4 r-cran-glmmtmb`.

    uv run python -m tests.benchmarks.mixed_models --repeats 3 --out docs/mixed_models.md

Without R only our own times are measured, and the table says so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy import special

SHAPES = {  # participants, trials each, items
    "5,000": (100, 50, 50),
    "100,000": (1000, 100, 500),
    "290,000": (1450, 200, 200),
    "290,000, 1,000 items": (2900, 100, 1000),
    "1,500,000, 5,000 items": (50_000, 30, 5000),
}
OURS_ALONE = {"1,500,000, 5,000 items"}  # the others would take hours
PEAK = "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024"
OURS = f"""
import resource, sys, time
import numpy as np
from analysis.mixed import fit_glmm
y, participant, item = np.loadtxt(sys.argv[1], delimiter=",", skiprows=1, unpack=True)
start = time.process_time()
fit = fit_glmm(y, np.ones((len(y), 1)), {{"participant": participant, "item": item}})
seconds = time.process_time() - start
print(seconds, fit.log_likelihood, fit.coef[0], fit.se[0], {PEAK})
"""
R = """
arguments <- commandArgs(trailingOnly = TRUE)
suppressMessages(library(arguments[2], character.only = TRUE))
d <- read.csv(arguments[1])
fitter <- if (arguments[2] == "lme4") glmer else glmmTMB
start <- proc.time()
fit <- fitter(y ~ 1 + (1 | participant) + (1 | item), d, family = binomial)
used <- proc.time() - start
s <- summary(fit)$coefficients
if (is.list(s)) s <- s$cond
peak <- as.numeric(sub(" kB", "", sub("VmHWM:\\\\s*", "",
  grep("VmHWM", readLines("/proc/self/status"), value = TRUE)))) / 1024
cat(format(c(used[["user.self"]] + used[["sys.self"]], logLik(fit), s[1, 1:2], peak), digits = 12))
"""


def simulate(path: Path, participants: int, trials: int, items: int) -> None:
    rng = np.random.default_rng(1)
    participant = np.repeat(np.arange(participants), trials)
    item = np.concatenate([rng.permutation(items)[:trials] for _ in range(participants)])
    eta = 0.3 + rng.normal(0, 0.5, participants)[participant] + rng.normal(0, 0.5, items)[item]
    y = rng.random(len(eta)) < special.expit(eta)
    rows = np.column_stack([y, participant, item])
    np.savetxt(path, rows, "%d", ",", header="y,participant,item", comments="")


def measure(command: list[str]) -> list[float]:
    """CPU seconds, log-likelihood, intercept, its standard error, peak memory in MB."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(part) for part in done.stdout.split()]


def commands(path: Path, *, alone: bool) -> dict[str, list[str]]:
    found = {"ours": [sys.executable, "-c", OURS, str(path)]}
    if shutil.which("Rscript") and not alone:
        for package in ("lme4", "glmmTMB"):
            found[package] = ["Rscript", "-e", R, str(path), package]
    return found


def compare(name: str, repeats: int) -> dict[str, list[float]]:
    """Medians of each program's figures, measured in turn."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        simulate(path, *SHAPES[name])
        results: dict[str, list[list[float]]] = {}
        for _ in range(repeats):
            for program, command in commands(path, alone=name in OURS_ALONE).items():
                results.setdefault(program, []).append(measure(command))
    return {
        program: [median(column) for column in zip(*rows, strict=True)]
        for program, rows in results.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--shapes", nargs="*", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [
        "| rows | program | CPU s | log-likelihood | intercept | standard error | peak MB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name in options.shapes:
        for program, row in compare(name, options.repeats).items():
            seconds, value, intercept, se, peak = row
            lines.append(
                f"| {name} | {program} | {seconds:.2f} | {value:.5f} | {intercept:.5f} "
                f"| {se:.5f} | {peak:.0f} |"
            )
            print(lines[-1], flush=True)
    if not shutil.which("Rscript"):
        lines.append("\nR was not there: only our own times.")
    if options.out:
        options.out.write_text("\n".join(["# Mixed models", "", *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
