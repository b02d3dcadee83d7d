"""Preparing one image: what a participant gets, and that nothing else survives."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from survey.stimuli import Display, Limits, StimulusError, equalise, pad, padded_length, prepare
from survey.stimuli.containers import jpeg_segments
from tests.stimuli_samples import SIZE, decoded, encoded, photograph, swapped_profile

SAME = Display(*SIZE, quality=95)
PADDED = Display(160, 160, quality=95)


def markers(jpeg: bytes) -> list[int]:
    return [marker for marker, _, _ in jpeg_segments(jpeg)]


def header(jpeg: bytes) -> bytes:
    """Return everything before the scan's data: the tables, the size, the sampling."""
    _, start, _ = next(segment for segment in jpeg_segments(jpeg) if segment[0] == 0xDA)
    return jpeg[:start]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 95}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_prepare_accepts_format(kind, options):
    original = photograph()
    data = encoded(original, kind, **options)

    prepared = prepare(data, SAME)

    assert (prepared.original_width, prepared.original_height) == SIZE
    assert prepared.original_format == kind
    assert prepared.sha256 == hashlib.sha256(data).hexdigest()
    assert np.abs(decoded(prepared.jpeg) - np.asarray(original)).mean() < 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_prepare_applies_orientation(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = photograph()
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(back[orientation]) if orientation > 1 else upright

    prepared = prepare(encoded(stored, kind, exif=exif, quality=95), SAME)

    assert (prepared.original_width, prepared.original_height) == SIZE
    assert np.abs(decoded(prepared.jpeg) - np.asarray(upright)).mean() < 6


def test_prepare_converts_wide_gamut():
    green_as_red = Image.new("RGB", SIZE, (0, 255, 0))

    prepared = prepare(encoded(green_as_red, icc_profile=swapped_profile(), quality=95), SAME)

    red, green, blue = decoded(prepared.jpeg).reshape(-1, 3).mean(axis=0)
    assert red > 240
    assert max(green, blue) < 15


def test_prepare_leaves_srgb_alone():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    original = photograph()

    with_profile = prepare(encoded(original, "PNG", icc_profile=profile), SAME)
    without = prepare(encoded(original, "PNG"), SAME)

    assert np.abs(decoded(with_profile.jpeg) - decoded(without.jpeg)).max() <= 8


def test_prepare_strips_all_metadata():
    exif = Image.Exif()
    exif[0x0131] = "Midjourney"
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "Midjourney")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b"<x:xmpmeta>Midjourney</x:xmpmeta>"
    everything = {"exif": exif, "icc_profile": profile, "comment": b"Midjourney", "xmp": xmp}
    jpeg = encoded(photograph(), **everything, dpi=(300, 300))
    png = encoded(photograph(), "PNG", pnginfo=text, exif=exif, icc_profile=profile)
    assert jpeg.count(b"Midjourney") == 3
    assert png.count(b"Midjourney") == 2

    outputs = [prepare(data, SAME).jpeg for data in (jpeg, png)]

    plain = prepare(encoded(photograph()), SAME).jpeg
    for output in outputs:
        assert b"Midjourney" not in output
        assert header(output) == header(plain)
        assert markers(output) == [0xE0, 0xDB, 0xDB, 0xC0, 0xC4, 0xC4, 0xC4, 0xC4, 0xDA, 0xD9]


def test_prepare_encodes_with_fixed_tables_and_size():
    sources = [
        encoded(photograph(seed=1)),
        encoded(photograph(300, 50, seed=2), "PNG"),
        encoded(Image.new("L", (9, 40), 3), "WEBP"),
    ]

    headers = {header(prepare(source, PADDED).jpeg) for source in sources}

    assert len(headers) == 1


def test_prepare_pads_with_background():
    white = Image.new("RGB", (200, 100), "white")
    display = Display(100, 100, background=(10, 200, 30), quality=95)

    pixels = decoded(prepare(encoded(white), display).jpeg)

    assert pixels.shape == (100, 100, 3)
    # Away from the edge, where compression mixes the colours of a block.
    assert np.abs(pixels[:15] - (10, 200, 30)).max() <= 4
    assert np.abs(pixels[81:] - (10, 200, 30)).max() <= 4
    assert pixels[33:63].min() >= 252


def test_prepare_crops_the_centre():
    stripes = Image.new("RGB", (300, 100), "black")
    stripes.paste("white", (100, 0, 200, 100))

    pixels = decoded(prepare(encoded(stripes), Display(100, 100, "crop", quality=95)).jpeg)

    assert pixels[:, 2:98].min() >= 240


