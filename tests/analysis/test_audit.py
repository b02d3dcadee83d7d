"""The leak audit: it finds every kind of leak, and is silent where there is none."""

import csv
import io
import json
import os
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.audit import AuditError, audit, planted, run
from analysis.audit.leakage import (
    Design,
    adjusted_p,
    auc_interval,
    similarity,
    too_few,
)
from analysis.audit.served import Feature, Served, parse_jpeg

PER_ORIGIN = 14


def jpeg(rng: np.random.Generator, detail: int = 60, **options) -> bytes:
    noise = rng.integers(128 - detail, 128 + detail, (32, 48, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", **{"quality": 80, **options})
    return file.getvalue()


def filled(data: bytes, length: int, rng: np.random.Generator) -> bytes:
    """Return the JPEG with one random comment that makes it `length` bytes long."""
    size = length - len(data)
    comment = rng.integers(0, 255, size - 4, dtype=np.uint8).tobytes()
    return data[:2] + b"\xff\xfe" + (size - 2).to_bytes(2, "big") + comment + data[2:]


class Folder:
    """Served images that give nothing away, until a test changes something."""

    def __init__(self, path: Path, per_origin: int = PER_ORIGIN, seed: int = 0) -> None:
        self.path = path
        self.rng = np.random.default_rng(seed)
        count = 2 * per_origin
        self.is_ai = self.rng.permutation(count) % 2 == 0
        self.names = [f"{self.rng.bytes(8).hex()}.jpg" for _ in range(count)]
        plain = [jpeg(self.rng) for _ in range(count)]
        length = max(map(len, plain)) + 4
        self.data = [filled(data, length, self.rng) for data in plain]
        self.moments = self.rng.permutation(count)
        self.pairs = [""] * count
        self.headers: list[dict[str, str]] = [{"Content-Type": "image/jpeg"} for _ in plain]

    def __len__(self) -> int:
        return len(self.names)

    def write(self) -> tuple[Path, Path, Path]:
        served = self.path / "served"
        served.mkdir()
        for name, data, moment in zip(self.names, self.data, self.moments, strict=True):
            (served / name).write_bytes(data)
            os.utime(served / name, ns=(0, int(moment) * 10**9))
        headers = self.path / "headers.json"
        headers.write_text(json.dumps(dict(zip(self.names, self.headers, strict=True))))
        return served, self.write_truth(), headers

    def write_truth(self) -> Path:
        truth = self.path / "truth.csv"
        with truth.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "origin", "pair_id"])
            origins = ["ai" if ai else "real" for ai in self.is_ai]
            writer.writerows(zip(self.names, origins, self.pairs, strict=True))
        return truth

    def audit(self):
        return audit(*self.write())

    def leaks(self) -> set[str]:
        return {finding.name for finding in self.audit().features if finding.status == "leak"}


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path)


def test_audit_is_silent_where_nothing_leaks(folder):
    result = folder.audit()

    assert (result.verdict, result.blocks) == ("nothing_found", False)
    assert (result.ai, result.real) == (PER_ORIGIN, PER_ORIGIN)
    assert all(control.found and control.auc >= 0.95 for control in result.controls)
    assert [control.name for control in result.controls] == [
        "names",
        "lengths",
        "tables",
        "metadata",
    ]
    constant = {finding.name for finding in result.features if finding.status == "constant"}
    assert {"length", "width", "quantisation", "huffman", "metadata", "segments"} <= constant
    for finding in result.features:
        if finding.auc is not None:
            assert 0 <= finding.low <= finding.auc <= finding.high <= 1
            assert finding.n == len(folder)


def rename(folder: Folder) -> None:
    numbers = folder.rng.permutation(1000)
    folder.names = [
        f"{'dalle' if ai else 'own'}-{number:03}.jpg"
        for ai, number in zip(folder.is_ai, numbers, strict=False)
    ]


def lengthen(folder: Folder) -> None:
    folder.data = [
        data + bytes(int(folder.rng.integers(5, 50)) + 60 * ai)
        for data, ai in zip(folder.data, folder.is_ai, strict=True)
    ]


