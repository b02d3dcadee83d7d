"""What can be seen of a served image without decoding its pixels."""

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Literal

from PIL import Image

Kind = Literal["number", "category", "words"]
Group = Literal["served", "pixels"]
Observation = float | str | frozenset[str]

_DQT, _DHT, _DRI, _SOS, _COM, _EOI = 0xDB, 0xC4, 0xDD, 0xDA, 0xFE, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_APPLICATION = range(0xE0, 0xF0)
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
_TEXT = re.compile(rb"[\x20-\x7e]{6,}")
_WORD = re.compile(r"[^\W_]{5,}")
# The same number of bytes of each comment: how many there are follows from the pixels.
_COMMENT_START = 16


@dataclass(frozen=True, slots=True)
class Served:
    """One image as it goes over the wire, and when its file was written."""

    name: str
    data: bytes
    modified_ns: int = 0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Jpeg:
    """The parts of a JPEG file: segments in their order, entropy-coded scans, and the rest."""

    segments: tuple[tuple[int, bytes], ...]
    scan: bytes  # from the first start of scan to the end of the last one
    trailing: bytes

    def contents(self, *markers: int) -> bytes:
        return b"".join(content for marker, content in self.segments if marker in markers)

    def to_bytes(self) -> bytes:
        head = b"".join(
            b"\xff" + bytes([marker]) + (len(content) + 2).to_bytes(2, "big") + content
            for marker, content in self.segments
        )
        return b"\xff\xd8" + head + self.scan + b"\xff\xd9" + self.trailing


def parse_jpeg(data: bytes) -> Jpeg | None:
    """Cut a JPEG file into its parts; None for anything else."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    segments: list[tuple[int, bytes]] = []
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data) and data[at + 1] != _SOS:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        segments.append((data[at + 1], data[at + 4 : end]))
        at = end
    end = _scans_end(data, at)
    return Jpeg(tuple(segments), data[at:end], data[end + 2 :])


def _scans_end(data: bytes, at: int) -> int:
    """Return where the end of the image is marked, behind all scans and the tables between."""
    while at < len(data):
        match = _SCAN_END.search(data, at)
        if not match:
            return len(data)
        marker = data[match.start() + 1]
        if marker == _EOI:
            return match.start()
        at = match.start() + 2 + int.from_bytes(data[match.start() + 2 : match.start() + 4], "big")
    return len(data)


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that was observed of every image, in their order."""

    name: str
    kind: Kind
    group: Group
    values: tuple[Observation, ...] = field(repr=False)

    @property
    def is_constant(self) -> bool:
        return len(set(self.values)) == 1


_KINDS: dict[str, Kind] = {
    "name_length": "number",
    "name_letters": "words",
    "length": "number",
    "format": "category",
    "width": "number",
    "height": "number",
    "frame": "category",
    "segments": "category",
    "quantisation": "category",
    "quantisation_sum": "number",
    "huffman": "category",
    "huffman_length": "number",
    "restart_interval": "category",
    "metadata": "category",
    "metadata_length": "number",
    "metadata_words": "words",
    "comment_start": "category",
    "comment_mean": "number",
    "trailing_length": "number",
    "scan_length": "number",
    "padding_length": "number",
}
_FROM_PIXELS = ("scan_length", "padding_length")


def observe(served: Served) -> dict[str, Observation]:
    """Return everything that one image shows by itself."""
    jpeg = parse_jpeg(served.data)
    inside = _observe_jpeg(jpeg) if jpeg else _observe_other(served.data)
    return {
        "name_length": float(len(served.name)),
        "name_letters": letter_groups(served.name),
        "length": float(len(served.data)),
        **inside,
    }


