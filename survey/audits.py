"""The leak audit of a study: its images, pages and JSON exactly as a browser gets them."""

import csv
import json
import os
import re
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from survey import bots, delivery, enrolment, studies
from survey.models import Audit, Participant, Stimulus, Study, media_path

if TYPE_CHECKING:
    from analysis.audit import AuditResult

#: Headers that a server in front may add and that say when, not what.
VOLATILE = {"date"}

#: What is random in every image; all else must be the same.
RANDOM = {"name_letters", "name_order", "created_order", "metadata_words"}
RANDOM |= {"comment_start", "comment_mean"}

#: Headers of a store that are of the moment, digests of bytes that are filled up at random, and the
#: times of images that were sent there in random order.
STORE_RANDOM = {"date", "age", "etag", "last-modified", "x-cache", "via", "cf-ray"}
STORE_RANDOM |= {f"x-amz-{name}" for name in ("request-id", "id-2", "version-id", "cf-id")}
STORE_RANDOM |= {"x-amzn-requestid", "x-amz-content-sha256"}

#: What is random in a page and so differs between two renderings of the same thing.
TOKENS = re.compile(r'name="(csrfmiddlewaretoken|start_key|opened)" value="[^"]*"')

#: Labels that the design shows in a trial, as they stand in the plan of the trial page.
LABELS = re.compile(r'"labels": \["[^"]*"(, "[^"]*")?\]')


def run(study: Study) -> Audit:
    """Audit everything that is served and keep the result. Raises studies.StudyError."""
    from analysis import audit as leaks  # SciPy, which a serving process seldom needs

    images = list(study.stimuli.select_related("pair"))
    if not images:
        raise studies.StudyError(f"{study.slug} has no images yet.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_served(folder, images)
        result = leaks.audit(folder / "images", folder / "truth.csv", folder / "headers.json")
    faults = [*_inconstant(result), *page_faults(study), *store_faults(images)]
    return Audit.objects.create(
        study=study,
        passed=not result.blocks and not faults,
        verdict="leak" if faults else result.verdict,
        served=studies.served_digest(study),
        result=result.as_dict() | {"faults": faults, "text": [*leaks.lines(result), *faults]},
    )


def _write_served(folder: Path, images: list[Stimulus]) -> None:
    """The images with the names, times and headers that a browser sees, and the truth beside."""
    (folder / "images").mkdir()
    headers: dict[str, dict[str, str]] = {}
    browser = bots.InProcess()
    for image in images:
        name = f"{image.key}.jpg"
        answer = browser.client.get(reverse("image", args=[image.key]))
        file = folder / "images" / name
        file.write_bytes(b"".join(answer.streaming_content))
        written = media_path("stimuli", name).stat()
        os.utime(file, ns=(written.st_atime_ns, written.st_mtime_ns))
        headers[name] = {k: v for k, v in answer.items() if k.lower() not in VOLATILE}
    (folder / "headers.json").write_text(json.dumps(headers), encoding="utf-8")
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(["file", "origin", "pair_id"])
        for image in images:
            table.writerow(
                [f"{image.key}.jpg", image.origin, image.pair.code if image.pair else ""]
            )


def store_faults(images: list[Stimulus]) -> list[str]:
    """What a store in place of our own server tells: only what is random may differ."""
    if not settings.IMAGES_URL:
        return []
    told: dict[str, set[str]] = {}
    for image in images:
        try:
            headers = _headers(delivery.image_url(image))
        except OSError as error:
            return [f"{image.key}.jpg cannot be had from IMAGES_URL: {error}"]
        for name in {*headers, *told}:
            told.setdefault(name, set()).add(headers.get(name, "missing"))
    faults = [
        f"the store's header {name} is not the same for every image"
        for name, values in sorted(told.items())
        if len(values) > 1 and name not in STORE_RANDOM
    ]
    if "immutable" not in "".join(told.get("cache-control", ())):
        faults.append("the store does not let browsers keep the images (Cache-Control)")
    return faults


def _headers(url: str) -> dict[str, str]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - from the settings
        return {name.lower(): value for name, value in answer.headers.items()}


def _inconstant(result: "AuditResult") -> list[str]:
    """What our own pipeline makes the same for every image, and is not.

    Stricter than the statistics, which cannot convict a feature in a handful of images.
    """
    names = {
        finding.name.removesuffix(" within pairs")
        for finding in result.features
        if finding.group == "served" and finding.status != "constant"
    }
    return [f"{name} is not the same for every image" for name in sorted(names - RANDOM)]


def page_faults(study: Study) -> list[str]:
    """Swap the truth of every pair and render again: only random tokens may differ.

    Labels that are the manipulation of a study and feedback on locked trials are not compared.
    Nothing of this stays in the database.
    """
    with transaction.atomic():
        Study.objects.filter(pk=study.pk).update(state=Study.State.LIVE, quota=None)
        study = Study.objects.get(pk=study.pk)
        studies.freeze(study)
        participant = enrolment.start(
            study=study, language=study.language_for(), start_key="audit", is_simulated=True
        )
        before = _render(study, participant)
        _swap_truth(study)
        after = _render(study, participant)
        transaction.set_rollback(True)
    return [f"{name} depends on the truth" for name in before if before[name] != after[name]]


def _render(study: Study, participant: Participant) -> dict[str, str]:
    """Every page and every trial that a browser gets before the debrief."""
    browser = bots.InProcess()
    pages = {
        name: TOKENS.sub("", browser.get(path).text)
        for name, path in (
            ("the entry page", reverse("entry", args=[study.slug])),
            ("the credits", reverse("credits", args=[study.slug])),
            ("the trial page", reverse("trial_page", args=[participant.token])),
        )
    }
    trials = participant.trials.select_related("left", "right", "stimulus")
    for trial in trials.order_by("index"):
        trial.participant = participant
        block = studies.block_of(participant.version, trial.block_key)
        content = delivery.trial(trial, block)
        if trial.disclosure != "hidden":
            content["labels"] = None
            pages["the trial page"] = LABELS.sub("", pages["the trial page"])
        pages[f"trial {trial.index}"] = json.dumps(content, default=str)
    return pages


def _swap_truth(study: Study) -> None:
    """Give each image the truth of another one: its partner's, or the next one's in the list."""
    truths: dict[int, dict[str, Any]] = {}
    names = ("origin", "generator_id", "category", "enhancement_level", "is_catch", "code")
    groups: dict[Any, list[Stimulus]] = {}
    for stimulus in study.stimuli.order_by("pk"):
        groups.setdefault(stimulus.pair_id or "unpaired", []).append(stimulus)
    for members in groups.values():
        order = sorted(members, key=lambda stimulus: stimulus.origin)
        for stimulus, other in zip(order, reversed(order), strict=True):
            truths[stimulus.pk] = {name: getattr(other, name) for name in names}
    for pk in truths:  # codes are unique, so they go out of the way first
        Stimulus.objects.filter(pk=pk).update(code=f"swapping {pk}")
    for pk, truth in truths.items():
        Stimulus.objects.filter(pk=pk).update(**truth)
