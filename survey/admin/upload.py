"""Images into a draft: a ZIP, many files with a manifest, or one by one; and what is there.

What was sent is prepared by the background worker. A page shows how far it is, image by image, and
every fault at the end.
"""

import csv
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from survey import faults, image_set, stimuli, studies, tasks, trail
from survey.admin import pages
from survey.messages import unpacked
from survey.models import Generator, Origin, Pair, Report, Stimulus, Study, new_token
from survey.roles import Right

#: So many pairs are shown on the page itself, and so many of the images that are ready so far.
SHOWN = 24
LATEST = 12

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


# --- sending them ------------------------------------------------------------------------------


@pages.page("images", right=Right.DESIGN, tab=lazy("Images"), place=5)
def images(request: HttpRequest, study: Study) -> HttpResponse:
    """The images that are here, and the ways to add some."""
    form, error = OneImageForm(), ""
    if request.method == "POST":
        is_single = "origin" in request.POST
        form = OneImageForm(request.POST, request.FILES) if is_single else form
        if not is_single or form.is_valid():
            try:
                asked = _ask(request, study, form.cleaned_data if is_single else None)
            except studies.StudyError as fault:
                error = str(fault)
            else:
                return _asked(request, pages.address(study, "images_import", asked.pk))
        if request.headers.get("Accept") == SCRIPT:
            html = render_to_string("admin/_faults.html", {"error": error}, request)
            return JsonResponse({"html": html}, status=422)
    open_imports = study.reports.filter(kind=Report.Kind.IMAGES, finished_at=None)
    context = {
        "title": _("Images"),
        "form": form,
        "error": error,
        "is_draft": study.state == Study.State.DRAFT,
        "imports": [pages.address(study, "images_import", one.pk) for one in open_imports],
        **_present(study),
    }
    failed = bool(error or form.errors)
    return pages.render(request, study, "admin/images.html", context, 422 if failed else 200)


def _asked(request: HttpRequest, url: str) -> HttpResponse:
    if request.headers.get("Accept") == SCRIPT:
        return JsonResponse({"url": url})
    return HttpResponseRedirect(url)


def _ask(request: HttpRequest, study: Study, single: dict[str, Any] | None) -> Report:
    """Keep what was sent, and let the worker import it."""
    if study.state != Study.State.DRAFT:
        raise studies.StudyError(
            _("Images can only be added to a draft. Copy the study to run it with others.")
        )
    if not (single or request.FILES):
        raise studies.StudyError(_("No file was sent."))
    tasks.forget_broken_off(study)
    key = new_token()
    folder = tasks.sent(key)
    folder.mkdir(parents=True)
    try:
        file = _one(folder, single) if single else _many(request, folder)
    except BaseException:
        shutil.rmtree(folder.parent)
        raise
    return tasks.ask_for_images(study, key, file, request.user)


def _many(request: HttpRequest, folder: Path) -> str:
    """Save the sent files; returns the name of the ZIP if that is all there is."""
    names = []
    for file in request.FILES.getlist("files"):
        names.append(Path(str(file.name)).name)
        _save(file, folder / names[-1])
    return names[0] if len(names) == 1 and names[0].lower().endswith(".zip") else ""


def _one(folder: Path, values: dict[str, Any]) -> str:
    """Save one image with a manifest of one row."""
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
    return ""


def _save(file: UploadedFile, path: Path) -> None:
    with path.open("wb") as out:
        out.writelines(file.chunks())


# --- while they are prepared -------------------------------------------------------------------


@pages.page("images_import", right=Right.DESIGN, route="images/import/<int:number>/")
def images_import(request: HttpRequest, study: Study, number: int) -> HttpResponse:
    """How far an import is, what is wrong with it, and a second try where it broke off."""
    report = _import_of(study, number)
    if request.method == "POST":
        tasks.try_again(report)
        return HttpResponseRedirect(request.path)
    if report.state == Report.State.DONE:
        n = report.result["total"]
        text = ngettext("One image was added.", "%(n)s images were added.", n)
        messages.success(request, text % {"n": n})
        return HttpResponseRedirect(pages.address(study, "images"))
    context = {"title": _("Adding images"), **_how_far(study, report)}
    return pages.render(request, study, "admin/images_import.html", context)