def _observe_jpeg(jpeg: Jpeg) -> dict[str, Observation]:
    frame = next((part for part in jpeg.segments if part[0] in _FRAMES), (0, bytes(15)))
    quantisation, huffman = jpeg.contents(_DQT), jpeg.contents(_DHT)
    metadata, comments = jpeg.contents(*_APPLICATION), jpeg.contents(_COM)
    texts = [content for marker, content in jpeg.segments if marker in (_COM, *_APPLICATION)]
    start = comments[:_COMMENT_START]
    return {
        "format": "JPEG",
        "height": float(int.from_bytes(frame[1][1:3], "big")),
        "width": float(int.from_bytes(frame[1][3:5], "big")),
        "frame": f"{frame[0]:x} {frame[1][:1].hex()} {frame[1][5:].hex()}",
        "segments": " ".join(f"{marker:x}" for marker, _ in jpeg.segments if marker != _COM),
        "quantisation": _digest(quantisation),
        "quantisation_sum": float(sum(quantisation)),
        "huffman": _digest(huffman),
        "huffman_length": float(len(huffman)),
        "restart_interval": jpeg.contents(_DRI).hex(),
        "metadata": _digest(metadata),
        "metadata_length": float(len(metadata)),
        "metadata_words": _words(b"\0".join([*texts, jpeg.trailing])),
        "comment_start": start[:4].hex(),
        "comment_mean": sum(start) / len(start) if len(start) == _COMMENT_START else -1.0,
        "trailing_length": float(len(jpeg.trailing)),
        "scan_length": float(len(jpeg.scan)),
        "padding_length": float(sum(len(c) + 4 for m, c in jpeg.segments if m == _COM)),
    }


def _observe_other(data: bytes) -> dict[str, Observation]:
    """Return what Pillow reads in the header of another format; what it has not stays empty."""
    empty: dict[Kind, Observation] = {"number": -1.0, "category": "", "words": frozenset()}
    nothing = {
        name: empty[kind]
        for name, kind in _KINDS.items()
        if not name.startswith(("name_", "length"))
    }
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            kind, mode, info = str(image.format), image.mode, sorted(map(str, image.info))
    except (OSError, ValueError, SyntaxError):
        return {**nothing, "format": "unknown", "metadata_words": _words(data[:65536])}
    return {
        **nothing,
        "format": kind,
        "width": float(width),
        "height": float(height),
        "frame": mode,
        "metadata": " ".join(info),
        "metadata_words": _words(data[:65536]),
    }


def features_of(images: Sequence[Mapping[str, Observation]]) -> list[Feature]:
    """Turn what was observed image by image into features."""
    return [
        Feature(
            name,
            kind,
            "pixels" if name in _FROM_PIXELS else "served",
            tuple(image[name] for image in images),
        )
        for name, kind in _KINDS.items()
    ]


def order_features(names: Sequence[str], modified_ns: Sequence[int]) -> list[Feature]:
    """Return the places of the images in the order of their names and of their making."""
    in_order = {name: float(i) for i, name in enumerate(sorted(names))}
    moments = {moment: float(i) for i, moment in enumerate(sorted(set(modified_ns)))}
    return [
        Feature("name_order", "number", "served", tuple(in_order[name] for name in names)),
        Feature("created_order", "number", "served", tuple(moments[m] for m in modified_ns)),
    ]


def header_features(headers: Sequence[tuple[tuple[str, str], ...]]) -> list[Feature]:
    """Return each header's value, and the order in which the headers come."""
    tables = [{name.lower(): value for name, value in each} for each in headers]
    names = sorted({name for table in tables for name in table})
    order = tuple(" ".join(name.lower() for name, _ in each) for each in headers)
    columns = [_header_feature(name, [table.get(name) for table in tables]) for name in names]
    return [*columns, Feature("header_order", "category", "served", order)]


def _header_feature(name: str, values: list[str | None]) -> Feature:
    numbers = [_number(value) for value in values]
    label = f"header {name}"
    if all(number is not None for number in numbers):
        return Feature(label, "number", "served", tuple(n for n in numbers if n is not None))
    texts = ["(absent)" if value is None else value for value in values]
    if len(set(texts)) > len(texts) / 2:
        return Feature(label, "words", "served", tuple(map(letter_groups, texts)))
    return Feature(label, "category", "served", tuple(texts))


def _number(text: str | None) -> float | None:
    """Return a header's number or date (in seconds), None for anything else."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError):
        return None


def letter_groups(text: str) -> frozenset[str]:
    """Return all groups of one to four neighbouring characters, beginning and end marked."""
    marked = f"^{text.lower()}$"
    sizes = range(1, 5)
    return frozenset(marked[i : i + n] for n in sizes for i in range(len(marked) - n + 1))


def _words(data: bytes) -> frozenset[str]:
    # Random filling hardly ever holds six printable characters and five letters in a row that
    # another file holds too.
    text = " ".join(match.decode("ascii") for match in _TEXT.findall(data))
    return frozenset(_WORD.findall(text.lower()))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
