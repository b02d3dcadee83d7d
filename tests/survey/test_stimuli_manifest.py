"""Manifests: what is read, and that every fault is named at once."""

import csv
import io
import stat
import struct
import zipfile
from datetime import date
from pathlib import Path

import pytest

from survey.stimuli import (
    Display,
    Fault,
    Limits,
    ManifestError,
    StimulusError,
    equalise,
    near_duplicates,
    prepare_all,
    random_key,
    read_manifest,
)
from tests.stimuli_samples import encoded, photograph

DISPLAY = Display(96, 72)
DEMO = Path(__file__).parents[2] / "survey/demo/stimuli"
SHARED = Path(__file__).parents[3] / "shared/stimuli"


def table(rows: list[list[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path / "stimuli.zip", "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return path / "stimuli.zip"


def two_images(**more: bytes) -> dict[str, bytes]:
    files = {"a.jpg": encoded(photograph(seed=1)), "sub/b.png": encoded(photograph(seed=2), "PNG")}
    manifest = table([["file", "origin"], ["a.jpg", "real"], ["sub/b.png", "ai"]])
    return {"manifest.csv": manifest, **files, **more}


def faults_of(path: Path, limits: Limits | None = None) -> list[Fault]:
    with pytest.raises(ManifestError) as caught:
        read_manifest(path, limits)
    return caught.value.faults


@pytest.mark.parametrize("pack", [folder, archive])
def test_read_manifest_reads_folder_and_zip(pack, tmp_path):
    files = two_images()

    manifest = read_manifest(pack(tmp_path, files))

    assert [(row.number, row.file, row.origin) for row in manifest.rows] == [
        (2, "a.jpg", "real"),
        (3, "sub/b.png", "ai"),
    ]
    assert [row.read() for row in manifest.rows] == [files["a.jpg"], files["sub/b.png"]]
    assert manifest.generators == ()


def test_read_manifest_reads_a_packed_folder(tmp_path):
    files = {f"My set/{name}": data for name, data in two_images().items()}
    files["__MACOSX/My set/._a.jpg"] = b"clutter"

    manifest = read_manifest(archive(tmp_path, files))

    assert [row.file for row in manifest.rows] == ["a.jpg", "sub/b.png"]
    assert manifest.rows[0].read() == files["My set/a.jpg"]


def test_read_manifest_reads_every_column(tmp_path):
    header = "file,origin,pair_id,generator,category,enhancement_level,is_catch,credit,licence"
    header += ",source,prompt,lens"
    row = "a.jpg,enhanced,p1,Gen,animal,0.5,TRUE,Me,CC0,web,a cat,50 mm"
    generators = "name,vendor,kind,open_weights,released,cost_per_image_usd,remark\n"
    generators += "Gen,Lab,diffusion,true,2024-05-06,0.02,good\nOther,,,,,,\n"
    files = {"a.jpg": b"", "generators.csv": generators.encode()}
    files["manifest.csv"] = f"\ufeff{header}\n{row}\n\n".encode()

    manifest = read_manifest(folder(tmp_path, files))

    (stimulus,) = manifest.rows
    assert (stimulus.pair_id, stimulus.generator, stimulus.category) == ("p1", "Gen", "animal")
    assert (stimulus.enhancement_level, stimulus.is_catch) == (0.5, True)
    assert (stimulus.credit, stimulus.licence, stimulus.source) == ("Me", "CC0", "web")
    assert (stimulus.prompt, stimulus.notes) == ("a cat", {"lens": "50 mm"})
    known, unknown = manifest.generators
    assert (known.name, known.vendor, known.kind) == ("Gen", "Lab", "diffusion")
    assert (known.open_weights, known.released) == (True, date(2024, 5, 6))
    assert (known.cost_per_image_usd, known.notes) == (0.02, {"remark": "good"})
    assert (unknown.open_weights, unknown.released, unknown.cost_per_image_usd) == (None,) * 3


def test_read_manifest_takes_generators_from_the_rows_without_a_table(tmp_path):
    rows = [["file", "origin", "generator"], ["a.jpg", "ai", "Gen"], ["b.jpg", "real", ""]]
    files = {"manifest.csv": table(rows), "a.jpg": b"", "b.jpg": b""}

    manifest = read_manifest(folder(tmp_path, files))

    assert [generator.name for generator in manifest.generators] == ["Gen"]


def test_read_manifest_names_every_fault_at_once(tmp_path):
    header = ["file", "origin", "generator", "enhancement_level", "is_catch"]
    rows = [
        ["a.jpg", "fake", "", "", ""],
        ["gone.jpg", "ai", "Unknown", "", ""],
        ["a.jpg", "real", "Gen", "", "yes"],
        ["../a.jpg", "real", "", "0.5", ""],
        ["b.jpg", "enhanced", "Gen", "0", ""],
        ["c.jpg", "ai", "Gen", "lots", ""],
        ["d.jpg", "ai"],
        ["", "ai", "", "inf", ""],
    ]
    generators = [
        ["name", "open_weights", "released", "cost_per_image_usd"],
        ["Gen", "maybe", "last year", "-1"],
        ["Gen", "", "", ""],
    ]
    files = dict.fromkeys(["a.jpg", "b.jpg", "c.jpg", "d.jpg"], b"")
    files |= {"manifest.csv": table([header, *rows]), "generators.csv": table(generators)}

    faults = faults_of(folder(tmp_path, files))

    level = "a number from 0 to 1, or empty"
    assert [(fault.row, fault.column, fault.found, fault.allowed) for fault in faults] == [
        (2, "open_weights", "maybe", "true, false or empty"),
        (2, "released", "last year", "a date like 2025-01-31, or empty"),
        (2, "cost_per_image_usd", "-1", "a number of at least 0, or empty"),
        (3, "name", "Gen", "a name, each once"),
        (2, "origin", "fake", "real, ai, enhanced"),
        (3, "file", "gone.jpg", "a file that is there"),
        (3, "generator", "Unknown", "a name that generators.csv lists"),
        (4, "is_catch", "yes", "true, false or empty"),
        (4, "file", "a.jpg", "each file once"),
        (4, "generator", "Gen", "empty for a real photograph"),
        (5, "file", "../a.jpg", "the name of a file in the same folder or below it"),
        (5, "enhancement_level", "0.5", "0 or empty for a real photograph"),
        (6, "enhancement_level", "0", "more than 0, or empty, for an enhanced photograph"),
        (7, "enhancement_level", "lots", level),
        (8, "", "2", "as many cells as the header has"),
        (9, "enhancement_level", "inf", level),
        (9, "file", "", "a file that is there"),
    ]
    assert {fault.file for fault in faults} == {"generators.csv", "manifest.csv"}


def test_fault_reads_as_one_line():
    fault = Fault("manifest.csv", 3, "origin", "", "real, ai, enhanced")

    assert str(fault) == (
        "manifest.csv, row 3, column origin: found nothing; allowed: real, ai, enhanced"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"file,origin\n",
        b"\xff\xfe\x00",
        b'file,origin\n"open',
        b"file,origin\n" + b"x" * 200_000,
    ],
)
def test_read_manifest_refuses_a_broken_table(content, tmp_path):
    faults = faults_of(folder(tmp_path, {"manifest.csv": content}))

    assert {fault.file for fault in faults} == {"manifest.csv"}


@pytest.mark.parametrize(
    ("header", "column"),
    [("file,kind", "origin"), ("origin", "file"), ("file,origin,origin", "origin")],
)
def test_read_manifest_names_missing_and_repeated_columns(header, column, tmp_path):
    content = f"{header}\n{','.join('x' for _ in header.split(','))}\n".encode()

    faults = faults_of(folder(tmp_path, {"manifest.csv": content, "x": b""}))

    assert (1, column) in [(fault.row, fault.column) for fault in faults]


def test_read_manifest_refuses_a_folder_without_manifest(tmp_path):
    (fault,) = faults_of(folder(tmp_path, {"a.jpg": b""}))

    assert (fault.file, fault.row) == ("manifest.csv", 0)


def test_read_manifest_refuses_what_is_no_archive(tmp_path):
    (tmp_path / "stimuli.zip").write_bytes(b"no archive")

    (fault,) = faults_of(tmp_path / "stimuli.zip")

    assert fault.found == "stimuli.zip: not a folder or a ZIP file"


def test_read_manifest_does_not_follow_links(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    inside = folder(tmp_path / "set", two_images())
    (inside / "a.jpg").unlink()
    (inside / "a.jpg").symlink_to(tmp_path / "secret.jpg")

    (fault,) = faults_of(inside)

    assert (fault.found, fault.allowed) == ("a.jpg", "a file that is there")


def test_read_manifest_finds_names_in_another_unicode_form(tmp_path):
    composed, decomposed = "\u304c.jpg", "\u304b\u3099.jpg"
    rows = table([["file", "origin"], [composed, "ai"]])
    files = {"manifest.csv": rows, decomposed: b"bytes"}

    manifest = read_manifest(archive(tmp_path, files))

    assert manifest.rows[0].read() == b"bytes"


@pytest.mark.parametrize("name", ["../x.jpg", "/x.jpg", "a/../../x.jpg", "C:x.jpg", "a\\..\\x.jpg"])
def test_archive_with_an_unsafe_name_is_refused(name, tmp_path):
    faults = faults_of(archive(tmp_path, two_images(**{name: b"x"})))

    assert [(fault.found, fault.allowed) for fault in faults] == [
        (name, "the name of a file in the same folder or below it")
    ]


def test_archive_with_a_link_is_refused(tmp_path):
    path = archive(tmp_path, two_images())
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(link, "/etc/passwd")

    (fault,) = faults_of(path)

    assert (fault.found, fault.allowed) == ("link.jpg", "a regular file or a folder, no link")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archive_with_a_name_twice_is_refused(tmp_path):
    path = archive(tmp_path, two_images())
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("a.jpg", b"another")

    (fault,) = faults_of(path)

    assert (fault.found, fault.allowed) == ("a.jpg", "each name once")


def test_archive_with_an_encrypted_entry_is_refused(tmp_path):
    path = archive(tmp_path, {"a.jpg": b"x"})
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)

    (fault,) = faults_of(path)

    assert (fault.found, fault.allowed) == ("a.jpg", "an entry that is not encrypted")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(max_files=2), "more than 2 files"),
        (Limits(max_bytes=3_000_000, max_ratio=10_000), "larger than 3000000 bytes"),
        (
            Limits(max_total_bytes=4_000_000, max_ratio=10_000),
            "all files together are larger than 4000000 bytes",
        ),
        (Limits(max_ratio=100), "the ZIP entry expands more than 100 times"),
    ],
)
def test_archive_bombs_are_refused(limits, words, tmp_path):
    path = archive(tmp_path, two_images(**{"zeros.tif": bytes(5_000_000)}))

    (fault,) = faults_of(path, limits)

    assert fault.found.endswith(f": {words}")


