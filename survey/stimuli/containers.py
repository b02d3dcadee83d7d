"""Look at a file as a container: which format by its content, one image, nothing behind it.

A file that is two things at once (a polyglot) or that ends early passes many decoders. What is
served is rebuilt from pixels, so such a file could not reach a participant; it is refused because
it is not what the researcher believes it to be.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

from .errors import StimulusError

# A camera writes about ten; thousands of scans make a small file decode for hours.
MAX_SCANS = 100

_EOI, _SOS = 0xD9, 0xDA
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
_ACTIVE_CONTENT = re.compile(rb"<(?:script|!doctype|html>|\?php )", re.IGNORECASE)
_AVIF_BOXES = {b"ftyp", b"meta", b"mdat", b"free", b"skip", b"uuid"}


def check_container(data: bytes) -> str:
    """Return the Pillow name of the format, or raise StimulusError."""
    name = _sniff(data)
    _WALKS[name](data)
    _refuse_second_nature(data)
    return name


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of each JPEG segment; SOS includes its entropy-coded data."""
    at = 2
    while True:
        start = data.find(b"\xff", at)
        if start != at:
            raise StimulusError("truncated" if start < 0 else "damaged")
        marker = _byte(data, start + 1)
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        end = _segment_end(data, start, marker)
        yield marker, start, end
        if marker == _EOI:
            return
        at = end


def _segment_end(data: bytes, start: int, marker: int) -> int:
    if marker == _EOI or marker in _STANDALONE:
        return start + 2
    if start + 4 > len(data):
        raise StimulusError("truncated")
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    if end > len(data):
        raise StimulusError("truncated")
    return _scan_end(data, end) if marker == _SOS else end


def _scan_end(data: bytes, at: int) -> int:
    """Return where the next marker stands: stuffed zeros and restarts belong to the scan."""
    match = _MARKER_AFTER_SCAN.search(data, at)
    if not match:
        raise StimulusError("truncated")
    return match.start()


def _sniff(data: bytes) -> str:
    head = data[:16]
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return "AVIF"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    raise StimulusError("format")


def _walk_jpeg(data: bytes) -> None:
    scans, after = 0, 0
    for marker, start, end in jpeg_segments(data):
        scans, after = scans + (marker == _SOS), end
        if scans > MAX_SCANS:
            raise StimulusError("scans", limit=MAX_SCANS)
        if marker == 0xE2 and data[start + 4 : start + 8] == b"MPF\0":
            raise StimulusError("frames")
    if not scans:
        raise StimulusError("damaged")
    _nothing_after(data, after)


def _walk_png(data: bytes) -> None:
    at, kind = 8, b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise StimulusError("truncated")
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise StimulusError("truncated")
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise StimulusError("damaged")
        if kind == b"acTL":
            raise StimulusError("frames")
        at = end
    _nothing_after(data, at)


def _walk_webp(data: bytes) -> None:
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise StimulusError("truncated")
    _nothing_after(data, end)
    at = 12
    while at + 8 <= end:
        kind, length = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if kind in (b"ANIM", b"ANMF"):
            raise StimulusError("frames")
        at += 8 + length + length % 2


def _walk_avif(data: bytes) -> None:
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise StimulusError("trailing")
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"moov":
            raise StimulusError("frames")
        if kind not in _AVIF_BOXES:
            raise StimulusError("trailing" if at else "format")
        size = _box_size(data, at, size)
        if at + size > len(data):
            raise StimulusError("truncated")
        if kind == b"ftyp":
            _check_brands(data[at + 8 : at + size])
        at += size


def _box_size(data: bytes, at: int, size: int) -> int:
    if size == 0:  # up to the end of the file
        return len(data) - at
    if size == 1 and at + 16 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 16], "big")
    if size < 8:
        raise StimulusError("damaged")
    return size


def _check_brands(content: bytes) -> None:
    brands = {content[i : i + 4] for i in range(0, len(content), 4)}
    if content[:4] == b"avis":
        raise StimulusError("frames")
    if b"avif" not in brands:
        raise StimulusError("format")


def _walk_tiff(data: bytes) -> None:
    """Nothing to walk: a TIFF's parts may stand anywhere; frames are counted by the decoder."""


_WALKS: dict[str, Callable[[bytes], None]] = {
    "JPEG": _walk_jpeg,
    "PNG": _walk_png,
    "WEBP": _walk_webp,
    "AVIF": _walk_avif,
    "TIFF": _walk_tiff,
}


def _nothing_after(data: bytes, end: int) -> None:
    # Some cameras fill the last disk block with zeros, which say nothing.
    if data[end:].strip(b"\0"):
        raise StimulusError("trailing")


def _refuse_second_nature(data: bytes) -> None:
    if _is_zip(data):
        raise StimulusError("polyglot", found="ZIP")
    if b"%PDF-" in data[:1024]:
        raise StimulusError("polyglot", found="PDF")
    if _ACTIVE_CONTENT.search(data):
        raise StimulusError("polyglot", found="HTML")


def _is_zip(data: bytes) -> bool:
    if b"PK\5\6" not in data[-65_600:]:
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return bool(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise StimulusError("truncated")
    return data[at]
