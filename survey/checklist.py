"""What still stands between a study and going live, each with the page that mends it."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from survey import design, panels, studies
from survey.models import Study


@dataclass(frozen=True)
class Item:
    """One condition: whether it holds, what is missing, and the page where it is mended.

    What is only advised does not keep a study from going live.
    """

    name: str
    title: str
    is_met: bool
    page: str  # "change" or the name of a page of the study
    missing: tuple[str, ...] = ()
    is_advice: bool = False


def of(study: Study) -> list[Item]:
    """All conditions, in the order in which one meets them when setting up."""
    try:
        plan, faults = studies.design_of(study), []
    except design.DesignError as error:
        plan, faults = None, list(error.faults)
    return [
        _design(faults),
        _texts(study, faults),
        _consent(study),
        _images(study, plan),
        _audit(study),
        _recruitment(study),
        _smallest_effects(study),
        _sample_size(study),
        _preregistration(study),
    ]


def may_go_live(items: list[Item]) -> bool:
    """Whether nothing stands in the way but advice."""
    return all(item.is_met or item.is_advice for item in items)


def _is_text(fault: object) -> bool:
    return ".texts" in str(fault) or str(fault).startswith("texts")


def _design(faults: list[object]) -> Item:
    mine = tuple(str(fault) for fault in faults if not _is_text(fault))
    return Item("design", _("The design has no faults"), not mine, "change", mine)


def _texts(study: Study, faults: list[object]) -> Item:
    """Texts in each language, as far as the design demands them."""
    mine = tuple(str(fault) for fault in faults if _is_text(fault))
    title = _("Texts in each language (%(languages)s)") % {
        "languages": ", ".join(study.languages) or "–"
    }
    return Item("texts", title, not mine and bool(study.languages), "change", mine)


def _consent(study: Study) -> Item:
    """Consent with its version, and somebody to turn to."""
    lacks = tuple(_lacking_consent(study))
    return Item("consent", _("Consent with a version, and a contact"), not lacks, "change", lacks)


def _lacking_consent(study: Study) -> Iterator[str]:
    for language in study.languages:
        words = study.texts.get(language, {})
        for name in ("consent", "consent_version", "contact"):
            if not words.get(name):
                yield _("%(name)s is missing in %(language)s") % {
                    "name": name,
                    "language": language,
                }


def _images(study: Study, plan: design.Study | None) -> Item:
    """Enough stimuli for every block and condition."""
    title = _("Enough images for every block")
    if not study.stimuli.exists():
        return Item("images", title, False, "images", (_("There are no images yet."),))
    if plan is None:
        return Item("images", title, False, "change", (_("Mend the design first."),))
    lacks = tuple(design.shortage(plan, studies.planned_stimuli(study)))
    return Item("images", title, not lacks, "images", lacks)


def _audit(study: Study) -> Item:
    """The leak audit of what is served now."""
    audit = studies.last_audit(study)
    if audit is None:
        missing = (_("The images have not been audited since they last changed."),)
    elif not audit.passed:
        missing = (_("It found a way to tell the truth without looking."),)
    else:
        missing = ()
    return Item("audit", _("Leak audit passed"), not missing, "audit", missing)


def _recruitment(study: Study) -> Item:
    title = _("Recruitment settings work")
    try:
        panels.read(study.recruitment)
    except panels.PanelError as error:
        return Item("recruitment", title, False, "recruitment", error.faults)
    return Item("recruitment", title, True, "recruitment")


def _smallest_effects(study: Study) -> Item:
    """For each claim, what would matter."""
    plan = study.analysis_plan or {}
    claims, effects = plan.get("claims", []), plan.get("smallest_effects", {})
    lacks = tuple(
        _("%(claim)s has none") % {"claim": claim}
        for claim in claims
        if claim not in effects and claim.partition(":")[0] not in effects
    )
    if not claims:
        lacks = (_("No claim is named, so nothing will be confirmatory."),)
    title = _("A smallest effect of interest for each claim")
    return Item("effects", title, not lacks, "change", lacks, is_advice=True)


def _sample_size(study: Study) -> Item:
    lacks = () if study.quota else (_("There is no quota: the study stays open."),)
    title = _("A sample size, set as the quota")
    return Item("sample_size", title, not lacks, "planner", lacks, is_advice=True)


def _preregistration(study: Study) -> Item:
    """Going live freezes the plan; before that it must say when recruitment ends."""
    lacks = []
    if not (study.analysis_plan or {}).get("stopping_rule"):
        lacks.append(_("The analysis plan has no stopping rule."))
    if not study.exclusion_rules:
        lacks.append(_("There are no exclusion rules."))
    title = _("Preregistration: stopping rule and exclusion rules")
    return Item("preregistration", title, not lacks, "change", tuple(lacks), is_advice=True)


def summary(items: list[Item]) -> str:
    """In one sentence how far it is."""
    open_items = sum(not item.is_met and not item.is_advice for item in items)
    if not open_items:
        return _("Nothing stands in the way.")
    text = ngettext("One thing stands in the way.", "%(n)s things stand in the way.", open_items)
    return text % {"n": open_items}
