"""Set-up of a study: its design in and out of the tables, its stimuli, going live."""

import dataclasses
import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from survey import design, faults, images, panels, recruitment, stimuli
from survey.messages import Message
from survey.models import (
    Audit,
    Block,
    Generator,
    Pair,
    Stimulus,
    Study,
    Version,
)

#: Fields of a study that its design carries, and how a table's JSON becomes the design's value.
BLOCK_FIELDS = [f.name for f in dataclasses.fields(design.Block)]
STUDY_FIELDS = [f.name for f in dataclasses.fields(design.Study) if f.name != "blocks"]


NEW_IMAGE = gettext_noop("an image that is new")


class StudyError(Exception):
    """Something that the study's state does not allow; the message may be shown."""

    @property
    def message(self) -> object:
        """What it was raised with; a `Message` can still be said in another language."""
        return self.args[0]

    def __str__(self) -> str:
        return faults.said(self.message)


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A frozen design with the stimuli that belonged to it."""

    version: Version
    study: design.Study
    stimuli: tuple[design.Stimulus, ...]


# --- the design in the tables ------------------------------------------------------------------


@transaction.atomic
def save_design(plan: design.Study) -> Study:
    """Write a design into the tables: a new draft, or a change of one that nobody is in now.

    A changed design becomes a new version when the study goes live again.
    """
    design.validate(plan)
    running = Study.objects.filter(slug=plan.slug).exclude(
        state__in=(Study.State.DRAFT, Study.State.PAUSED)
    )
    if running.exists():
        raise StudyError(f"{plan.slug} is {running[0].state}; pause it before you change it.")
    values = design.to_dict(plan)
    blocks = values.pop("blocks")
    study, _made = Study.objects.update_or_create(slug=values.pop("slug"), defaults=values)
    study.blocks.all().delete()
    Block.objects.bulk_create(
        Block(study=study, position=position, **block) for position, block in enumerate(blocks)
    )
    return study


def design_of(study: Study) -> design.Study:
    """The design that the tables hold now. Raises design.DesignError when it has faults."""
    values = {name: getattr(study, name) for name in STUDY_FIELDS}
    values["blocks"] = [
        {name: getattr(block, name) for name in BLOCK_FIELDS} for block in study.blocks.all()
    ]
    plan = design.from_dict(values)
    design.validate(plan)
    return plan


def planned_stimuli(study: Study) -> list[design.Stimulus]:
    """The study's stimuli as the planner knows them."""
    return [s.plain() for s in study.stimuli.select_related("pair", "generator")]


# --- going live --------------------------------------------------------------------------------


@transaction.atomic
def freeze(study: Study) -> Version:
    """Freeze the present design. An unchanged design keeps its version."""
    plan, pool = design_of(study), planned_stimuli(study)
    missing = design.shortage(plan, pool)
    if missing:
        raise StudyError(faults.as_text(missing))
    contents = dict(study.stimuli.values_list("code", "original_sha256"))
    canonical = design.canonical_json(plan, pool, contents)
    digest = design.design_hash(plan, pool, contents)
    last = study.versions.last()
    if last is not None and last.design_hash == digest:
        return last
    number = last.number + 1 if last is not None else 1
    return Version.objects.create(
        study=study, number=number, design_hash=digest, canonical=canonical
    )


@transaction.atomic
def go_live(study: Study) -> Version:
    """Freeze the design and let participants in; also ends a pause.

    Only after a leak audit of the images as they are served now.
    """
    if study.state == Study.State.CLOSED:
        raise StudyError(_("A closed study stays closed. Copy it to run it again."))
    audit = last_audit(study)
    if audit is None:
        raise StudyError(_("The images have not been audited for leaks since they last changed."))
    if not audit.passed:
        raise StudyError(_("The leak audit found a way to tell the truth without looking."))
    try:
        panels.read(study.recruitment)
    except panels.PanelError as error:
        raise StudyError(str(error)) from error
    version = freeze(study)
    _set_state(study, Study.State.LIVE)
    return version


def last_audit(study: Study) -> Audit | None:
    """The last leak audit, if it saw the images that are served now."""
    audit = study.audits.last()
    return audit if audit is not None and audit.served == served_digest(study) else None


def served_digest(study: Study) -> str:
    """What is served now, as one hash: every publication gives new random keys."""
    keys = sorted(study.stimuli.values_list("key", flat=True))
    return hashlib.sha256(" ".join(keys).encode()).hexdigest()


def pause(study: Study) -> None:
    """Let nobody in for a while; those who have started may finish."""
    if study.state != Study.State.LIVE:
        raise StudyError(_("Only a live study can be paused."))
    _set_state(study, Study.State.PAUSED)


@transaction.atomic
def close(study: Study) -> None:
    """Let nobody in any more, for good. Who came from a panel need not be recognised any more."""
    if study.state not in (Study.State.LIVE, Study.State.PAUSED):
        raise StudyError(_("Only a live or paused study can be closed."))
    _set_state(study, Study.State.CLOSED)
    recruitment.forget_keys(study)


