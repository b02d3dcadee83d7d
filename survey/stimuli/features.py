"""Image features of a stimulus, for the question which of them go with beauty and with doubt.

All are computed on the picture as displayed: at the display size, without padding, in sRGB,
before the final compression. A feature that a flat picture does not have is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]

# Below this spread (of L*, 0 to 100) a picture is flat: rounding, not structure.
_FLAT = 1e-3
# Cycles per pixel. The lower end is ten cycles per 1024 pixels as in Redies et al. (2007): slower
# waves come from the frame. The upper end leaves out what the encoder and scaling have changed.
_SLOPE_RANGE = (0.01, 0.25)


def features(picture: Image.Image) -> dict[str, float | None]:
    """Return every feature of an RGB picture by name."""
    rgb = np.asarray(picture, dtype=np.uint8)
    lightness = cie_lightness(rgb)
    values = {
        "mirror_symmetry": mirror_symmetry(lightness),
        "colourfulness": colourfulness(rgb),
        "rms_contrast": float(lightness.std(dtype=np.float64)),
        "sharpness": sharpness(lightness),
        "entropy": entropy(picture),
        "spectral_slope": spectral_slope(lightness),
        "saturation": saturation(picture),
        "brightness": float(lightness.mean(dtype=np.float64)),
    }
    return {name: None if value is None else round(value, 6) for name, value in values.items()}


def cie_lightness(rgb: NDArray[np.uint8]) -> Pixels:
    """Return CIE 1976 L* (0 to 100, white D65) of sRGB pixels (IEC 61966-2-1).

    Its mean is `brightness`, its standard deviation `rms_contrast` (Peli, 1990, on the scale that
    is uniform for perception).
    """
    weights = (0.2126729, 0.7151522, 0.0721750)
    tables = [(_LINEAR * weight).astype(np.float32) for weight in weights]
    y = tables[0][rgb[..., 0]] + tables[1][rgb[..., 1]] + tables[2][rgb[..., 2]]
    dark = y <= 216 / 24389
    return np.where(dark, y * np.float32(24389 / 27), 116 * np.cbrt(y) - 16)


def mirror_symmetry(lightness: Pixels) -> float | None:
    """Return the correlation of the left half with the mirrored right half, -1 to 1.

    Pearson's correlation of L*, pixel by pixel, the middle column of an odd width left out; None
    where a half is flat or there are no halves.
    """
    half = lightness.shape[1] // 2
    if half == 0:
        return None
    left, right = lightness[:, :half], lightness[:, ::-1][:, :half]
    if min(left.std(), right.std()) < _FLAT:
        return None
    left, right = left - left.mean(), right - right.mean()
    return float((left * right).mean() / np.sqrt((left**2).mean() * (right**2).mean()))


def colourfulness(rgb: NDArray[np.uint8]) -> float:
    """Return M of Hasler and Suesstrunk (2003), "Measuring colourfulness in natural images".

    With rg = R - G and yb = (R + G) / 2 - B on 0 to 255: the root of the summed variances plus
    0.3 times the root of the summed squared means. 0 is grey, 109 "extremely colourful".
    """
    red, green, blue = (rgb[..., i].astype(np.float32) for i in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    spread = np.hypot(rg.std(dtype=np.float64), yb.std(dtype=np.float64))
    centre = np.hypot(rg.mean(dtype=np.float64), yb.mean(dtype=np.float64))
    return float(spread + 0.3 * centre)


def sharpness(lightness: Pixels) -> float | None:
    """Return the variance of the four-neighbour Laplacian of L*, inside the outermost pixels.

    The focus measure of Pech-Pacheco et al. (2000); it grows with contrast as well. None for a
    picture without an inside.
    """
    if min(lightness.shape) < 3:
        return None
    inner = lightness[1:-1, 1:-1]
    around = lightness[:-2, 1:-1] + lightness[2:, 1:-1] + lightness[1:-1, :-2] + lightness[1:-1, 2:]
    return float((around - 4 * inner).var(dtype=np.float64))


def entropy(picture: Image.Image) -> float:
    """Return Shannon's entropy of the histogram of 256 grey levels (Rec. 601), 0 to 8 bits."""
    counts = np.array(picture.convert("L").histogram(), dtype=np.float64)
    shares = counts[counts > 0] / counts.sum()
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def spectral_slope(lightness: Pixels) -> float | None:
    """Return the slope of log power on log frequency; natural scenes have about -2.

    The Fourier power of L* (mean removed, Hann window against the edges of the frame) is averaged
    in 20 rings of equal width in log frequency from 0.01 to 0.25 cycles per pixel, in all
    directions, and a line is fitted to the logarithms (Field, 1987; Redies et al., 2007). None for
    a flat picture and for one with fewer than five rings.
    """
    if lightness.std() < _FLAT:
        return None
    rings = _rings(lightness.shape[0], lightness.shape[1])
    sums = np.bincount(rings.number, weights=_power(lightness), minlength=22)[1:21]
    kept = (rings.counts > 0) & (sums > 0)
    if kept.sum() < 5:
        return None
    x, y = rings.log_frequency[kept], np.log(sums[kept] / rings.counts[kept])
    return float(np.polyfit(x, y, 1)[0])


def saturation(picture: Image.Image) -> float | None:
    """Return the mean HSV saturation (max - min) / max, 0 to 1, over all pixels but pure black.

    Black has no saturation: a black picture gives None.
    """
    red, green, blue = (np.asarray(channel) for channel in picture.split())
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    coloured = np.count_nonzero(high)
    if not coloured:
        return None
    share = (high - low).astype(np.float32) / np.maximum(high, 1)
    return float(share.sum(dtype=np.float64) / coloured)


def _power(lightness: Pixels) -> NDArray[np.float64]:
    """Return the power of the half plane of frequencies, flattened."""
    window = _window(lightness.shape[0], lightness.shape[1])
    mean = (lightness * window).sum() / max(window.sum(), 1e-9)
    spectrum = np.fft.rfft2((lightness - mean) * window)
    return (spectrum.real**2 + spectrum.imag**2).astype(np.float64).ravel()


@lru_cache(maxsize=4)
def _window(height: int, width: int) -> Pixels:
    return np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)


@dataclass(frozen=True)
class _Rings:
    """Where the frequencies of a picture lie; most pictures of a study have one size."""

    number: NDArray[np.intp]  # of each frequency; 0 and 21 are outside
    counts: NDArray[np.intp]
    log_frequency: NDArray[np.float64]  # mean of each ring


@lru_cache(maxsize=4)
def _rings(height: int, width: int) -> _Rings:
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]).ravel()
    number = np.digitize(frequency, np.geomspace(*_SLOPE_RANGE, 21))
    counts = np.bincount(number, minlength=22)[1:21]
    logs = np.bincount(number, weights=np.log(np.maximum(frequency, 1e-9)), minlength=22)[1:21]
    return _Rings(number, counts, logs / np.maximum(counts, 1))


def _linear_light() -> NDArray[np.float64]:
    level = np.arange(256) / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


_LINEAR = _linear_light()
