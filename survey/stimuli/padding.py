"""Give every stimulus of a study the same number of bytes.

The length of an image is seen without looking at it (Content-Length, developer tools, timing),
and generated images compress differently from photographs. So each file is filled up to the
longest of the study with random bytes in JPEG comment segments, which decoders skip. The cost
is the difference between the longest and the typical image: see DEFAULT_QUALITY in `pictures`.
"""

from __future__ import annotations

import secrets
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from .containers import jpeg_segments

Key = TypeVar("Key", bound=Hashable)

# A segment costs four bytes (marker and length), and its length field counts itself.
_OVERHEAD = 4
_LONGEST_SEGMENT = 2 + 0xFFFF
# 0xFF never appears in the filling: a sloppy reader that looks for markers finds none.
_WITHOUT_FF = bytes([*range(255), 0])


def padded_length(lengths: Iterable[int]) -> int:
    """Return the length to which all stimuli are filled, given those of the encoded images."""
    return max(lengths) + _OVERHEAD


def pad(jpeg: bytes, length: int) -> bytes:
    """Return the JPEG with random comment segments that make it ``length`` bytes long."""
    missing = length - len(jpeg)
    if missing < _OVERHEAD:
        raise ValueError(f"cannot fill {len(jpeg)} bytes up to {length}")
    at = _after_jfif(jpeg)
    return jpeg[:at] + b"".join(map(_comment, _split(missing))) + jpeg[at:]


def equalise(encoded: Mapping[Key, bytes]) -> dict[Key, bytes]:
    """Pad all images of a study to one length."""
    length = padded_length(map(len, encoded.values())) if encoded else 0
    return {key: pad(jpeg, length) for key, jpeg in encoded.items()}


def random_key() -> str:
    """Return a name for a served file that says nothing: 128 random bits, lower-case hex."""
    return secrets.token_hex(16)


def _after_jfif(jpeg: bytes) -> int:
    return next(end for marker, _, end in jpeg_segments(jpeg) if marker == 0xE0)


def _split(missing: int) -> list[int]:
    """Cut the filling into segments so that none is left with fewer than four bytes."""
    sizes = []
    while missing > _LONGEST_SEGMENT:
        size = min(_LONGEST_SEGMENT, missing - _OVERHEAD)
        sizes.append(size)
        missing -= size
    return [*sizes, missing]


def _comment(size: int) -> bytes:
    filling = secrets.token_bytes(size - _OVERHEAD).translate(_WITHOUT_FF)
    return b"\xff\xfe" + (size - 2).to_bytes(2, "big") + filling
