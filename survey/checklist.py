"""What still stands between a study and going live, each with the page that mends it."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from survey import claims, design, faults, panels, studies
from survey.models import Study


@dataclass(frozen=True)
class Lack:
    """Something that is missing: a fault of the design, or words and the field of the form."""

    words: str = ""
    field: str = ""
    fault: design.Fault | None = None


@dataclass(frozen=True)
class Item:
    """One condition: whether it holds, what is missing, and the page where it is mended.

    What is only advised does not keep a study from going live.
    """

    name: str
    title: str
    page: str  # "change" or the name of a page of the study
    missing: tuple[Lack, ...] = ()
    is_advice: bool = False
    field: str = ""  # of the form, where nothing is missing

    @property
    def is_met(self) -> bool:
        return not self.missing


def of(study: Study) -> list[Item]:
    """All conditions, in the order in which one meets them when setting up."""
    try:
        plan, found = studies.design_of(study), []
    except design.DesignError as error:
        plan, found = None, error.faults
    return [
        _design(found),
        _texts(study, found),
        _consent(study),
        _images(study, plan),
        _audit(study),
        _recruitment(study),
        _comparisons(study),
        _smallest_effects(study),
        _sample_size(study),
        _preregistration(study),
    ]


def may_go_live(items: list[Item]) -> bool:
    """Whether nothing stands in the way but advice."""
    return all(item.is_met or item.is_advice for item in items)


def _design(found: list[design.Fault]) -> Item:
    mine = tuple(Lack(fault=fault) for fault in found if not _is_text(fault))
    return Item("design", _("The design has no faults"), "change", mine)


def _is_text(fault: design.Fault) -> bool:
    return "texts" in fault.place.split(".")


def _texts(study: Study, found: list[design.Fault]) -> Item:
    """Texts in each language, as far as the design demands them."""
    mine = tuple(Lack(fault=fault) for fault in found if _is_text(fault))
    if not study.languages:
        mine = (Lack(_("The study has no language yet."), "languages"), *mine)
    names = ", ".join(study.languages) or "–"
    title = _("Texts in each language (%(languages)s)") % {"languages": names}
    return Item("texts", title, "change", mine, field=f"texts__{_first(study)}__title")


def _first(study: Study) -> str:
    return next(iter(study.languages), "en")


def _consent(study: Study) -> Item:
    """Consent with its version, and somebody to turn to."""
    title = _("Consent with a version, and a contact")
    lacks = tuple(_lacking_consent(study))
    return Item("consent", title, "change", lacks, field=f"texts__{_first(study)}__consent")


def _lacking_consent(study: Study) -> Iterator[Lack]:
    names = {
        "consent": _("Information and consent"),
        "consent_version": _("Version of the consent"),
        "contact": _("Contact"),
    }
    for language in study.languages:
        words = study.texts.get(language, {})
        for name, label in names.items():
            if not words.get(name):
                text = _("%(name)s is missing in %(language)s")
                told = text % {"name": label, "language": language}
                yield Lack(told, f"texts__{language}__{name}")


def _images(study: Study, plan: design.Study | None) -> Item:
    """Enough stimuli for every block and condition."""
    title = _("Enough images for every block")
    if not study.stimuli.exists():
        return Item("images", title, "images", (Lack(_("There are no images yet.")),))
    if plan is None:
        return Item("images", title, "change", (Lack(_("Mend the design first.")),))
    lacks = design.shortage(plan, studies.planned_stimuli(study))
    return Item("images", title, "images", tuple(Lack(faults.said(lack)) for lack in lacks))


def _audit(study: Study) -> Item:
    """The leak audit of what is served now."""
    audit = studies.last_audit(study)
    if audit is None:
        missing = (Lack(_("The images have not been audited since they last changed.")),)
    elif not audit.passed:
        missing = (Lack(_("It found a way to tell the truth without looking.")),)
    else:
        missing = ()
    return Item("audit", _("Leak audit passed"), "audit", missing)


def _recruitment(study: Study) -> Item:
    try:
        panels.read(study.recruitment)
        lacks: tuple[Lack, ...] = ()
    except panels.PanelError as error:
        lacks = tuple(map(Lack, error.faults))
    return Item("recruitment", _("Recruitment settings work"), "recruitment", lacks)


def _comparisons(study: Study) -> Item:
    """Whether the images can test what is claimed."""
    named = (study.analysis_plan or {}).get("claims", [])
    there = set(study.stimuli.order_by().values_list("origin", flat=True).distinct())
    lacks = tuple(
        Lack(
            _("“%(claim)s”: there are no such images") % {"claim": claims.in_words(claim)}, "claims"
        )
        for claim in named
        if there and not set(claims.compared(claim)) <= there
    )
    title = _("Images of the kinds that the claims compare")
    return Item("comparisons", title, "change", lacks, is_advice=True, field="claims")


def _smallest_effects(study: Study) -> Item:
    """For each claim, what would matter."""
    plan = study.analysis_plan or {}
    named, effects = plan.get("claims", []), plan.get("smallest_effects", {})
    lacks = tuple(
        Lack(_("“%(claim)s” has none") % {"claim": claims.in_words(claim)}, "smallest_effects")
        for claim in named
        if claim not in effects and claim.partition(":")[0] not in effects
    )
    if not named:
        lacks = (Lack(_("No claim is named, so nothing will be confirmatory."), "claims"),)
    title = _("A smallest effect of interest for each claim")
    return Item("effects", title, "change", lacks, is_advice=True, field="smallest_effects")


def _sample_size(study: Study) -> Item:
    lacks = () if study.quota else (Lack(_("There is no quota: the study stays open.")),)
    title = _("A sample size, set as the quota")
    return Item("sample_size", title, "planner", lacks, is_advice=True)


def _preregistration(study: Study) -> Item:
    """Going live freezes the plan; before that it must say when recruitment ends."""
    lacks = []
    if not (study.analysis_plan or {}).get("stopping_rule"):
        lacks.append(Lack(_("The analysis plan has no stopping rule."), "stopping_rule"))
    if not study.exclusion_rules:
        lacks.append(Lack(_("There are no exclusion rules."), "exclusion_rules"))
    title = _("Preregistration: stopping rule and exclusion rules")
    return Item(
        "preregistration", title, "change", tuple(lacks), is_advice=True, field="stopping_rule"
    )


def summary(items: list[Item]) -> str:
    """In one sentence how far it is."""
    open_items = sum(not item.is_met and not item.is_advice for item in items)
    if not open_items:
        return _("Nothing stands in the way.")
    text = ngettext("One thing stands in the way.", "%(n)s things stand in the way.", open_items)
    return text % {"n": open_items}
