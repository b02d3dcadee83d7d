"""Who takes part: places, plans' counts, panels, and the limit of starts."""

import secrets

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from survey import panels
from survey.models.studies import Study, Version


def new_token() -> str:
    """The unguessable part of a participant's private link."""
    return secrets.token_urlsafe(24)


def new_code() -> str:
    """A participant's opaque code, as it appears in the data."""
    return "p" + secrets.token_hex(5)


class Allocation(models.Model):
    """How often each pair or stimulus was given out: one row a study, locked while one starts.

    Exposures and conditions are those of the participants who hold a place (completed, or started
    not long ago), and `places` is how many they are; `numbers` is how many ever started in each
    condition. So a start counts no rows, however many there are.
    """

    study = models.OneToOneField(Study, on_delete=models.CASCADE, primary_key=True)
    started = models.PositiveIntegerField(default=0)
    started_simulated = models.PositiveIntegerField(default=0)
    places = models.PositiveIntegerField(default=0)
    numbers = models.JSONField(default=dict)
    conditions = models.JSONField(default=dict)
    exposures = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"allocation of {self.study}"


class Participant(models.Model):
    """One person's single sitting."""

    study = models.ForeignKey(
        Study, on_delete=models.PROTECT, related_name="participants", verbose_name=_("study")
    )
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="participants")
    code = models.CharField(_("code"), max_length=20, unique=True, default=new_code)
    token = models.CharField(max_length=40, unique=True, default=new_token, editable=False)
    start_key = models.CharField(max_length=64, unique=True, editable=False)
    number = models.PositiveIntegerField(_("running number"))
    planned = models.PositiveSmallIntegerField(_("planned trials"), default=0)
    seed = models.CharField(max_length=40, editable=False)
    condition = models.CharField(_("condition"), max_length=50, blank=True)
    language = models.CharField(_("language"), max_length=10)
    source = models.CharField(_("source"), max_length=20, default="open")
    viewport = models.CharField(_("window"), max_length=20, blank=True)
    is_simulated = models.BooleanField(_("simulated"), default=False)
    holds_place = models.BooleanField(_("holds a place"), default=True)
    over_quota = models.BooleanField(_("over quota"), default=False)
    background = models.JSONField(_("background"), null=True, blank=True)
    flags = models.JSONField(_("flags"), default=list, blank=True)
    consent_version = models.CharField(_("version of the consent"), max_length=50, blank=True)
    entered_at = models.DateTimeField(_("entered at"), default=timezone.now)
    consented_at = models.DateTimeField(_("consented at"), default=timezone.now)
    completed_at = models.DateTimeField(_("completed at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    salt = models.CharField(max_length=32, blank=True, editable=False)
    seal = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        ordering = ("-entered_at",)
        indexes = [
            models.Index(fields=["study", "holds_place", "completed_at"]),
            # what `survey.arrivals` looks at again and again, without reading the rows themselves
            models.Index(
                fields=["study", "consented_at", "id"],
                condition=Q(is_simulated=False),
                name="people_who_came",
            ),
            models.Index(
                fields=["study", "completed_at", "id"],
                condition=Q(is_simulated=False, completed_at__isnull=False),
                name="people_who_completed",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | Q(background__isnull=True),
                name="withdrawn_keeps_nothing",
            )
        ]

    def __str__(self) -> str:
        return self.code


class PanelIdentity(models.Model):
    """Who a participant is at a panel: for payment only, and erased by routine after that.

    Never part of the data; seen only with the permission of its own.
    """

    participant = models.OneToOneField(
        Participant, on_delete=models.CASCADE, related_name="panel_identity", primary_key=True
    )
    panel = models.CharField(_("panel"), max_length=20)
    panel_id = models.CharField(_("panel ID"), max_length=panels.MAX_LENGTH)
    panel_study = models.CharField(_("study there"), max_length=panels.MAX_LENGTH, blank=True)
    submission = models.CharField(_("submission"), max_length=panels.MAX_LENGTH, blank=True)
    submit_to = models.CharField(_("submit to"), max_length=panels.MAX_LENGTH, blank=True)

    class Meta:
        verbose_name = _("panel identity")
        verbose_name_plural = _("panel identities")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.panel}: {self.panel_id}"


class EntryKey(models.Model):
    """A keyed hash of a panel ID, so that one person takes part once. Goes when the study closes.

    It says nothing without the server's secret, and outlives the routine erasure of the ID.
    """

    participant = models.OneToOneField(
        Participant, on_delete=models.CASCADE, related_name="entry_key", primary_key=True
    )
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="entry_keys")
    digest = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["study", "digest"], name="one_entry_a_person")
        ]

    def __str__(self) -> str:
        return self.digest


class StartCount(models.Model):
    """How often somebody started from one address within an hour, for the limit of starts.

    The address is a keyed hash, and the row goes when the hour is over.
    """

    source = models.CharField(max_length=64)
    hour = models.DateTimeField(db_index=True)
    starts = models.PositiveIntegerField(default=1)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["source", "hour"], name="one_count_an_hour")]

    def __str__(self) -> str:
        return f"{self.starts} starts"
