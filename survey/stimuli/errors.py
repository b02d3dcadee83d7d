"""What can be wrong with a stimulus or a manifest, in words that a researcher can act on.

This package does not know Django: a ``Message`` can be said in another language later.
"""

from __future__ import annotations

from dataclasses import dataclass

from survey.messages import Message


def gettext_noop(message: str) -> str:
    """Mark a message for makemessages, which looks for this very name."""
    return message


MESSAGES = {
    "format": gettext_noop("not a JPEG, PNG, WebP, AVIF or TIFF image"),
    "bytes": gettext_noop("larger than %(limit)s bytes"),
    "pixels": gettext_noop("%(found)s pixels; at most %(limit)s are allowed"),
    "seconds": gettext_noop("took longer than %(limit)s seconds to read"),
    "frames": gettext_noop("holds more than one image; export a single one"),
    "truncated": gettext_noop("the image ends too early"),
    "trailing": gettext_noop("there is something else after the end of the image"),
    "polyglot": gettext_noop("the file is an image and %(found)s at once"),
    "scans": gettext_noop("a progressive JPEG of more than %(limit)s scans"),
    "damaged": gettext_noop("the image is damaged and cannot be decoded"),
    "profile": gettext_noop("the colour profile is damaged or does not fit the image"),
    "cmyk": gettext_noop("CMYK without a colour profile; save the image as sRGB"),
    "mode": gettext_noop("pixels of type %(found)s; save the image with 8 bits a channel"),
    "duplicate": gettext_noop("the same file as %(found)s"),
    "archive": gettext_noop("not a folder or a ZIP file"),
    "file": gettext_noop("the file cannot be read"),
    "ratio": gettext_noop("the ZIP entry expands more than %(limit)s times"),
    "total": gettext_noop("all files together are larger than %(limit)s bytes"),
    "files": gettext_noop("more than %(limit)s files"),
}


class StimulusError(ValueError):
    """An image that cannot become a stimulus. ``code`` is a key of MESSAGES."""

    def __init__(self, code: str, **params: object) -> None:
        self.code = code
        self.params = params
        self.message = Message(MESSAGES[code], **params)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[object, ...]:
        # The default would hand the finished message to __init__ on the way between processes.
        return _rebuild, (self.code, self.params)


def _rebuild(code: str, params: dict[str, object]) -> StimulusError:
    return StimulusError(code, **params)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a manifest. Row 1 is the header; 0 is the file as a whole."""

    file: str
    row: int
    column: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return (
            f"{self.file}, row {self.row}, column {self.column or '-'}: "
            f"found {self.found or 'nothing'}; allowed: {self.allowed}"
        )


class ManifestError(ValueError):
    """Every fault of a set of stimuli at once: an import is all or nothing."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


@dataclass(frozen=True, slots=True)
class Limits:
    """What an upload may cost. The defaults suit a survey on one server."""

    max_pixels: int = 80_000_000
    max_bytes: int = 64 * 2**20
    max_seconds: float = 20.0
    max_files: int = 10_000
    max_total_bytes: int = 8 * 2**30
    max_ratio: int = 200
