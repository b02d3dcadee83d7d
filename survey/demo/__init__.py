"""The licensed demo images and the designs that run on them."""

from pathlib import Path

from survey import design

SLUG = "demo"
FOLDER = Path(__file__).parent
STIMULI = FOLDER / "stimuli"
