"""Set-up of a study: its design in and out of the tables, frozen, live and closed."""

import dataclasses
import hashlib

from django.db import transaction
from django.utils.translation import gettext as _

from survey import design, faults, panels, recruitment
from survey.models import (
    Audit,
    Block,
    Study,
    Version,
)

#: Fields of a study that its design carries, and how a table's JSON becomes the design's value.
BLOCK_FIELDS = [f.name for f in dataclasses.fields(design.Block)]
STUDY_FIELDS = [f.name for f in dataclasses.fields(design.Study) if f.name != "blocks"]


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