def lengthen_to_the_middle(folder: Folder) -> None:
    """Real images are short or long, AI images in between: no trend, and still a leak."""
    for i, ai in enumerate(folder.is_ai):
        away = 0 if ai else 400 * folder.rng.choice([-1, 1])
        folder.data[i] += bytes(1000 + int(away) + int(folder.rng.integers(50)))


def encode_anew(folder: Folder, **options) -> None:
    for i, ai in enumerate(folder.is_ai):
        if ai:
            folder.data[i] = filled(jpeg(folder.rng, **options), 9000, folder.rng)
        else:
            folder.data[i] = filled(jpeg(folder.rng), 9000, folder.rng)


def quantise(folder: Folder) -> None:
    encode_anew(folder, quality=81)


def sample_colours(folder: Folder) -> None:
    encode_anew(folder, subsampling="4:4:4")


def make_progressive(folder: Folder) -> None:
    encode_anew(folder, progressive=True)


def optimise(folder: Folder) -> None:
    encode_anew(folder, optimize=True)


def describe(folder: Folder) -> None:
    exif = Image.Exif()
    exif[0x0131] = "Midjourney"
    encode_anew(folder, exif=exif)


def comment(folder: Folder) -> None:
    encode_anew(folder, comment=b"generated")


def order_by_origin(folder: Folder) -> None:
    folder.moments = folder.moments + 1000 * folder.is_ai


def tag(folder: Folder) -> None:
    for headers, ai in zip(folder.headers, folder.is_ai, strict=True):
        headers["ETag"] = f'"{folder.rng.bytes(4).hex()}-{"a" if ai else "b"}"'


def omit_header(folder: Folder) -> None:
    for headers, ai in zip(folder.headers, folder.is_ai, strict=True):
        if ai:
            headers["Age"] = "1"


def date(folder: Folder) -> None:
    for headers, ai in zip(folder.headers, folder.is_ai, strict=True):
        day = folder.rng.integers(10, 20) + 10 * ai
        headers["Last-Modified"] = f"Mon, {day} Nov 2025 10:00:00 GMT"


def reorder_headers(folder: Folder) -> None:
    for i, ai in enumerate(folder.is_ai):
        pairs = [("A", "1"), ("B", "2")]
        folder.headers[i] = dict(pairs[::-1] if ai else pairs)


@pytest.mark.parametrize(
    ("leak", "shown_by"),
    [
        (rename, {"name_letters", "name_length", "name_order"}),
        (lengthen, {"length", "trailing_length"}),
        (lengthen_to_the_middle, {"length", "trailing_length"}),
        (quantise, {"quantisation", "quantisation_sum"}),
        (sample_colours, {"frame"}),
        (make_progressive, {"frame", "segments", "huffman", "huffman_length"}),
        (optimise, {"huffman", "huffman_length"}),
        (describe, {"segments", "metadata", "metadata_length", "metadata_words"}),
        (comment, {"metadata_words"}),
        (order_by_origin, {"created_order"}),
        (tag, {"header etag"}),
        (omit_header, {"header age", "header_order"}),
        (date, {"header last-modified"}),
        (reorder_headers, {"header_order"}),
    ],
)
def test_audit_finds_leak(leak, shown_by, folder):
    leak(folder)

    result = folder.audit()

    assert (result.verdict, result.blocks) == ("leak", True)
    leaking = [finding for finding in result.features if finding.status == "leak"]
    assert {finding.name for finding in leaking} == shown_by
    assert all(finding.auc > 0.8 and finding.p <= 0.001 for finding in leaking)


def test_audit_finds_the_format(folder):
    for i, ai in enumerate(folder.is_ai):
        if ai:
            file = io.BytesIO()
            Image.new("RGB", (48, 32)).save(file, "PNG")
            folder.data[i] = file.getvalue()

    assert "format" in folder.leaks()