def _set_state(study: Study, state: str) -> None:
    study.state = state
    study.save(update_fields=["state"])


def frozen_now(study: Study) -> Frozen:
    """The version under which somebody who starts now takes part."""
    version = study.versions.last()
    if version is None:
        raise StudyError(_("The study has no frozen design yet."))
    return frozen(version)


def frozen(version: Version) -> Frozen:
    """A version's design and stimuli, kept in memory: what a design hash names never changes."""
    known = _frozen.get(version.design_hash)
    if known is None:
        plan, pool = design.from_canonical(version.canonical)
        known = _frozen.setdefault(version.design_hash, (plan, tuple(pool)))
    return Frozen(version, *known)


_frozen: dict[str, tuple[design.Study, tuple[design.Stimulus, ...]]] = {}


def is_learning(version: Version) -> bool:
    """Whether the truth follows each trial, so that the data are of the learning mode."""
    return frozen(version).study.mode == "learning"


def block_of(version: Version, key: str) -> design.Block:
    """The frozen design of one block."""
    return next(block for block in frozen(version).study.blocks if block.key == key)


# --- stimuli -----------------------------------------------------------------------------------


def import_stimuli(
    study: Study,
    path: Path,
    progress: Callable[[int, int], object] | None = None,
    jobs: int | None = None,
    workspace: Path | None = None,
) -> list[stimuli.NearDuplicate]:
    """Bring the images of a folder or ZIP into a draft: all or nothing.

    Prepared images wait in the workspace as `<row of the manifest>.jpg` until all are ready.
    Returns the pairs of images that look almost the same. Raises stimuli.ManifestError with every
    fault, and StudyError when the study is no draft any more.
    """
    _check_draft(study)
    limits = stimuli.Limits(
        max_pixels=settings.STIMULUS_MAX_PIXELS,
        max_bytes=settings.STIMULUS_MAX_BYTES,
        max_seconds=settings.STIMULUS_MAX_SECONDS,
    )
    display = stimuli.Display(study.display_width, study.display_height, study.display_fit)
    manifest = stimuli.read_manifest(path, limits)
    with tempfile.TemporaryDirectory() as name:
        folder = workspace or Path(name)
        prepared = stimuli.prepare_all(manifest, display, limits, jobs, progress, folder)
        _check_new(study, manifest, prepared)
        _store(study, manifest, prepared, folder, progress)
    return stimuli.near_duplicates(manifest, prepared)


def copy_stimuli(source: Study, target: Study) -> None:
    """Give a draft without images those of another study, which need not be prepared again."""
    _check_draft(target)
    displays = [(s.display_width, s.display_height, s.display_fit) for s in (source, target)]
    if displays[0] != displays[1] or target.stimuli.exists():
        raise ValueError("only a study without images and with the same display takes copies")
    stimuli = list(source.stimuli.select_related("pair"))
    for stimulus in stimuli:
        picture = images.prepared(source, stimulus.original_sha256)
        images.write(images.prepared(target, stimulus.original_sha256), picture.read_bytes())
    keys = images.publish(
        {s.original_sha256: images.prepared(target, s.original_sha256) for s in stimuli}
    )
    codes = {stimulus.pair.code for stimulus in stimuli if stimulus.pair}
    with transaction.atomic():
        pairs = {code: Pair.objects.create(study=target, code=code) for code in codes}
        for stimulus in stimuli:
            stimulus.pair = pairs[stimulus.pair.code] if stimulus.pair else None
            stimulus.pk, stimulus.study = None, target
            stimulus.key = keys[stimulus.original_sha256]
        Stimulus.objects.bulk_create(stimuli)


def _check_draft(study: Study) -> None:
    if study.state != Study.State.DRAFT:
        raise StudyError(
            Message("Images can only be added to a draft. Copy the study to run it with others.")
        )


def _check_new(study: Study, manifest: stimuli.Manifest, prepared: list[stimuli.Prepared]) -> None:
    """Refuse what the study has already: the same name or the same content."""
    names = set(study.stimuli.values_list("code", flat=True))
    contents = set(study.stimuli.values_list("original_sha256", flat=True))
    found = [
        stimuli.Fault("manifest.csv", row.number, "file", row.file, NEW_IMAGE)
        for row, image in zip(manifest.rows, prepared, strict=True)
        if Path(row.file).stem in names or image.sha256 in contents
    ]
    if found:
        raise stimuli.ManifestError(found)


