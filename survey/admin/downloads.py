"""Download the data of a study: streamed, in any form, of whom one chooses."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from survey import export, roles, trail
from survey.admin import pages
from survey.export import EVERYBODY, REAL_PEOPLE, Selection
from survey.models import Study
from survey.roles import Right

#: What each form is good for, in the order of the page.
FORMS = {
    "psychds": (
        gettext_lazy("Data set (ZIP)"),
        gettext_lazy(
            "Everything in the form of Psych-DS: trials, participants, stimuli, the codebook and "
            "what loads them in R and pandas."
        ),
    ),
    "csv": (gettext_lazy("Trials (CSV)"), gettext_lazy("One row per planned trial.")),
    "xlsx": (
        gettext_lazy("Trials (XLSX)"),
        gettext_lazy("For spreadsheets. Text stays text, so that no formula ever runs."),
    ),
    "parquet": (
        gettext_lazy("Trials (Parquet)"),
        gettext_lazy("Typed and small, for Arrow, Polars, DuckDB or pandas."),
    ),
    "wide": (
        gettext_lazy("Participants (CSV, wide)"),
        gettext_lazy("One row per participant, a column for each thing shown: for SPSS or JASP."),
    ),
}
RELEASE = (
    gettext_lazy("Public release (ZIP)"),
    gettext_lazy(
        "To publish: no free text, only the month of each time, and only background answers that "
        "at least five participants share. What was left out is listed in it."
    ),
)


class SelectionForm(forms.Form):
    """Whose data, and what goes with them."""

    completed_only = forms.BooleanField(
        label=gettext_lazy("only those who completed"), required=False
    )
    without_simulated = forms.BooleanField(
        label=gettext_lazy("without simulated participants"), required=False
    )
    images = forms.BooleanField(
        label=gettext_lazy("with the images as shown (ZIP only)"), required=False
    )
    since = forms.DateField(
        label=gettext_lazy("entered from"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    until = forms.DateField(
        label=gettext_lazy("entered until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )

    def selection(self, usual: Selection) -> Selection:
        """Whose data are meant; a release has no simulated participants."""
        values = self.cleaned_data
        return Selection(
            completed_only=values["completed_only"],
            without_simulated=values["without_simulated"] or usual.without_simulated,
            since=values["since"],
            until=values["until"],
        )


@pages.page("downloads", right=Right.RELEASE, tab=gettext_lazy("Data"), place=60)
@require_GET
def downloads(request: HttpRequest, study: Study) -> HttpResponse:
    """The forms in which the data can be had."""
    form = SelectionForm(request.GET or None)
    all_forms = FORMS if roles.may(request.user, Right.RESPONSES, study) else {}
    context = {
        "title": _("Data"),
        "form": form,
        "forms": [(kind, label, use) for kind, (label, use) in all_forms.items()],
        "release": RELEASE,
        "counts": _counts(study),
        "versions": study.versions.order_by("-number"),
    }
    return pages.render(request, study, "admin/downloads/downloads.html", context)


def _counts(study: Study) -> dict[str, int]:
    people = study.participants
    return {
        "people": people.filter(is_simulated=False).count(),
        "completed": people.filter(is_simulated=False, completed_at__isnull=False).count(),
        "simulated": people.filter(is_simulated=True).count(),
    }


@pages.page("download", right=Right.RESPONSES)
@require_GET
def download(request: HttpRequest, study: Study) -> Any:
    """The data in one form, as they are read."""
    kind = request.GET.get("form", "")
    if kind not in FORMS:
        raise Http404
    return _sent(request, study, kind, EVERYBODY)


@pages.page("release", right=Right.RELEASE)
@require_GET
def release(request: HttpRequest, study: Study) -> Any:
    """The data set that may be published."""
    return _sent(request, study, "release", REAL_PEOPLE)


def _sent(request: HttpRequest, study: Study, kind: str, usual: Selection) -> Any:
    form = SelectionForm(request.GET)
    if not form.is_valid():
        return HttpResponse(form.errors.as_text(), status=400, content_type="text/plain")
    wanted, selection = export.FORMATS[kind], form.selection(usual)
    is_zip = kind in ("psychds", "release")
    more = {"with_images": True} if is_zip and form.cleaned_data["images"] else {}
    trail.note(study, "download", form=kind, selection=str(selection))
    pieces = export.stream(study, kind, selection, **more)
    response = StreamingHttpResponse(pieces, content_type=wanted.content_type)
    response["Content-Disposition"] = f'attachment; filename="{wanted.file_name(study, kind)}"'
    return response
