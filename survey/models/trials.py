"""What was planned and what was answered. Responses are append-only."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from survey.models.participants import Participant
from survey.models.stimuli import Stimulus
from survey.models.studies import Task


class Trial(models.Model):
    """A planned presentation. The plan is written when the participant starts and never again."""

    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="trials")
    index = models.PositiveSmallIntegerField(_("number"))
    block = models.PositiveSmallIntegerField(_("block"))
    block_key = models.CharField(_("name of the block"), max_length=50)
    kind = models.CharField(_("kind"), max_length=10)
    repeat_of = models.PositiveSmallIntegerField(_("repeats"), null=True, blank=True)
    task = models.CharField(_("task"), max_length=20, choices=Task.choices)
    question = models.CharField(_("scale or comparison"), max_length=50, blank=True)
    pair_code = models.CharField(_("pair"), max_length=100, blank=True)
    left = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="+", null=True)
    right = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="+", null=True)
    stimulus = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="+", null=True)
    exposure_ms = models.PositiveIntegerField(_("exposure in ms"), null=True, blank=True)
    disclosure = models.CharField(_("labels"), max_length=20, default="hidden")
    delivered_at = models.DateTimeField(_("first delivered at"), null=True, blank=True)

    class Meta:
        verbose_name = _("trial")
        verbose_name_plural = _("trials")
        ordering = ("participant", "index")
        constraints = [
            models.UniqueConstraint(fields=["participant", "index"], name="trial_index"),
            models.CheckConstraint(
                condition=Q(left__isnull=False, right__isnull=False, stimulus__isnull=True)
                | Q(left__isnull=True, right__isnull=True, stimulus__isnull=False),
                name="trial_shows_a_pair_or_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.participant_id}/{self.index}"

    def shown(self) -> list[Stimulus]:
        """The stimuli in the order in which they are shown: left, right; or the single one."""
        return [s for s in (self.left, self.right, self.stimulus) if s is not None]


class Response(models.Model):
    """What was submitted for a trial. Only `survey.flow` writes here, once a trial."""

    class Device(models.TextChoices):
        MOUSE = "mouse", _("mouse")
        TOUCH = "touch", _("touch")
        KEYBOARD = "keyboard", _("keyboard")
        PEN = "pen", _("pen")

    trial = models.OneToOneField(
        Trial, on_delete=models.PROTECT, related_name="answer", primary_key=True
    )
    response = models.CharField(_("response"), max_length=10, blank=True)
    confidence = models.FloatField(_("confidence"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=50, blank=True)
    rt_ms = models.FloatField(_("response time in ms"), null=True)
    shown_ms = models.FloatField(_("shown for ms"), null=True)
    frame_ms = models.FloatField(_("frame interval in ms"), null=True)
    input_device = models.CharField(
        _("input device"), max_length=10, choices=Device.choices, blank=True
    )
    layout = models.CharField(_("layout"), max_length=20, blank=True)
    viewport_w = models.FloatField(null=True)
    viewport_h = models.FloatField(null=True)
    dpr = models.FloatField(null=True)
    shown_w = models.FloatField(null=True)
    shown_h = models.FloatField(null=True)
    images_loaded_ms = models.FloatField(null=True)
    focus_lost_ms = models.FloatField(null=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    flags = models.JSONField(_("flags"), default=list, blank=True)
    server_elapsed_ms = models.FloatField(_("elapsed on the server in ms"), null=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, default=timezone.now)

    # How `survey.integrity` notices a change: the salt goes with the content when it is erased.
    salt = models.CharField(max_length=32, blank=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    chain = models.CharField(max_length=64, editable=False)

    class Meta:
        verbose_name = _("response")
        verbose_name_plural = _("responses")
        ordering = ("trial",)

    def __str__(self) -> str:
        return f"{self.trial_id}: {self.response}"


class Erasure(models.Model):
    """Permission to empty one participant's responses, valid until the transaction ends.

    The database refuses every other change of a response (see the migration with the triggers).
    """

    participant = models.OneToOneField(
        Participant, on_delete=models.PROTECT, related_name="erasure", primary_key=True
    )
    erased_at = models.DateTimeField(_("erased at"), default=timezone.now)
    transaction = models.BigIntegerField(null=True, editable=False)
    sealed = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")

    def __str__(self) -> str:
        return f"erasure of {self.participant_id}"
