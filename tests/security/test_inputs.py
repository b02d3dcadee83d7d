"""Damaged files of a researcher: either they are read, or a fault is named. Nothing else."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from survey import demo, design, stimuli
from survey.stimuli import ManifestError, StimulusError
from tests import factories

EXAMPLES = int(os.environ.get("HONMONO_FUZZ", "100"))
short = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

#: Where a byte is changed (as a share of the length) and to what.
changes = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8)
cuts = st.floats(0.05, 1)


def damaged(data: bytes, changed: list[tuple[float, int]], cut: float) -> bytes:
    out = bytearray(data)
    for share, value in changed:
        out[min(int(share * len(out)), len(out) - 1)] = value
    return bytes(out[: max(1, int(cut * len(out)))])


DESIGN = (demo.FOLDER / "demo.toml").read_bytes()


@short
@given(changed=changes, cut=cuts)
def test_damaged_design_is_read_or_refused(changed, cut):
    text = damaged(DESIGN, changed, cut).decode("utf-8", "replace")

    try:
        plan = design.loads(text)
    except (design.StudyFileError, design.DesignError):
        return
    assert design.from_dict(design.to_dict(plan)) == plan


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> bytes:
    """Four pairs and their manifest, zipped."""
    folder = factories.write_images(tmp_path_factory.mktemp("images"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.iterdir()):
            target.write(path, path.name)
    return out.getvalue()


def read_all(path: Path) -> int:
    """Read a manifest and each of its files; returns how many there are, 0 if refused."""
    try:
        return len([row.read() for row in stimuli.read_manifest(path).rows])
    except (ManifestError, StimulusError):
        return 0


@short
@given(changed=changes, cut=cuts)
def test_damaged_archive_is_read_or_refused(changed, cut, archive, tmp_path):
    path = tmp_path / "images.zip"
    path.write_bytes(damaged(archive, changed, cut))

    assert read_all(path) <= 8


@short
@given(changed=changes, cut=cuts)
def test_damaged_manifest_is_read_or_refused(changed, cut, archive, tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, damaged(data, changed, cut) if name.endswith(".csv") else data)

    assert read_all(path) <= 8


def test_undamaged_archive_is_read(archive, tmp_path):
    (tmp_path / "images.zip").write_bytes(archive)

    assert read_all(tmp_path / "images.zip") == 8