def _store(
    study: Study,
    manifest: stimuli.Manifest,
    prepared: list[stimuli.Prepared],
    folder: Path,
    progress: Callable[[int, int], object] | None,
) -> None:
    """Keep the new images and serve all of the study's anew: one that joins later must not differ.

    The files are written first, so that the database is locked for its rows only.
    """
    contents = [
        (image.sha256, f"{image.sha256}{Path(row.file).suffix.lower()}")
        for row, image in zip(manifest.rows, prepared, strict=True)
    ]
    before = list(study.stimuli.values_list("original_sha256", flat=True))
    keys: dict[str, str] = {}
    try:
        for row, (sha256, name) in zip(manifest.rows, contents, strict=True):
            images.write(images.original(name), row.read())
            images.write(
                images.prepared(study, sha256), (folder / f"{row.number}.jpg").read_bytes()
            )
            if progress:  # a sign of life
                progress(len(contents), len(contents))
        wanted = [*before, *(sha256 for sha256, _name in contents)]
        keys = images.publish({sha256: images.prepared(study, sha256) for sha256 in wanted})
        with transaction.atomic():
            _lock_draft(study, before)
            _serve_under(study, keys)
            _write_rows(study, manifest, prepared, keys)
    except BaseException:
        images.withdraw(keys.values())
        images.forget(study, contents)
        raise


def _lock_draft(study: Study, contents: list[str]) -> None:
    """Let nobody else change the study now; raise StudyError if somebody has."""
    locked = Study.objects.select_for_update().get(pk=study.pk)
    _check_draft(locked)
    if set(locked.stimuli.values_list("original_sha256", flat=True)) != set(contents):
        raise StudyError(Message("The images were changed meanwhile. Please try again."))


def _serve_under(study: Study, keys: dict[str, str]) -> None:
    """Give the images that are there their new keys; the files of the old ones go after that."""
    present = list(study.stimuli.all())
    old = [stimulus.key for stimulus in present]
    for stimulus in present:
        stimulus.key = keys[stimulus.original_sha256]
    Stimulus.objects.bulk_update(present, ["key"], batch_size=500)
    transaction.on_commit(lambda: images.withdraw(old))


def _write_rows(
    study: Study,
    manifest: stimuli.Manifest,
    prepared: list[stimuli.Prepared],
    keys: dict[str, str],
) -> None:
    generators = {g.name: _generator(g) for g in manifest.generators}
    codes = {row.pair_id for row in manifest.rows if row.pair_id}
    pairs = {code: Pair.objects.get_or_create(study=study, code=code)[0] for code in codes}
    stems = Counter(Path(row.file).stem for row in manifest.rows)
    Stimulus.objects.bulk_create(
        (
            Stimulus(
                study=study,
                pair=pairs.get(row.pair_id),
                code=stem if stems[stem] == 1 else row.file,
                key=keys[image.sha256],
                origin=row.origin,
                generator=generators.get(row.generator),
                category=row.category,
                enhancement_level=row.enhancement_level,
                is_catch=row.is_catch,
                credit=row.credit,
                licence=row.licence,
                source=row.source,
                notes={**row.notes, **({"prompt": row.prompt} if row.prompt else {})},
                features=image.features,
                perceptual_hash=image.perceptual_hash,
                original=f"{image.sha256}{Path(row.file).suffix.lower()}",
                original_sha256=image.sha256,
            )
            for row, image in zip(manifest.rows, prepared, strict=True)
            for stem in [Path(row.file).stem]
        ),
        batch_size=500,
    )


def _generator(known: stimuli.Generator) -> Generator:
    """The row of a generator; what the manifest says is filled in, never taken away."""
    generator, _made = Generator.objects.get_or_create(name=known.name)
    for name in ("vendor", "kind", "open_weights", "released", "cost_per_image_usd"):
        value = getattr(known, name)
        if value not in (None, ""):
            setattr(generator, name, value)
    generator.save()
    return generator


@transaction.atomic
def remove_stimuli(study: Study, chosen: QuerySet[Stimulus]) -> int:
    """Take images out of a draft, with their files and pairs of which none is left."""
    if Study.objects.select_for_update().get(pk=study.pk).state != Study.State.DRAFT:
        raise StudyError(_("Images can only be removed from a draft."))
    gone = list(chosen.filter(study=study))
    study.stimuli.filter(pk__in=[stimulus.pk for stimulus in gone]).delete()
    study.pairs.filter(stimuli=None).delete()

    def remove_files() -> None:
        images.withdraw(stimulus.key for stimulus in gone)
        images.forget(study, [(stimulus.original_sha256, stimulus.original) for stimulus in gone])

    transaction.on_commit(remove_files)
    return len(gone)


@transaction.atomic
def mark_stimuli(study: Study, chosen: QuerySet[Stimulus], *, is_catch: bool) -> int:
    """Set images of a draft apart for practice and catch trials, or give them back."""
    if Study.objects.select_for_update().get(pk=study.pk).state != Study.State.DRAFT:
        raise StudyError(_("Images can only be marked in a draft."))
    return study.stimuli.filter(pk__in=chosen.values("pk")).update(is_catch=is_catch)


def credits(study: Study) -> list[dict[str, str]]:
    """Who made the images and under which licence, each once and in alphabetical order."""
    rows = study.stimuli.order_by().values_list("credit", "licence", "source").distinct()
    return [
        {"credit": credit, "licence": licence, "source": source}
        for credit, licence, source in sorted(rows)
        if credit
    ]
