"""Small studies for tests: a few coloured images, any design."""

import io
import secrets
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from survey import design, enrolment, flow, stimuli, studies, visits
from survey.models import Audit, Generator, Pair, Participant, Stimulus, Study, media_path

TEXTS = {
    "title": "Looking at pictures",
    "summary": "A short study.",
    "consent": "You take part **freely**.",
    "consent_version": "1",
    "contact": "lab@example.org",
    "debrief": "Thank you.",
}
BLOCK_TEXTS = {"instructions": "Look and choose.", "prompt": "Which one?"}


def block(key: str = "detection", task: str = "detect_pair", trials: int = 4, **more):
    """A block with the texts that every block needs."""
    more.setdefault("texts", {"en": BLOCK_TEXTS, "ja": BLOCK_TEXTS})
    return design.Block(key=key, task=task, trials=trials, **more)


def plan(*blocks, slug: str = "small", **more) -> design.Study:
    """A design of small images in two languages; preference and detection unless told."""
    default = (block("preference", "prefer_pair"), block(confidence_steps=4))
    more.setdefault("share_stimuli", True)
    more.setdefault("texts", {"en": dict(TEXTS), "ja": dict(TEXTS, title="絵を見る")})
    return design.Study(
        slug=slug,
        languages=("en", "ja"),
        blocks=tuple(blocks) or default,
        display_width=64,
        display_height=48,
        **more,
    )


def write_images(folder: Path, pairs: int = 4, catch: int = 0) -> Path:
    """A folder of matched pairs with a manifest; the last `catch` pairs are obvious ones."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file,origin,pair_id,generator,category,enhancement_level,is_catch,credit,licence"]
    for number in range(pairs + catch):
        obvious = str(number >= pairs).lower()
        for origin, generator, level in (("real", "", "0"), ("ai", "Painter 1", "")):
            name = f"{origin}_{number:02}.png"
            (folder / name).write_bytes(png(seed=f"{origin}{number}"))
            lines.append(
                f"{name},{origin},pair{number:02},{generator},thing,{level},{obvious},"
                f"Somebody {number},CC0-1.0"
            )
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def png(seed: str, width: int = 80, height: int = 60) -> bytes:
    """A picture of coloured noise, different for each seed."""
    rng = np.random.default_rng(list(seed.encode()))
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def make_study(*blocks, live: bool = True, pairs: int = 4, catch: int = 0, **more) -> Study:
    """A study with stimuli, live unless told otherwise.

    The rows are written here and not imported, because decoding images would take most of the
    time of most tests; the import has tests of its own.
    """
    study = studies.save_design(plan(*blocks, **more))
    painter, _made = Generator.objects.get_or_create(name="Painter 1")
    for number in range(pairs + catch):
        pair = Pair.objects.create(study=study, code=f"pair{number:02}")
        for origin, generator in (("real", None), ("ai", painter)):
            stimulus = Stimulus.objects.create(
                study=study,
                pair=pair,
                code=f"{origin}_{number:02}",
                key=stimuli.random_key(),
                origin=origin,
                generator=generator,
                category="thing",
                is_catch=number >= pairs,
                credit=f"Somebody {number}",
                licence="CC0-1.0",
                original_sha256=f"{study.pk}-{origin}-{number}",
            )
            path = media_path("stimuli", f"{stimulus.key}.jpg")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg())
    Audit.objects.create(  # the audit has tests of its own too
        study=study, passed=True, verdict="too_few", served=studies.served_digest(study)
    )
    if live:
        studies.go_live(study)
    return Study.objects.get(pk=study.pk)


@cache
def jpeg() -> bytes:
    """A small image as it is served; for most tests any will do."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 120, 40)).save(out, "JPEG")
    return out.getvalue()


def enrol(study: Study, number: int = 0, **more) -> Participant:
    """A participant who has just consented."""
    key = f"start-key-{number:04}-{secrets.token_hex(8)}"
    return enrolment.start(study=study, language="en", start_key=key, **more)


def payload(participant: Participant, **more) -> dict:
    """A valid response to the participant's next trial."""
    trial = visits.ahead(participant).trials[0]
    block_plan = studies.block_of(participant.version, trial.block_key)
    answer = {"detect_single": "ai", "rate_single": 1}.get(trial.task, "left")
    values = {"token": visits.trial_token(trial), "response": answer, "rt_ms": 0.05}
    if block_plan.confidence_steps:
        values["confidence"] = 1.0
    return values | more


def record(participant: Participant, payload: dict) -> flow.Recorded:
    """Send a response as a browser does."""
    (outcome,) = flow.record([flow.Sent(participant.token, payload)])
    if isinstance(outcome, flow.FlowError):
        raise outcome
    return outcome


def answer_all(participant: Participant) -> None:
    """Answer every trial that is left."""
    while flow.step_of(participant) == flow.Step.TRIALS:
        record(participant, payload(participant))


def complete(participant: Participant) -> Participant:
    """Answer everything and finish."""
    answer_all(participant)
    flow.finish(participant, {})
    participant.refresh_from_db()
    return participant