def test_audit_reports_what_follows_from_pixels_apart(folder):
    for i, ai in enumerate(folder.is_ai):
        folder.data[i] = filled(jpeg(folder.rng, detail=20 if ai else 60), 9000, folder.rng)

    result = folder.audit()

    assert result.verdict == "nothing_found"
    pixels = {finding.name: finding for finding in result.features if finding.group == "pixels"}
    assert set(pixels) == {"scan_length", "padding_length"}
    for finding in pixels.values():
        assert finding.status == "apart"
        assert finding.auc > 0.95
        assert finding.low > 0.7
        assert finding.p is None


def test_audit_compares_within_pairs(folder):
    order = np.argsort(~folder.is_ai)
    for number in range(PER_ORIGIN):
        ai, real = order[number], order[number + PER_ORIGIN]
        motif = 100 * int(folder.rng.integers(30))
        folder.pairs[ai] = folder.pairs[real] = f"pair {number}"
        folder.data[real] += bytes(motif)
        folder.data[ai] += bytes(motif + int(folder.rng.integers(1, 40)))

    leaks = folder.leaks()

    assert leaks == {"length within pairs", "trailing_length within pairs"}


@pytest.mark.parametrize("per_origin", [2, 5])
def test_audit_says_where_images_are_too_few(per_origin, tmp_path):
    result = Folder(tmp_path, per_origin).audit()

    assert (result.verdict, result.blocks) == ("too_few", False)
    assert result.warnings[0].startswith(f"With {per_origin} AI and {per_origin} real images")
    assert {f.status for f in result.features if f.group == "served"} == {"constant", "undecided"}


def test_audit_is_broken_where_a_planted_leak_is_not_found(folder, monkeypatch):
    _, shown_by = planted.PLANTED["names"]
    monkeypatch.setitem(planted.PLANTED, "names", (lambda images, is_ai: images, shown_by))

    result = folder.audit()

    assert (result.verdict, result.blocks) == ("broken", True)
    assert [control.name for control in result.controls if not control.found] == ["names"]


def test_audit_compares_a_sample_of_many_images(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.audit.LARGEST_SAMPLE", 24)
    folder = Folder(tmp_path)
    rename(folder)

    result = folder.audit()

    assert result.verdict == "leak"
    assert {finding.n for finding in result.features if finding.auc is not None} == {24}
    assert {finding.n for finding in result.features if finding.auc is None} == {len(folder)}
    assert "Features that vary were compared on a random sample of 24 images." in result.warnings


def test_run_gives_code_text_and_json(folder):
    served, truth, headers = folder.write()

    code, text, result = run(served, truth, headers)

    assert code == 0
    assert text.splitlines()[1].startswith("NOTHING FOUND")
    assert json.loads(json.dumps(result))["verdict"] == "nothing_found"
    assert run(served, truth, headers) == (code, text, result)


def test_run_says_that_headers_are_missing_and_files_are_left_out(folder):
    served, truth, _ = folder.write()
    (served / "another.jpg").write_bytes(b"")

    code, _, result = run(served, truth)

    assert code == 0
    assert result["warnings"] == (
        "No response headers were given, so none were audited.",
        "Files in the folder that the truth file does not list, not audited: 1.",
    )


def test_run_reports_a_leak_by_its_exit_code(folder):
    rename(folder)
    served, truth, headers = folder.write()

    code, text, result = run(served, truth, headers)

    assert (code, result["verdict"]) == (1, "leak")
    assert text.splitlines()[1].startswith("LEAK")


def test_run_names_every_fault_of_the_truth(folder):
    served, truth, _ = folder.write()
    name = folder.names[0]
    truth.write_text(f"file,origin\n{name},fake\n{name},ai\n../x.jpg,real\ngone.jpg,real\n")

    code, text, result = run(served, truth)

    assert (code, result) == (2, {})
    assert text.splitlines() == [
        f"{truth}, row 2, origin: found 'fake'; allowed: real, ai, enhanced",
        f"{truth}, row 3, file: found '{name}'; allowed: a file in {served}, once",
        f"{truth}, row 4, file: found '../x.jpg'; allowed: a file in {served}, once",
        f"{truth}, row 5, file: found 'gone.jpg'; allowed: a file in {served}, once",
        f"{truth}: fewer than two images of origin ai or enhanced",
    ]


@pytest.mark.parametrize("content", ["", "name,origin\nx,ai\n", "file\nx\n", "\0"])
def test_audit_refuses_a_truth_without_columns(content, folder):
    served, truth, _ = folder.write()
    truth.write_text(content)

    with pytest.raises(AuditError, match=r"truth\.csv"):
        audit(served, truth)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"x": 1}'])
