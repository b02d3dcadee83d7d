"""Image features: known answers by hand, and second, deliberately naive implementations."""

import colorsys
import math

import numpy as np
import pytest
from PIL import Image

from survey.stimuli import features, near_pairs, perceptual_hash
from survey.stimuli.features import cie_lightness, mirror_symmetry, sharpness, spectral_slope
from tests.stimuli_samples import photograph

NAMES = {
    "mirror_symmetry",
    "colourfulness",
    "rms_contrast",
    "sharpness",
    "entropy",
    "spectral_slope",
    "saturation",
    "brightness",
}


def naive_lightness(red: int, green: int, blue: int) -> float:
    def linear(level: int) -> float:
        share = level / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    y = 0.2126729 * linear(red) + 0.7151522 * linear(green) + 0.0721750 * linear(blue)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def naive_slope(lightness: np.ndarray) -> float:
    """Sum the power ring by ring with loops and a plain DFT of each axis."""
    height, width = lightness.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    windowed = (lightness - (lightness * window).sum() / window.sum()) * window
    rows = np.exp(-2j * np.pi * np.outer(np.arange(height), np.arange(height)) / height)
    columns = np.exp(-2j * np.pi * np.outer(np.arange(width), np.arange(width)) / width)
    power = np.abs(rows @ windowed @ columns) ** 2
    rings = [[] for _ in range(20)]
    for i in range(height):
        for j in range(width // 2 + 1):
            frequency = math.hypot(min(i, height - i) / height, j / width)
            if 0.01 <= frequency < 0.25:
                ring = int(20 * math.log(frequency / 0.01) / math.log(25))
                rings[ring].append((math.log(frequency), power[i, j]))
    x = [sum(f for f, _ in ring) / len(ring) for ring in rings if ring]
    y = [math.log(sum(p for _, p in ring) / len(ring)) for ring in rings if ring]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    products = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return products / sum((a - mean_x) ** 2 for a in x)


def power_law(exponent: float, size: int = 512) -> np.ndarray:
    """Return a pattern with random phases whose power falls with frequency ** exponent."""
    rng = np.random.default_rng(3)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1
    phases = np.exp(2j * np.pi * rng.random(frequency.shape))
    pattern = np.fft.irfft2(frequency ** (exponent / 2) * phases, (size, size))
    return (50 + 10 * (pattern - pattern.mean()) / pattern.std()).astype(np.float32)


def test_features_has_every_name():
    values = features(photograph())

    assert set(values) == NAMES
    assert all(math.isfinite(value) for value in values.values())


@pytest.mark.parametrize("colour", ["black", "white", (200, 30, 30)])
def test_features_of_a_flat_picture_are_missing_where_undefined(colour):
    values = features(Image.new("RGB", (64, 48), colour))

    assert (values["mirror_symmetry"], values["spectral_slope"]) == (None, None)
    assert (values["rms_contrast"], values["sharpness"], values["entropy"]) == (0, 0, 0)
    assert (values["saturation"] is None) == (colour == "black")


def test_features_by_hand():
    # Half red (255, 0, 0), half blue (0, 0, 255).
    picture = Image.new("RGB", (10, 10), "red")
    picture.paste("blue", (0, 0, 5, 10))

    values = features(picture)

    red, blue = naive_lightness(255, 0, 0), naive_lightness(0, 0, 255)
    assert values["brightness"] == pytest.approx((red + blue) / 2, abs=1e-3)
    assert values["rms_contrast"] == pytest.approx((red - blue) / 2, abs=1e-3)
    assert values["saturation"] == 1
    assert values["entropy"] == 1
    # rg: 255 and 0; yb: 127.5 and -255. Deviations 127.5 and 191.25, means 127.5 and -63.75.
    expected = math.hypot(127.5, 191.25) + 0.3 * math.hypot(127.5, 63.75)
    assert values["colourfulness"] == pytest.approx(expected, abs=1e-4)


def test_lightness_agrees_with_the_definition():
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    rgb[0, 0], rgb[0, 1], rgb[0, 2] = 0, 255, (3, 2, 1)

    expected = [[naive_lightness(*map(int, pixel)) for pixel in row] for row in rgb]

    assert cie_lightness(rgb) == pytest.approx(np.array(expected), abs=2e-3)
    assert cie_lightness(rgb)[0, 1] == pytest.approx(100, abs=1e-3)


def test_saturation_and_entropy_agree_with_naive_ones():
    picture = photograph(20, 10)
    pixels = [tuple(map(int, pixel)) for pixel in np.asarray(picture).reshape(-1, 3)]
    levels = np.asarray(picture.convert("L")).ravel().tolist()

    values = features(picture)

    saturation = [colorsys.rgb_to_hsv(*(v / 255 for v in pixel))[1] for pixel in pixels]
    shares = [levels.count(level) / len(levels) for level in set(levels)]
    assert values["saturation"] == pytest.approx(sum(saturation) / len(saturation), abs=1e-5)
    assert values["entropy"] == pytest.approx(-sum(p * math.log2(p) for p in shares), abs=1e-5)


@pytest.mark.parametrize("width", [20, 21])
def test_mirror_symmetry_of_mirrored_and_inverted_halves(width):
    rng = np.random.default_rng(2)
    left = rng.uniform(20, 80, (16, width // 2)).astype(np.float32)
    middle = rng.uniform(20, 80, (16, width % 2)).astype(np.float32)

    assert mirror_symmetry(np.hstack([left, middle, left[:, ::-1]])) == pytest.approx(1)
    assert mirror_symmetry(np.hstack([left, middle, 100 - left[:, ::-1]])) == pytest.approx(-1)


def test_mirror_symmetry_agrees_with_pearson():
    lightness = cie_lightness(np.asarray(photograph()))

    expected = np.corrcoef(lightness[:, :60].ravel(), lightness[:, :59:-1].ravel())[0, 1]

    assert mirror_symmetry(lightness) == pytest.approx(expected, abs=1e-4)


def test_sharpness_by_hand():
    # One bright point: the Laplacian is -4 there, 1 at four neighbours, 0 elsewhere (5 x 5 inside).
    lightness = np.zeros((7, 7), dtype=np.float32)
    lightness[3, 3] = 1

    assert sharpness(lightness) == pytest.approx((16 + 4) / 25)


def test_sharpness_falls_with_blur():
    picture = photograph(240, 180)
    blurred = picture.resize((60, 45)).resize((240, 180))

    assert features(blurred)["sharpness"] < features(picture)["sharpness"] / 4


@pytest.mark.parametrize("exponent", [-1, -2, -3])
def test_spectral_slope_recovers_a_power_law(exponent):
    assert spectral_slope(power_law(exponent)) == pytest.approx(exponent, abs=0.1)


def test_spectral_slope_agrees_with_a_naive_one():
    lightness = cie_lightness(np.asarray(photograph(90, 61)))

    assert spectral_slope(lightness) == pytest.approx(naive_slope(lightness), abs=1e-3)


def test_spectral_slope_of_a_tiny_picture_is_missing():
    assert spectral_slope(cie_lightness(np.asarray(photograph(6, 6)))) is None


def test_perceptual_hash_is_near_for_versions_and_far_for_others():
    picture = photograph(400, 300, seed=1)
    versions = [picture, picture.resize((200, 150)), picture.convert("L").convert("RGB")]
    others = [photograph(400, 300, seed=seed) for seed in range(2, 12)]
    hashes = [perceptual_hash(each) for each in (*versions, *others)]

    assert [(i, j) for i, j, _ in near_pairs(hashes)] == [(0, 1), (0, 2), (1, 2)]


def test_near_pairs_counts_bits():
    hashes = ["00000000000000ff", "00000000000000f0", "ffffffffffffffff"]

    assert list(near_pairs(hashes)) == [(0, 1, 4)]
    assert list(near_pairs(hashes, at_most=56)) == [(0, 1, 4), (0, 2, 56)]
