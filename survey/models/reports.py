"""Background work that a researcher asked for."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from survey.models.participants import new_token
from survey.models.stimuli import media_path
from survey.models.studies import Study


class Report(models.Model):
    """One piece of background work: what was asked for, how far it is, and what it was made from.

    The files of an analysis lie in a folder of its own and are kept, so that a number can be found
    again; images that were sent wait in one until they are imported.
    """

    class Kind(models.TextChoices):
        REPORT = "report", _("Report")
        POWER = "power", _("Power by simulation")
        IMAGES = "images", _("Images that were sent")

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("report", "Waiting")
        RUNNING = "running", pgettext_lazy("report", "Running")
        DONE = "done", pgettext_lazy("report", "Done")
        FAILED = "failed", pgettext_lazy("report", "Failed")

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="reports")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.REPORT)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.WAITING
    )
    options = models.JSONField(_("settings"), default=dict)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    alive_at = models.DateTimeField(_("last sign of life"), null=True)
    progress = models.PositiveSmallIntegerField(_("progress in percent"), default=0)
    log = models.TextField(_("log"), blank=True)
    data_sha256 = models.CharField(_("SHA-256 of the data"), max_length=64, blank=True)
    result = models.JSONField(_("result"), default=dict)
    key = models.CharField(max_length=40, unique=True, default=new_token, editable=False)

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ("-asked_at",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.study}: {self.kind} {self.pk}"

    @property
    def folder(self) -> Path:
        """Where the files of this run lie."""
        return media_path("reports", self.key)
