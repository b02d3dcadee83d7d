"""The licensed demo images and the designs that run on them."""

from pathlib import Path

from survey import design

SLUG = "demo"
LESSON = "learn"
FOLDER = Path(__file__).parent
STIMULI = FOLDER / "stimuli"


def demo_design(name: str = SLUG) -> design.Study:
    """One of the designs beside this file."""
    return design.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
