"""Places of a design, such as those of faults, as the researcher's forms call them."""

import re
from typing import Any

from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import pgettext_lazy

from survey import claims
from survey.admin.row_forms import language_name
from survey.admin.study_forms import BLOCK_TEXTS, STUDY_TEXTS, BlockForm, StudyForm
from survey.claims import CLAIMS

#: What the form calls one entry of a list of the design.
ENTRIES = {
    "blocks": lazy("Block"),
    "background": pgettext_lazy("background", "Question"),
    "choices": lazy("Choice"),
    "conditions": lazy("Condition"),
    "exclusion_rules": lazy("Exclusion rule"),
}
#: And what it calls what is no field of the study's or the block's form.
LABELS = {
    "analysis_plan": lazy("Analysis plan"),
    "blocks": lazy("Blocks"),
    "choices": lazy("Choices"),
    "kind": pgettext_lazy("question", "Kind"),
    "name": pgettext_lazy("condition", "Name"),
    "parameters": lazy("Numbers"),
    "reasons": lazy("Reasons offered"),
    "texts": lazy("Texts"),
    "value": lazy("Code"),
    "weight": lazy("Weight"),
    "labels": lazy("Labels of the scale"),
    "confidence_labels": lazy("Labels of confidence"),
}


def in_words(place: str) -> str:
    """A place of the design as the form calls it: `blocks[0].trials` as “Block 1 › trials”."""
    words: list[str] = []
    parts = [part for part in re.split(r"[.\[\]]+", place) if part not in ("", "texts")]
    for part, before in zip(parts, ["", *parts], strict=False):
        if part.isdecimal() and before in ENTRIES:
            words[-1] = f"{ENTRIES[before]} {int(part) + 1}"
        else:
            words.append(_label(part))
    return " › ".join(words) or _label(place)


def _label(name: str) -> str:
    texts: dict[str, Any] = {**STUDY_TEXTS, **BLOCK_TEXTS}
    if name in texts:
        return str(texts[name][0])
    for form in (StudyForm, BlockForm):
        if name in form.base_fields:
            return str(form.base_fields[name].label)
    if name.partition(":")[0] in CLAIMS:
        return claims.in_words(name)
    return str(LABELS.get(name) or language_name(name))