def test_audit_refuses_headers_that_do_not_fit(content, folder):
    served, truth, headers = folder.write()
    headers.write_text(content)

    with pytest.raises(AuditError, match=r"headers\.json"):
        audit(served, truth, headers)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 1}]
)
def test_parse_jpeg_keeps_every_byte(options):
    data = jpeg(np.random.default_rng(0), comment=b"words", **options) + b"tail"

    parts = parse_jpeg(data)

    assert parts.to_bytes() == data
    assert parts.trailing == b"tail"
    assert parts.contents(0xFE) == b"words"


@pytest.mark.parametrize("plant", [plant for plant, _ in planted.PLANTED.values()])
def test_planted_leak_changes_nothing_else(plant):
    rng = np.random.default_rng(0)
    images = [Served(f"{i}.jpg", jpeg(rng)) for i in range(6)]

    changed = plant(images, [True, False] * 3)

    scans = [parse_jpeg(image.data).scan for image in images]
    assert [parse_jpeg(image.data).scan for image in changed] == scans
    assert changed != images
    assert [replace(image, name="", data=b"") for image in changed] == [Served("", b"")] * 6


def naive_auc(matrix, unit, is_ai) -> float:
    total, couples = 0.0, 0
    for i, j in product(np.flatnonzero(is_ai), np.flatnonzero(~is_ai)):
        others = [k for k in range(len(unit)) if unit[k] not in (unit[i], unit[j])]
        scores = []
        for own in (i, j):
            weight = 0.5 + sum(matrix[own, k] for k in others)
            scores.append(0.5 * is_ai.mean() + sum(matrix[own, k] * is_ai[k] for k in others))
            scores[-1] /= weight
        difference = scores[0] - scores[1]
        total += 0.5 if abs(difference) < 1e-9 else difference > 0
        couples += 1
    return total / couples


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("kind", ["number", "category"])
def test_auc_agrees_with_a_naive_one(paired, kind):
    rng = np.random.default_rng(4)
    is_ai = np.array([True, False] * 8)
    pair = np.repeat(np.arange(8), 2) if paired else np.full(16, -1)
    design = Design(is_ai, np.where(np.arange(16) < 12, pair, -1))
    values = tuple((rng.integers(0, 6, 16) + is_ai).astype(float).tolist())
    seen = similarity(Feature("x", kind, "served", values), design)

    assert seen.auc(is_ai) == pytest.approx(naive_auc(seen.matrix, seen.unit, is_ai))


@pytest.mark.parametrize("paired", [False, True])
def test_auc_of_a_feature_that_says_nothing_is_one_half_on_average(paired):
    rng = np.random.default_rng(5)
    is_ai = np.array([True, False] * 10)
    design = Design(is_ai, np.repeat(np.arange(10), 2) if paired else np.full(20, -1))
    aucs = [
        similarity(Feature("x", "number", "served", tuple(rng.random(20))), design).auc(is_ai)
        for _ in range(500)
    ]

    assert np.mean(aucs) == pytest.approx(0.5, abs=4 * np.std(aucs) / np.sqrt(500))


def test_auc_of_a_constant_within_pairs_is_one_half():
    is_ai = np.array([True, False] * 6)
    values = tuple(np.repeat(np.arange(6.0), 2))
    matrix = similarity(
        Feature("x", "number", "served", values), Design(is_ai, np.repeat(np.arange(6), 2))
    )

    assert matrix.auc(is_ai) == 0.5


