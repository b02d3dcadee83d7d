"""Files that are not one complete image: each is refused with its own reason."""

import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from survey.stimuli import Display, StimulusError, errors, prepare
from survey.stimuli.containers import MAX_SCANS
from survey.stimuli.errors import MESSAGES
from tests.stimuli_samples import encoded, photograph

DISPLAY = Display(64, 48)
KINDS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")
VALID = {kind: encoded(photograph(), kind) for kind in KINDS}


def code_of(data: bytes) -> str:
    with pytest.raises(StimulusError) as caught:
        prepare(data, DISPLAY)
    return caught.value.code


def zip_file() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("payload.txt", "payload")
    return file.getvalue()


def frames(kind: str) -> bytes:
    pictures = [photograph(seed=seed) for seed in range(2)]
    return encoded(pictures[0], kind, save_all=True, append_images=pictures[1:])


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that claims to have many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def many_scans() -> bytes:
    jpeg = encoded(photograph(), progressive=True)
    at = jpeg.rindex(b"\xff\xda")
    return jpeg[:at] + jpeg[at:-2] * MAX_SCANS + b"\xff\xd9"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?><svg/>",
        b"%PDF-1.7",
        b"GIF89a" + bytes(40),
        encoded(photograph(), "GIF"),
        encoded(photograph(), "BMP"),
        encoded(photograph(), "JPEG2000"),
        zip_file(),
        bytes(4) + b"ftypheic" + bytes(60),
    ],
)
def test_check_refuses_other_formats(data):
    assert code_of(data) in {"format", "damaged"}


@pytest.mark.parametrize("kind", ["MPO", "PNG", "WEBP", "AVIF", "TIFF"])
def test_check_refuses_more_than_one_frame(kind):
    assert code_of(frames(kind)) == "frames"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_check_refuses_truncated(kind, share):
    data = VALID[kind]

    assert code_of(data[: int(len(data) * share)]) in {"truncated", "damaged", "trailing", "format"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("tail", [b"x", b"\xff\xd8\xff", b"<b>text</b>" * 9, VALID["JPEG"]])
def test_check_refuses_bytes_after_the_end(kind, tail):
    assert code_of(VALID[kind] + tail) in {"trailing", "damaged"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", [zip_file(), b"<SCRIPT>alert(1)</SCRIPT>", b"<?php system();"])
def test_check_refuses_polyglots(kind, tail):
    assert code_of(VALID[kind] + tail) in {"polyglot", "trailing", "damaged"}


@pytest.mark.parametrize(
    ("comment", "found"),
    [(zip_file(), "ZIP"), (b"%PDF-1.4", "PDF"), (b"<script>1</script>", "HTML")],
)
def test_check_refuses_polyglots_inside_a_segment(comment, found):
    with pytest.raises(StimulusError) as caught:
        prepare(encoded(photograph(), comment=comment), DISPLAY)

    assert caught.value.code == "polyglot"
    assert str(caught.value) == f"the file is an image and {found} at once"


def test_check_accepts_zeros_after_the_end():
    assert prepare(VALID["JPEG"] + bytes(512), DISPLAY).original_format == "JPEG"


@pytest.mark.parametrize("size", [(10_000, 9_000), (40_000, 40_000), (2**31 - 1, 2**31 - 1)])
def test_check_refuses_decompression_bombs(size):
    assert code_of(bomb(*size)) in {"pixels", "damaged"}


def test_check_refuses_a_bomb_that_pillow_only_warns_of():
    limit = Image.MAX_IMAGE_PIXELS
    side = int(limit**0.5) + 1000
    assert limit < side**2 < 2 * limit

    assert code_of(bomb(side, side)) == "pixels"


def test_check_refuses_thousands_of_scans():
    assert code_of(many_scans()) == "scans"


def test_check_refuses_a_png_with_a_wrong_checksum():
    data = bytearray(VALID["PNG"])
    data[30] ^= 1

    assert code_of(bytes(data)) == "damaged"


def test_error_survives_the_way_between_processes():
    error = StimulusError("pixels", found=5, limit=4)

    again = pickle.loads(pickle.dumps(error))

    assert (again.code, again.params, str(again)) == (error.code, error.params, str(error))
    assert str(error) == "5 pixels; at most 4 are allowed"


def test_every_message_is_found_by_makemessages():
    source = Path(errors.__file__).read_text(encoding="utf-8")

    assert source.count("gettext_noop(") == len(MESSAGES) + 1


@pytest.mark.filterwarnings("ignore")
@given(
    kind=st.sampled_from(KINDS),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.floats(0, 1),
)
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_give_a_stimulus_or_a_stimulus_error(kind, changes, cut):
    data = bytearray(VALID[kind])
    for place, value in changes:
        data[int(place * len(data))] = value
    damaged = bytes(data[: max(int(cut * 2 * len(data)), 1)])

    try:
        jpeg = prepare(damaged, DISPLAY).jpeg
    except StimulusError:
        return
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == (DISPLAY.width, DISPLAY.height)


@given(data=st.binary(max_size=200), head=st.sampled_from([b"", *(v[:40] for v in VALID.values())]))
@settings(max_examples=200, deadline=None)
def test_noise_gives_a_stimulus_error(data, head):
    with pytest.raises(StimulusError):
        prepare(head + data, DISPLAY)