@pages.page("images_import_live", right=Right.DESIGN, route="images/import/<int:number>/live/")
@require_GET
def images_import_live(request: HttpRequest, study: Study, number: int) -> HttpResponse:
    """How far it is now."""
    context = _how_far(study, _import_of(study, number))
    return render(request, "admin/_images_import_live.html", context)


@pages.page(
    "images_import_picture",
    right=Right.DESIGN,
    route="images/import/<int:number>/<int:row>.jpg",
)
@require_GET
def images_import_picture(request: HttpRequest, study: Study, number: int, row: int) -> Any:
    """An image that is ready, before all of them are."""
    path = tasks.made(_import_of(study, number).key) / f"{row}.jpg"
    if not path.is_file():
        raise Http404
    answer = FileResponse(path.open("rb"), content_type="image/jpeg")
    answer["Cache-Control"] = "private, max-age=600"
    return answer


def _import_of(study: Study, number: int) -> Report:
    return get_object_or_404(study.reports, pk=number, kind=Report.Kind.IMAGES)


def _how_far(study: Study, report: Report) -> dict[str, Any]:
    """What the page of an import says."""
    is_silent = tasks.is_silent(report)
    rows = sorted((int(path.stem) for path in tasks.made(report.key).glob("*.jpg")), reverse=True)
    return {
        "study": study,
        "report": report,
        "live_url": pages.address(study, "images_import_live", report.pk),
        "is_open": report.finished_at is None and not is_silent,
        "is_silent": is_silent,
        "can_try_again": tasks.can_try_again(report),
        "done": report.result.get("done", 0),
        "total": report.result.get("total", 0),
        "latest": [
            (row, pages.address(study, "images_import_picture", report.pk, row))
            for row in rows[:LATEST]
        ],
        "error": faults.said(unpacked(report.result.get("error", ""))),
        "faults": list(map(_told, report.result.get("faults", []))),
    }


def _told(fault: dict[str, Any]) -> dict[str, Any]:
    """A fault of an import with its words in the language of the page."""
    allowed = fault["allowed"]
    words = {"found": faults.said(unpacked(fault["found"])), "allowed": _(allowed)}
    return {**fault, **words, "row": fault["row"] or ""}


# --- what is there -----------------------------------------------------------------------------


@pages.page("images_remove", right=Right.DESIGN, route="images/remove/")
def images_remove(request: HttpRequest, study: Study) -> HttpResponse:
    """Ask, then take all images out of a draft; some of them go in the list of images."""
    is_draft = study.state == Study.State.DRAFT
    if request.method == "POST" and is_draft:
        remove(study, study.stimuli.all())
        messages.success(request, _("The images were removed."))
        return HttpResponseRedirect(pages.address(study, "images"))
    context = {
        "title": _("Remove all images"),
        "is_draft": is_draft,
        "count": study.stimuli.count(),
    }
    status = 200 if request.method == "GET" else 422
    return pages.render(request, study, "admin/images_remove.html", context, status)


def remove(study: Study, chosen: Any) -> None:
    """Take images out of a draft, and write down which."""
    names = list(chosen.order_by("code").values_list("code", flat=True))
    removed = image_set.remove_stimuli(study, chosen)
    trail.note(study, "images removed", removed=removed, names=", ".join(names[:SHOWN]))


def mark(study: Study, chosen: Any, *, is_catch: bool) -> int:
    """Say of images in a draft whether they are obvious, and write down which."""
    names = list(chosen.filter(study=study).order_by("code").values_list("code", flat=True))
    count = image_set.mark_stimuli(study, chosen, is_catch=is_catch)
    trail.note(study, "images marked", obvious=is_catch, names=", ".join(names[:SHOWN]))
    return count


def _present(study: Study) -> dict[str, Any]:
    """The images of a study: pairs side by side, those that are alone, those that look alike."""
    everything = list(study.stimuli.select_related("pair", "generator"))
    members = Counter(image.pair_id for image in everything)
    pairs = study.pairs.annotate(members=Count("stimuli")).filter(members__gt=1)
    loose = [image for image in everything if not image.pair_id or members[image.pair_id] == 1]
    return {
        "count": len(everything),
        "pair_count": pairs.count(),
        "pairs": [(pair, _ordered(pair)) for pair in pairs.prefetch_related("stimuli")[:SHOWN]],
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
