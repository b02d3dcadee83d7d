"""Leaks that the audit plants itself: what it must find before its silence means anything."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image

from .served import Jpeg, Served, parse_jpeg

_DQT, _COM, _APP1 = 0xDB, 0xFE, 0xE1


def plant_names(images: list[Served], is_ai: list[bool]) -> list[Served]:
    """Name the images after their origin and a number, as in a careless folder."""
    numbers = np.random.default_rng(0).permutation(10_000 + len(images))[: len(images)]
    return [
        replace(image, name=f"{'ai' if ai else 'real'}_{number}.jpg")
        for image, ai, number in zip(images, is_ai, numbers, strict=True)
    ]


def plant_lengths(images: list[Served], is_ai: list[bool]) -> list[Served]:
    """Fill all images up to one length, those of AI to a slightly greater one."""
    longest = max(len(image.data) for image in images)

    def fill(jpeg: Jpeg, ai: bool) -> Jpeg:
        length = longest + (64 if ai else 0) - len(jpeg.to_bytes())
        return replace(jpeg, trailing=jpeg.trailing + bytes(max(length, 0)))

    return _changed(images, is_ai, fill)


def plant_tables(images: list[Served], is_ai: list[bool]) -> list[Served]:
    """Give the images of AI a quantisation table that differs in one number."""

    def quantise(jpeg: Jpeg, ai: bool) -> Jpeg:
        table = bytes([0, 1 + ai]) + bytes(range(1, 64))
        others = tuple(part for part in jpeg.segments if part[0] != _DQT)
        return replace(jpeg, segments=((_DQT, table), *others))

    return _changed(images, is_ai, quantise)


def plant_metadata(images: list[Served], is_ai: list[bool]) -> list[Served]:
    """Leave the name of a program in the images of AI and a camera's in the others."""

    def describe(jpeg: Jpeg, ai: bool) -> Jpeg:
        text = b"Exif\0\0Software Diffusion" if ai else b"Exif\0\0Software Cameramen"
        kept = tuple(part for part in jpeg.segments if not _is_metadata(part[0]))
        return replace(jpeg, segments=((_APP1, text), *kept))

    return _changed(images, is_ai, describe)


# The planted leak, and the features of which at least one must show it.
PLANTED: dict[str, tuple[Callable[[list[Served], list[bool]], list[Served]], tuple[str, ...]]] = {
    "names": (plant_names, ("name_letters", "name_length", "name_order")),
    "lengths": (plant_lengths, ("length",)),
    "tables": (plant_tables, ("quantisation",)),
    "metadata": (plant_metadata, ("metadata",)),
}


def _is_metadata(marker: int) -> bool:
    return marker == _COM or 0xE0 <= marker <= 0xEF


def _changed(
    images: list[Served], is_ai: list[bool], change: Callable[[Jpeg, bool], Jpeg]
) -> list[Served]:
    stand_in = _stand_in()
    return [
        replace(image, data=change(parse_jpeg(image.data) or stand_in, ai).to_bytes())
        for image, ai in zip(images, is_ai, strict=True)
    ]


def _stand_in() -> Jpeg:
    """Return a small JPEG in place of an image in another format, which has no such tables."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG")
    jpeg = parse_jpeg(file.getvalue())
    if jpeg is None:
        raise RuntimeError("Pillow wrote no JPEG")
    return jpeg