def test_archive_that_lies_about_its_sizes_is_refused(tmp_path):
    path = archive(tmp_path, {"zeros.tif": bytes(5_000_000)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\1\2") + 24, 10)
    path.write_bytes(data)

    (fault,) = faults_of(path)

    assert fault.found == "zeros.tif: the file cannot be read"


def test_folder_with_too_many_files_is_refused(tmp_path):
    (fault,) = faults_of(folder(tmp_path, two_images()), Limits(max_files=2))

    assert fault.found.endswith(": more than 2 files")


def test_row_refuses_a_file_that_is_too_large(tmp_path):
    manifest = read_manifest(folder(tmp_path, two_images()), Limits(max_bytes=100))

    with pytest.raises(StimulusError) as caught:
        manifest.rows[0].read()

    assert caught.value.code == "bytes"


def many_images(count: int) -> dict[str, bytes]:
    files = {f"{i}.jpg": encoded(photograph(seed=i)) for i in range(count)}
    rows = [[name, ("real", "ai")[i % 2]] for i, name in enumerate(files)]
    return {"manifest.csv": table([["file", "origin"], *rows]), **files}


@pytest.mark.parametrize("pack", [folder, archive])
def test_prepare_all_gives_the_same_on_one_and_two_processes(pack, tmp_path):
    manifest = read_manifest(pack(tmp_path, many_images(17)))
    steps = []

    alone = prepare_all(manifest, DISPLAY, jobs=1)
    together = prepare_all(manifest, DISPLAY, jobs=2, progress=lambda *step: steps.append(step))

    assert alone == together
    assert steps == [(i, 17) for i in range(1, 18)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_prepare_all_holds_no_image_when_it_writes_them(tmp_path, jobs):
    manifest = read_manifest(folder(tmp_path / "in", many_images(17)))
    (tmp_path / "out").mkdir()

    held = prepare_all(manifest, DISPLAY, jobs=jobs, folder=tmp_path / "out")

    assert {image.jpeg for image in held} == {b""}
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    wanted = prepare_all(manifest, DISPLAY, jobs=1)
    rows = zip(manifest.rows, wanted, strict=True)
    assert written == {f"{row.number}.jpg": image.jpeg for row, image in rows}


def test_prepare_all_names_every_fault_at_once(tmp_path):
    files = many_images(5)
    files["1.jpg"] = files["1.jpg"][:-100]
    files["2.jpg"] = b"text"
    files["4.jpg"] = files["0.jpg"]
    manifest = read_manifest(folder(tmp_path, files))

    with pytest.raises(ManifestError) as caught:
        prepare_all(manifest, DISPLAY)

    assert [(fault.row, fault.column, fault.found) for fault in caught.value.faults] == [
        (3, "file", "1.jpg: the image ends too early"),
        (4, "file", "2.jpg: not a JPEG, PNG, WebP, AVIF or TIFF image"),
        (6, "file", "4.jpg: the same file as 0.jpg"),
    ]


def test_near_duplicates_are_reported_by_pair_and_origin(tmp_path):
    picture, other = photograph(seed=1), photograph(seed=2)
    rows = [
        ["file", "origin", "pair_id"],
        ["a.jpg", "real", "p"],
        ["b.jpg", "enhanced", "p"],
        ["c.jpg", "real", ""],
        ["d.jpg", "real", "q"],
    ]
    files = {
        "manifest.csv": table(rows),
        "a.jpg": encoded(picture, quality=90),
        "b.jpg": encoded(picture, quality=60),
        "c.jpg": encoded(picture.resize((90, 60))),
        "d.jpg": encoded(other),
    }
    manifest = read_manifest(folder(tmp_path, files))

    near = near_duplicates(manifest, prepare_all(manifest, DISPLAY))

    found = [(n.first.file, n.second.file, n.is_same_pair, n.is_across_origins) for n in near]
    assert found == [
        ("a.jpg", "b.jpg", True, True),
        ("a.jpg", "c.jpg", False, False),
        ("b.jpg", "c.jpg", False, True),
    ]


def test_random_keys_are_safe_and_differ():
    keys = {random_key() for _ in range(1000)}

    assert len(keys) == 1000
    assert all(key.isalnum() and key == key.lower() and len(key) == 32 for key in keys)


def test_demo_set_becomes_stimuli_of_one_length():
    manifest = read_manifest(DEMO)

    prepared = prepare_all(manifest, Display(480, 360))
    served = equalise({random_key(): stimulus.jpeg for stimulus in prepared})

    assert len(manifest.rows) == 36
    assert len({len(jpeg) for jpeg in served.values()}) == 1
    near = near_duplicates(manifest, prepared)
    assert {duplicate.is_same_pair for duplicate in near} == {True}
    assert len(near) == 13


def test_careless_set_becomes_stimuli():
    if not SHARED.exists():
        pytest.skip("../shared/stimuli, a set that is not part of the project, is absent")
    manifest = read_manifest(SHARED)

    prepared = prepare_all(manifest, Display(480, 360, "crop"))

    assert len(prepared) == 59
    assert [row.origin for row in manifest.rows].count("real") == 25
