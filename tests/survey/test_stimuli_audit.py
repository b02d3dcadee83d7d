"""Both halves meet: what `survey.stimuli` makes passes `analysis.audit`.

Keys and padding are random, so a false alarm is possible: one in a thousand runs (audit.ALPHA).
"""

import csv
from pathlib import Path

import pytest

from analysis.audit import audit
from survey.stimuli import Display, equalise, prepare_all, random_key, read_manifest

DEMO = Path(__file__).parents[2] / "survey/demo/stimuli"
SHARED = Path(__file__).parents[3] / "shared/stimuli"


def audit_after_import(originals: Path, folder: Path, fit: str):
    manifest = read_manifest(originals)
    prepared = prepare_all(manifest, Display(480, 360, fit))
    names = [f"{random_key()}.jpg" for _ in prepared]
    served = equalise({n: image.jpeg for n, image in zip(names, prepared, strict=True)})
    for name in sorted(names):  # in the order of the keys, which is random
        (folder / name).write_bytes(served[name])
    truth = folder / "truth.csv"
    with truth.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "origin", "pair_id"])
        rows = zip(names, manifest.rows, strict=True)
        writer.writerows((name, row.origin, row.pair_id) for name, row in rows)
    return audit(folder, truth)


def test_demo_set_passes_the_audit_and_its_pairs_differ_in_pixels(tmp_path):
    result = audit_after_import(DEMO, tmp_path, "pad")

    assert (result.verdict, result.ai, result.real) == ("nothing_found", 18, 18)
    scan = next(each for each in result.features if each.name == "scan_length within pairs")
    assert (scan.group, scan.status) == ("pixels", "apart")
    assert scan.auc > 0.8


def test_demo_set_as_it_is_does_not_pass_the_audit():
    result = audit(DEMO, DEMO / "manifest.csv")

    leaks = [finding.name for finding in result.features if finding.status == "leak"]
    assert leaks == ["length within pairs"]


def test_careless_set_passes_the_audit_after_import_and_not_before(tmp_path):
    if not SHARED.exists():
        pytest.skip("../shared/stimuli, a set that is not part of the project, is absent")

    before = audit(SHARED, SHARED / "manifest.csv")
    after = audit_after_import(SHARED, tmp_path, "crop")

    assert (before.verdict, before.ai, before.real) == ("leak", 34, 25)
    assert (after.verdict, after.ai, after.real) == ("nothing_found", 34, 25)
    assert all(control.found for control in after.controls)
