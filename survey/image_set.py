"""The images of a study: into a draft, out of it again, and whom to thank for them."""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from survey import images, stimuli, studies
from survey.messages import Message
from survey.models import Generator, Pair, Stimulus, Study

NEW_IMAGE = gettext_noop("an image that is new")


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
    fault, and studies.StudyError when the study is no draft any more.
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
        raise studies.StudyError(
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
    """Let nobody else change the study now; raise studies.StudyError if somebody has."""
    locked = Study.objects.select_for_update().get(pk=study.pk)
    _check_draft(locked)
    if set(locked.stimuli.values_list("original_sha256", flat=True)) != set(contents):
        raise studies.StudyError(Message("The images were changed meanwhile. Please try again."))


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
        raise studies.StudyError(_("Images can only be removed from a draft."))
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
        raise studies.StudyError(_("Images can only be marked in a draft."))
    return study.stimuli.filter(pk__in=chosen.values("pk")).update(is_catch=is_catch)


def credits(study: Study) -> list[dict[str, str]]:
    """Who made the images and under which licence, each once and in alphabetical order."""
    rows = study.stimuli.order_by().values_list("credit", "licence", "source").distinct()
    return [
        {"credit": credit, "licence": licence, "source": source}
        for credit, licence, source in sorted(rows)
        if credit
    ]
