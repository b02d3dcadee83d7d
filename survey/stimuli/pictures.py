"""From the bytes of an original to a picture that is ready to be shown.

Everything that could tell how an image was made, apart from its pixels, ends here: orientation
and colour profile are applied, all pictures get one size, and a new file is built from the pixels
alone by one encoder with fixed tables.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile

from .containers import check_container
from .errors import Limits, StimulusError
from .features import features
from .similarity import perceptual_hash

# Measured at 960 x 720 on the 95 images of the demo and of a careless collection: at quality 80
# with halved chroma the median image has 90 kB and the longest, to which all are filled, 234 kB;
# at 75 it is 208 kB, at 85 269 kB, at 90 326 kB, and without halved chroma a seventh more.
DEFAULT_QUALITY = 80

_SRGB = ImageCms.createProfile("sRGB")
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")


@dataclass(frozen=True, slots=True)
class Display:
    """The one size of all stimuli of a study, and how a picture gets it."""

    width: int
    height: int
    fit: str = "pad"  # pad: the whole picture on the background; crop: its centre
    background: tuple[int, int, int] = (220, 220, 215)
    quality: int = DEFAULT_QUALITY

    def __post_init__(self) -> None:
        if self.fit not in ("pad", "crop"):
            raise ValueError(f"fit must be pad or crop, not {self.fit!r}")
        if not (16 <= self.width <= 4096 and 16 <= self.height <= 4096):
            raise ValueError(f"a display of {self.width} x {self.height} is not possible")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is kept of an image besides its untouched original."""

    jpeg: bytes  # not yet filled up: see padding.equalise
    sha256: str  # of the original
    perceptual_hash: str
    features: dict[str, float | None]
    original_width: int
    original_height: int
    original_format: str


def prepare(data: bytes, display: Display, limits: Limits | None = None) -> Prepared:
    """Check an image by its content and make it ready to be shown, or raise StimulusError."""
    limits = limits or Limits()
    if len(data) > limits.max_bytes:
        raise StimulusError("bytes", limit=limits.max_bytes)
    kind = check_container(data)
    with _only_stimulus_errors():
        picture, size = decode(data, kind, display, limits)
    return Prepared(
        jpeg=encode(picture, display),
        sha256=hashlib.sha256(data).hexdigest(),
        perceptual_hash=perceptual_hash(picture),
        features=features(picture),
        original_width=size[0],
        original_height=size[1],
        original_format=kind,
    )


@contextmanager
def _only_stimulus_errors() -> Iterator[None]:
    try:
        yield
    except StimulusError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise StimulusError("pixels", found="too many", limit=Image.MAX_IMAGE_PIXELS) from error
    except Exception as error:  # a decoder that is fed hostile bytes may raise anything
        code = "truncated" if "truncated" in str(error) else "damaged"
        raise StimulusError(code) from error