def test_prepare_enlarges_a_small_image():
    prepared = prepare(encoded(photograph(40, 20)), Display(100, 100))

    assert decoded(prepared.jpeg).shape == (100, 100, 3)
    assert (prepared.original_width, prepared.original_height) == (40, 20)


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("size", [(4000, 3000), (3001, 4001), (999, 1333), (90, 700), (10, 9)])
def test_prepare_scales_any_size(fit, size):
    prepared = prepare(encoded(Image.new("RGB", size, (90, 120, 200))), Display(96, 72, fit))

    assert decoded(prepared.jpeg).shape == (72, 96, 3)
    assert np.abs(decoded(prepared.jpeg)[36, 48] - (90, 120, 200)).max() <= 5


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (641, 1)])
def test_prepare_survives_a_line_of_pixels(fit, size):
    prepared = prepare(encoded(Image.new("RGB", size)), Display(96, 72, fit))

    assert decoded(prepared.jpeg).shape == (72, 96, 3)
    assert prepared.features["mirror_symmetry"] is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_prepare_accepts_grey_palette_and_alpha(mode):
    grey = photograph().convert("L")
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        picture = grey.convert("RGB").convert(mode)

    prepared = prepare(encoded(picture, "PNG"), SAME)

    expected = np.asarray(picture.convert("RGB")) if mode != "I;16" else np.asarray(grey)[..., None]
    assert np.abs(decoded(prepared.jpeg) - expected).mean() < 9


def test_prepare_puts_transparent_pixels_on_the_background():
    picture = Image.new("RGBA", SIZE, (255, 0, 0, 0))

    pixels = decoded(prepare(encoded(picture, "PNG"), SAME).jpeg)

    assert np.abs(pixels - SAME.background).max() <= 4


@pytest.mark.parametrize(
    ("mode", "kind", "code"), [("CMYK", "JPEG", "cmyk"), ("F", "TIFF", "mode")]
)
def test_prepare_refuses_pixels_without_defined_colour(mode, kind, code):
    with pytest.raises(StimulusError) as caught:
        prepare(encoded(Image.new(mode, SIZE), kind), SAME)

    assert caught.value.code == code


def test_prepare_refuses_a_broken_profile():
    with pytest.raises(StimulusError) as caught:
        prepare(encoded(photograph(), icc_profile=b"not a profile" * 20), SAME)

    assert caught.value.code == "profile"


def test_prepare_refuses_a_profile_for_other_colours():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    with pytest.raises(StimulusError) as caught:
        prepare(encoded(Image.new("CMYK", SIZE), icc_profile=profile), SAME)

    assert caught.value.code == "profile"


def test_prepare_accepts_grey_with_a_colour_profile():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = photograph().convert("L")

    prepared = prepare(encoded(grey, "PNG", icc_profile=profile), SAME)

    assert np.abs(decoded(prepared.jpeg) - np.asarray(grey)[..., None]).mean() < 6


@pytest.mark.parametrize("options", [{"fit": "stretch"}, {"width": 0}, {"height": 5000}])
def test_display_refuses_impossible_values(options):
    with pytest.raises(ValueError, match=r"fit|display"):
        Display(**{"width": 100, "height": 100, **options})


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_bytes=100), "bytes"),
        (Limits(max_pixels=SIZE[0] * SIZE[1] - 1), "pixels"),
        (Limits(max_seconds=-1), "seconds"),
    ],
)
def test_prepare_holds_limits(limits, code):
    with pytest.raises(StimulusError) as caught:
        prepare(encoded(photograph()), SAME, limits)

    assert caught.value.code == code


def test_equalise_gives_all_one_length_and_keeps_the_pixels():
    originals = {seed: prepare(encoded(photograph(seed=seed)), SAME).jpeg for seed in range(5)}
    assert len(set(map(len, originals.values()))) > 1

    equal = equalise(originals)

    assert {len(jpeg) for jpeg in equal.values()} == {max(map(len, originals.values())) + 4}
    for seed, jpeg in equal.items():
        assert np.array_equal(decoded(jpeg), decoded(originals[seed]))
        assert [m for m in markers(jpeg) if m != 0xFE] == markers(originals[seed])


def test_equalise_fills_with_different_bytes_each_time():
    jpeg = prepare(encoded(photograph()), SAME).jpeg

    first, second = pad(jpeg, len(jpeg) + 500), pad(jpeg, len(jpeg) + 500)

    assert first != second


def test_equalise_of_nothing_is_nothing():
    assert equalise({}) == {}


@pytest.mark.parametrize("missing", [4, 5, 65_536, 65_537, 65_538, 65_541, 200_000])
def test_pad_reaches_every_length(missing):
    jpeg = prepare(encoded(photograph()), SAME).jpeg

    padded = pad(jpeg, len(jpeg) + missing)

    assert len(padded) == len(jpeg) + missing
    comments = [padded[a + 4 : b] for marker, a, b in jpeg_segments(padded) if marker == 0xFE]
    assert sum(len(comment) + 4 for comment in comments) == missing
    assert not any(b"\xff" in comment for comment in comments)
    assert np.array_equal(decoded(padded), decoded(jpeg))


def test_pad_refuses_a_length_that_is_too_short():
    jpeg = prepare(encoded(photograph()), SAME).jpeg
    assert padded_length([len(jpeg)]) == len(jpeg) + 4

    with pytest.raises(ValueError, match="cannot fill"):
        pad(jpeg, len(jpeg) + 3)


def test_draft_mode_gives_the_picture_of_a_full_decode():
    large = photograph(2000, 1500)
    display = Display(240, 180, quality=95)

    drafted = decoded(prepare(encoded(large, quality=95), display).jpeg)
    full = decoded(prepare(encoded(large, "PNG"), display).jpeg)

    assert np.abs(drafted - full).mean() < 3


def test_prepare_is_deterministic():
    data = encoded(photograph())

    assert prepare(data, PADDED) == prepare(io.BytesIO(data).read(), PADDED)
