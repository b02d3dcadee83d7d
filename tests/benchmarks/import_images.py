"""Images per second of the import, for photographs of 12 megapixels, beside pyvips.

    OPENBLAS_NUM_THREADS=1 uv run --with 'pyvips[binary]' python tests/benchmarks/import_images.py

Ours is measured twice: the picture alone (checks, decoding, scaling, colour, encoding), which is
what pyvips does too, and everything that is kept of a stimulus (hash and features as well). The
ways take turns, so that a busy machine slows all of them; the median of the rounds counts. On a
busy machine the processor time tells more than images a second: pyvips has threads of its own, and
so a larger share of the machine.
"""

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

sys.path.insert(0, str(Path(__file__).parents[2]))

from survey.stimuli import Display, Limits, prepare
from survey.stimuli.containers import check_container
from survey.stimuli.pictures import decode, encode

DISPLAY = Display(960, 720)
SIZE = (4000, 3000)


def photograph(path: Path, seed: int) -> None:
    """Write a picture with structure at all scales, turned, with a colour profile."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((SIZE[1], SIZE[0], 3), dtype=np.float32)
    for octave in range(8):
        cells = (4 * 2**octave, 3 * 2**octave)
        coarse = rng.normal(0, 60 / 1.6**octave, (cells[1], cells[0], 3)).astype(np.float32)
        for channel in range(3):
            layer = Image.fromarray(coarse[..., channel])
            picture[..., channel] += np.asarray(layer.resize(SIZE, Image.Resampling.BICUBIC))
    noisy = picture + 128 + rng.normal(0, 3, picture.shape)
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    image.save(path, "JPEG", quality=92, exif=exif, icc_profile=profile)


def ours(path: Path) -> int:
    return len(prepare(path.read_bytes(), DISPLAY).jpeg)


def ours_picture_only(path: Path) -> int:
    data = path.read_bytes()
    picture, _ = decode(data, check_container(data), DISPLAY, Limits())
    return len(encode(picture, DISPLAY))


def full_decode(path: Path) -> int:
    """Do the same in the plain order: decode all, turn, convert, scale."""
    from PIL import ImageOps

    with Image.open(path) as image:
        turned = ImageOps.exif_transpose(image)
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        srgb = ImageCms.profileToProfile(turned, profile, ImageCms.createProfile("sRGB"))
        file = io.BytesIO()
        ImageOps.pad(srgb, (960, 720)).save(file, "JPEG", quality=80)
        return len(file.getvalue())


def vips(path: Path) -> int:
    import pyvips

    image = pyvips.Image.thumbnail(str(path), 960, height=720, export_profile="srgb")
    image = image.gravity("centre", 960, 720, extend="background", background=[220, 220, 215])
    return len(image.jpegsave_buffer(Q=80, keep="none"))


def cpu_of(way: Callable[[Path], int], path: Path) -> float:
    """Seconds of all threads of the process that one image takes."""
    start = time.process_time()
    way(path)
    return time.process_time() - start


def rate(
    way: Callable[[Path], int], paths: list[Path], pool: ProcessPoolExecutor
) -> tuple[float, float]:
    """Images a second, and milliseconds of processor time an image."""
    start = time.perf_counter()
    used = list(pool.map(partial(cpu_of, way), paths))
    return len(used) / (time.perf_counter() - start), 1000 * statistics.median(used)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=24)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    given = options.parse_args()
    os.environ["VIPS_CONCURRENCY"] = "1"  # as many threads as ours has: one a process
    ways = [ours, ours_picture_only, full_decode]
    try:
        import pyvips  # noqa: F401
    except ImportError:
        print("pyvips is not installed: see the top of this file")
    else:
        ways.append(vips)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}.jpg") for i in range(given.images)]
        for seed, path in enumerate(paths):
            photograph(path, seed % 6)
        size = statistics.median(path.stat().st_size for path in paths)
        print(f"{given.images} images of {SIZE[0]} x {SIZE[1]}, {size / 1e6:.1f} MB each")
        for processes in given.processes:
            measure(ways, paths, processes, given.rounds)


def measure(
    ways: list[Callable[[Path], int]], paths: list[Path], processes: int, rounds: int
) -> None:
    rates: dict[str, list[tuple[float, float]]] = {way.__name__: [] for way in ways}
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for way in ways:  # imports and caches
            rate(way, paths[:4], pool)
        for _ in range(rounds):
            for way in ways:
                rates[way.__name__].append(rate(way, paths, pool))
    for name, found in rates.items():
        a_second, cpu_ms = map(statistics.median, zip(*found, strict=True))
        told = f"{a_second:5.1f} images/s  {cpu_ms:5.0f} ms CPU each"
        print(f"{processes} process(es)  {name:20} {told}", flush=True)


if __name__ == "__main__":
    main()