class _TimedFile(io.BytesIO):
    """Bytes that stop giving when the time is up: decoders read piece by piece."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        super().__init__(data)
        self._limit = limits.max_seconds
        self._end = time.monotonic() + self._limit

    def read(self, size: int | None = -1, /) -> bytes:
        self.check()
        return super().read(size)

    def check(self) -> None:
        if time.monotonic() > self._end:
            raise StimulusError("seconds", limit=self._limit)


def decode(
    data: bytes, kind: str, display: Display, limits: Limits
) -> tuple[Image.Image, tuple[int, int]]:
    """Return the picture in display size (without padding) and the size of the original."""
    file = _TimedFile(data, limits)
    with Image.open(file, formats=_FORMATS) as image:
        _check_header(image, kind, limits)
        orientation = _orientation(image)
        size = image.size if orientation < 5 else image.size[::-1]
        target = _picture_size(size, display)
        # The picture is shrunk as soon as possible (JPEG: while decoding), so that turning and
        # colour conversion have a twelfth of the pixels to do.
        stored_target = target if orientation < 5 else target[::-1]
        if isinstance(image, ImageFile.ImageFile):
            image.draft(None, _cover(image.size, stored_target))
        image.load()
        file.check()
        picture = _resize(_plain_mode(image), stored_target)
        picture = _to_srgb(picture, image.info.get("icc_profile"), display)
    if orientation in _TRANSPOSE:
        picture = picture.transpose(_TRANSPOSE[orientation])
    file.check()
    return picture, size


def _check_header(image: Image.Image, kind: str, limits: Limits) -> None:
    if image.format == "MPO" or getattr(image, "n_frames", 1) != 1:
        raise StimulusError("frames")
    if image.format != kind:
        raise StimulusError("format")
    pixels = image.width * image.height
    # Above its own limit Pillow only warns; here that is an error.
    limit = min(limits.max_pixels, Image.MAX_IMAGE_PIXELS or limits.max_pixels)
    if pixels > limit:
        raise StimulusError("pixels", found=pixels, limit=limit)


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":  # Pillow turns TIFFs itself
        return 1
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in _TRANSPOSE else 1


def _picture_size(size: tuple[int, int], display: Display) -> tuple[int, int]:
    """Return the size of the picture on the display: all of it, or the part inside the padding."""
    if display.fit == "crop":
        return display.width, display.height
    scale = min(display.width / size[0], display.height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _cover(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """Return the size in which an image just covers the target."""
    scale = max(target[0] / size[0], target[1] / size[1])
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def _plain_mode(image: Image.Image) -> Image.Image:
    """Bring palettes, bits and deep greys to 8-bit channels; colours stay as they are."""
    if image.mode in ("RGB", "L", "RGBA", "CMYK"):
        if image.mode in ("RGB", "L") and "transparency" in image.info:
            return image.convert("RGBA")
        return image
    if image.mode in ("P", "PA"):
        see_through = image.mode == "PA" or "transparency" in image.info
        return image.convert("RGBA" if see_through else "RGB")
    if image.mode == "LA":
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "YCbCr":
        return image.convert("RGB")
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    raise StimulusError("mode", found=image.mode)


def _resize(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """Scale the centre that has the target's proportions to the target."""
    width, height = image.size
    scale = min(width / target[0], height / target[1])
    left = max(0.0, (width - target[0] * scale) / 2)  # rounding can make it slightly negative
    top = max(0.0, (height - target[1] * scale) / 2)
    box = (left, top, width - left, height - top)
    return image.resize(target, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _to_srgb(image: Image.Image, profile: bytes | None, display: Display) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    image = _converted(image.convert("RGB") if alpha else image, profile)
    if alpha is None:
        return image
    ground = Image.new("RGB", image.size, display.background)
    return Image.composite(image, ground, alpha)


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile:
        if image.mode == "CMYK":
            raise StimulusError("cmyk")
        return image.convert("RGB")
    try:
        space = _space(profile)
        if space == "GRAY" and image.mode == "RGB":  # a grey picture that was stored in colour
            image = image.convert("L")
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        converted = ImageCms.applyTransform(image, _transform(profile, image.mode))
    except (OSError, ImageCms.PyCMSError) as error:
        raise StimulusError("profile") from error
    if converted is None:
        raise StimulusError("profile")
    return converted


def _space(profile: bytes) -> str:
    return _opened(profile).profile.xcolor_space.strip()


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """From a profile to sRGB; the pictures of one camera or program have the same one."""
    return ImageCms.buildTransform(_opened(profile), _SRGB, mode, "RGB")


def encode(picture: Image.Image, display: Display) -> bytes:
    """Build a new file from the pixels: no metadata, fixed tables, the size of the display."""
    size = (display.width, display.height)
    canvas = Image.new("RGB", size, display.background)
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    file = io.BytesIO()
    canvas.save(
        file,
        "JPEG",
        quality=display.quality,
        subsampling="4:2:0",
        optimize=False,
        progressive=False,
    )
    return file.getvalue()