@pytest.mark.parametrize(("auc", "n_ai", "n_real"), [(0.5, 18, 18), (0.9, 12, 30), (1, 10, 10)])
def test_interval_holds_the_aucs_that_are_within_z_standard_errors(auc, n_ai, n_real):
    low, high = auc_interval(auc, n_ai, n_real)

    inside = []
    for theta in np.linspace(0.0005, 0.9995, 2000):
        mean = (n_ai + n_real) / 2 - 1
        shape = 1 + mean * (1 - theta) / (2 - theta) + mean * theta / (1 + theta)
        error = np.sqrt(theta * (1 - theta) * shape / (n_ai * n_real))
        if abs(auc - theta) <= 1.959964 * error:
            inside.append(theta)
    assert low == pytest.approx(min(inside), abs=1e-3)
    assert high == pytest.approx(max(inside) if auc < 1 else 1, abs=1e-3)


def test_interval_covers_the_true_auc():
    rng = np.random.default_rng(6)
    truth, inside = 0.7602, 0  # of two normals that differ by one standard deviation
    for _ in range(1000):
        ai, real = rng.normal(1, 1, 18), rng.normal(0, 1, 18)
        low, high = auc_interval(float((ai[:, None] > real[None, :]).mean()), 18, 18)
        inside += low <= truth <= high

    assert 0.93 <= inside / 1000 <= 0.98


def test_interval_is_mirrored():
    low, high = auc_interval(0.8, 11, 17)

    assert auc_interval(0.2, 11, 17) == pytest.approx((1 - high, 1 - low))


def test_too_few_ends_with_eight_of_each():
    assert [too_few(n, n) for n in (2, 7, 8, 18)] == [True, True, False, False]


def test_adjusted_p_agrees_with_a_naive_count():
    rng = np.random.default_rng(7)
    is_ai = np.array([True, False] * 6)
    design = Design(is_ai, np.full(12, -1))
    features = [
        similarity(Feature("x", "number", "served", tuple(rng.random(12) + is_ai)), design),
        similarity(Feature("y", "category", "served", tuple("abc" * 4)), design),
    ]
    labels = design.shuffled(rng, 199)

    columns = [column for each in features for column in each.statistics(labels)]
    shares = np.array([[np.mean(c >= value) for value in c] for c in columns])
    smallest = shares.min(axis=0)
    own = [shares[:2, 0].min(), shares[2, 0]]
    assert adjusted_p(features, labels) == [np.mean(smallest <= p) for p in own]


def test_false_alarms_are_as_rare_as_promised():
    alpha, sets, alarms = 0.05, 400, 0
    rng = np.random.default_rng(8)
    is_ai = np.arange(20) % 2 == 0
    pair = np.where(np.arange(20) < 12, np.arange(20) // 2, -1)
    for _ in range(sets):
        design = Design(is_ai, pair)
        numbers = [tuple(rng.random(20)) for _ in range(3)]
        features = [
            *(Feature("x", "number", "served", values) for values in numbers),
            Feature("y", "category", "served", tuple(rng.choice(list("abc"), 20))),
        ]
        seen = [similarity(feature, design) for feature in features]
        alarms += min(adjusted_p(seen, design.shuffled(rng, 199))) <= alpha

    # Binomial with n = 400, p = 0.05: the mean is 20, its standard deviation 4.4.
    assert 7 <= alarms <= 33


def test_swapped_labels_stay_within_pairs():
    is_ai = np.array([True, False, True, False, True, True, False])
    design = Design(is_ai, np.array([0, 0, 1, 1, 2, 2, -1]))

    labels = design.swapped(np.random.default_rng(9), 500)

    assert np.array_equal(labels[0], is_ai)
    assert np.all(labels[:, 0] + labels[:, 1] == 1)
    assert np.all(labels[:, 2] + labels[:, 3] == 1)
    assert np.all(labels[:, 4:] == is_ai[4:])
    assert 0.4 < labels[1:, 0].mean() < 0.6
