"""Images into a draft: a ZIP, many files with a manifest, or one by one; and what is there."""

import csv
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from survey import stimuli, studies, trail
from survey.admin import pages
from survey.models import Generator, Origin, Pair, Stimulus, Study
from survey.roles import Right

#: So many pairs are shown on the page itself.
SHOWN = 24

#: A page that is sent by the script asks for JSON.
SCRIPT = "application/json"


class OneImageForm(forms.Form):
    """A single image with what the manifest would say of it."""

    file = forms.FileField(
        label=lazy("Image"), widget=forms.ClearableFileInput(attrs={"accept": "image/*"})
    )
    origin = forms.ChoiceField(label=lazy("Origin"), choices=Origin.choices)
    pair_id = forms.CharField(
        label=lazy("Pair"),
        required=False,
        max_length=100,
        help_text=lazy("The same name for images that show the same thing."),
    )
    generator = forms.CharField(
        label=lazy("Generator"), required=False, max_length=100, help_text=lazy("Who made it.")
    )
    category = forms.CharField(label=lazy("Category"), required=False, max_length=50)
    enhancement_level = forms.FloatField(
        label=lazy("Enhancement level"),
        required=False,
        min_value=0,
        max_value=1,
        help_text=lazy("From 0 to 1."),
    )
    is_catch = forms.BooleanField(
        label=lazy("Obvious: for practice and catch trials"), required=False
    )
    credit = forms.CharField(label=lazy("Credit"), required=False, max_length=300)
    licence = forms.CharField(label=lazy("Licence"), required=False, max_length=100)
    source = forms.CharField(label=lazy("Source"), required=False, max_length=300)


@pages.page("images", right=Right.DESIGN, tab=lazy("Images"), place=5)
def images(request: HttpRequest, study: Study) -> HttpResponse:
    """The images that are here, and the ways to add some."""
    form = OneImageForm()
    found: list[stimuli.Fault] = []
    error = ""
    if request.method == "POST":
        is_single = "origin" in request.POST
        form = OneImageForm(request.POST, request.FILES) if is_single else form
        if not is_single or form.is_valid():
            error, found = _import(request, study, form.cleaned_data if is_single else None)
        if not (error or found or form.errors):
            return _added(request)
        if request.headers.get("Accept") == SCRIPT:
            context = {"error": error, "faults": _told(found)}
            html = render_to_string("admin/_faults.html", context, request)
            return JsonResponse({"html": html}, status=422)
    context = {
        "title": _("Images"),
        "form": form,
        "error": error,
        "faults": _told(found),
        "is_draft": study.state == Study.State.DRAFT,
        **_present(study),
    }
    failed = bool(error or found or form.errors)
    return pages.render(request, study, "admin/images.html", context, 422 if failed else 200)


def _added(request: HttpRequest) -> HttpResponse:
    if request.headers.get("Accept") == SCRIPT:
        return JsonResponse({"url": request.path})
    return HttpResponseRedirect(request.path)


def _import(
    request: HttpRequest, study: Study, single: dict[str, Any] | None
) -> tuple[str, list[stimuli.Fault]]:
    """Import what was sent; returns a message, or every fault."""
    before = study.stimuli.count()
    with tempfile.TemporaryDirectory() as name:
        try:
            source = _one(Path(name), single) if single else _many(request, Path(name))
            studies.import_stimuli(study, source)
        except stimuli.ManifestError as error:
            return "", error.faults
        except (studies.StudyError, stimuli.StimulusError) as error:
            return str(error), []
    added = study.stimuli.count() - before
    trail.note(study, "images", added=added)
    messages.success(request, _("%(n)s images were added.") % {"n": added})
    return "", []


def _many(request: HttpRequest, folder: Path) -> Path:
    """The sent files as the folder, or the ZIP, that the import reads."""
    files = request.FILES.getlist("files")
    if not files:
        raise studies.StudyError(_("No file was sent."))
    for file in files:
        _save(file, folder / Path(str(file.name)).name)
    if len(files) == 1 and str(files[0].name).lower().endswith(".zip"):
        return folder / Path(str(files[0].name)).name
    return folder


def _one(folder: Path, values: dict[str, Any]) -> Path:
    """A folder with one image and a manifest of one row."""
    file = values.pop("file")
    name = Path(str(file.name)).name
    _save(file, folder / name)
    level = values["enhancement_level"]
    row = {
        **values,
        "file": name,
        "enhancement_level": "" if level is None else level,
        "is_catch": str(values["is_catch"]).lower(),
    }
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, row)
        table.writeheader()
        table.writerow(row)
    return folder


def _save(file: UploadedFile, path: Path) -> None:
    with path.open("wb") as out:
        out.writelines(file.chunks())


def _told(faults: Iterable[stimuli.Fault]) -> list[dict[str, Any]]:
    """The faults with their words in the language of the page."""
    return [
        {
            "file": fault.file,
            "row": fault.row or "",
            "column": fault.column,
            "found": fault.found,
            "allowed": _(fault.allowed),
        }
        for fault in faults
    ]


def _present(study: Study) -> dict[str, Any]:
    """The images of a study: pairs side by side, those without a pair, those that look alike."""
    everything = list(study.stimuli.select_related("pair", "generator"))
    pairs = Pair.objects.filter(study=study).prefetch_related("stimuli")
    loose = [image for image in everything if image.pair_id is None]
    return {
        "count": len(everything),
        "pair_count": pairs.count(),
        "pairs": [(pair, _ordered(pair)) for pair in pairs[:SHOWN]],
        "loose": loose[:SHOWN],
        "loose_count": len(loose),
        "twins": _twins(everything),
        "generators": Generator.objects.filter(stimuli__study=study).distinct(),
    }


def _ordered(pair: Pair) -> list[Stimulus]:
    return sorted(pair.stimuli.all(), key=lambda image: (image.origin != "real", image.code))


def _twins(everything: list[Stimulus]) -> list[tuple[Stimulus, Stimulus]]:
    """Images that look almost the same and are not of one pair."""
    known = [image for image in everything if image.perceptual_hash]
    near = stimuli.near_pairs([image.perceptual_hash for image in known])
    found = ((known[i], known[j]) for i, j, _bits in near)
    return [(a, b) for a, b in found if a.pair_id is None or a.pair_id != b.pair_id]
