"""Who took part and what they gave: to look at. It is changed by nobody."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from survey import completion, trail
from survey.admin.scoped import OWN, NamedValues, Scoped
from survey.models import PanelIdentity, Participant, Response, Study, Trial
from survey.roles import Right


@admin.register(Participant)
class ParticipantAdmin(Scoped):
    """Who came and how far: no responses, no truth."""

    view_right = Right.WATCH
    list_display = (
        "code",
        "study",
        "condition",
        "language",
        "answered",
        "entered_at",
        "completed_at",
        "is_simulated",
    )
    list_filter = (
        ("study", OWN),
        "is_simulated",
        ("condition", NamedValues),
        ("language", NamedValues),
    )
    list_select_related = ("study",)
    search_fields = ("code",)
    fields = (
        *("study", "code", "condition", "language", "source", "viewport"),
        *("consent_version", "entered_at", "consented_at", "completed_at", "withdrawn_at"),
        *("is_simulated", "holds_place", "over_quota"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Participant]:
        done = Count("trials", filter=Q(trials__answer__isnull=False))
        return super().get_queryset(request).annotate(done=done)

    @admin.display(description=gettext_lazy("answered"))
    def answered(self, participant: Participant) -> str:
        return f"{participant.done} / {participant.planned}"


@admin.register(PanelIdentity)
class PanelIdentityAdmin(Scoped):
    """For those who pay. It shows nothing of the responses."""

    study_path = "participant__study"
    view_right = Right.PAY
    list_display = ("panel_id", "panel", "panel_study", "submission")
    list_filter = (("participant__study", OWN),)
    search_fields = ("panel_id", "submission")
    exclude = ("participant",)
    actions = ("download_payments",)

    @admin.action(description=gettext_lazy("Download the list for payment"), permissions=["view"])
    def download_payments(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="payments.csv"'
        rows = completion.write_payments(queryset, response)
        for study in Study.objects.filter(
            participants__panel_identity__in=queryset.values("pk")
        ).distinct():
            trail.note(study, "payments", rows=rows)
        return response


@admin.register(Response)
class ResponseAdmin(Scoped):
    study_path = "trial__participant__study"
    view_right = Right.RESPONSES
    list_display = (
        "participant",
        "number",
        "task",
        "pictures",
        "response",
        "confidence",
        "rt_ms",
        "answered_at",
    )
    list_filter = (
        ("trial__participant__study", OWN),
        "trial__task",
        "trial__participant__is_simulated",
    )
    search_fields = ("trial__participant__code",)
    list_select_related = ("trial__participant", "trial__left", "trial__right", "trial__stimulus")

    @admin.display(description=gettext_lazy("participant"))
    def participant(self, response: Response) -> str:
        return response.trial.participant.code

    @admin.display(description=gettext_lazy("number"))
    def number(self, response: Response) -> int:
        return response.trial.index

    @admin.display(description=gettext_lazy("task"))
    def task(self, response: Response) -> str:
        return response.trial.get_task_display()

    @admin.display(description=gettext_lazy("pictures"))
    def pictures(self, response: Response) -> str:
        trial: Trial = response.trial
        return " | ".join(f"{s.code} ({s.get_origin_display()})" for s in trial.shown())
