"""A study: its texts and rules, its blocks, its frozen versions, and who works on it."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from survey import panels


def validate_recruitment(value: Any) -> None:
    """Refuse settings of a panel that do not work, with every fault."""
    try:
        panels.read(value)
    except panels.PanelError as error:
        raise ValidationError(list(error.faults)) from error


class Task(models.TextChoices):
    DETECT_PAIR = "detect_pair", _("Detection in pairs")
    PREFER_PAIR = "prefer_pair", _("Preference in pairs")
    DETECT_SINGLE = "detect_single", _("Detection of single images")
    RATE_SINGLE = "rate_single", _("Rating of single images")


class Study(models.Model):
    """One study: its texts, its rules and whether it is open. Blocks and stimuli hang on it."""

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("study", "Draft")
        LIVE = "live", pgettext_lazy("study", "Live")
        PAUSED = "paused", pgettext_lazy("study", "Paused")
        CLOSED = "closed", pgettext_lazy("study", "Closed")

    slug = models.SlugField(
        _("short name"), unique=True, help_text=_("Appears in the link and in the data.")
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.DRAFT, editable=False
    )
    languages = models.JSONField(_("languages"), default=list)
    texts = models.JSONField(_("texts"), default=dict)
    minimum_age = models.PositiveSmallIntegerField(_("minimum age"), default=18)
    duration_minutes = models.PositiveSmallIntegerField(_("duration in minutes"), default=10)
    block_order = models.CharField(_("order of the blocks"), max_length=20, default="fixed")
    share_stimuli = models.BooleanField(_("blocks may share stimuli"), default=False)
    conditions = models.JSONField(_("conditions"), default=list, blank=True)
    background = models.JSONField(_("background questions"), default=list, blank=True)
    display_width = models.PositiveIntegerField(_("width of a stimulus in pixels"), default=1024)
    display_height = models.PositiveIntegerField(_("height of a stimulus in pixels"), default=768)
    display_fit = models.CharField(_("fit"), max_length=10, default="pad")
    allow_small_screens = models.BooleanField(_("small screens are allowed"), default=True)
    fullscreen = models.CharField(_("full screen"), max_length=10, default="offer")
    exclusion_rules = models.JSONField(_("exclusion rules"), default=list, blank=True)
    analysis_plan = models.JSONField(_("analysis plan"), default=dict, blank=True)

    mode = models.CharField(
        _("mode"),
        max_length=10,
        choices=[
            ("study", _("Study")),
            ("learning", _("Learning, with the truth after each trial")),
        ],
        default="study",
    )

    # Not part of the design: how many, until when, and from where they come.
    quota = models.PositiveIntegerField(_("quota"), null=True, blank=True)
    slot_minutes = models.PositiveIntegerField(
        _("minutes after which a place is given to somebody else"), default=60
    )
    opens_at = models.DateTimeField(_("opens at"), null=True, blank=True)
    closes_at = models.DateTimeField(_("closes at"), null=True, blank=True)
    recruitment = models.JSONField(
        _("recruitment"),
        default=dict,
        blank=True,
        validators=[validate_recruitment],
        help_text=_("The panel that participants come from; empty: they come by the open link."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("study")
        verbose_name_plural = _("studies")
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug

    def text(self, name: str, language: str | None = None) -> str:
        """One of the study's texts in a language that the study has."""
        return str(self.texts.get(self.language_for(language), {}).get(name, ""))

    def language_for(self, wanted: str | None = None) -> str:
        """The wanted (else the current) language if the study has it, else its first."""
        wanted = wanted or get_language() or ""
        available = self.languages or ["en"]
        return wanted if wanted in available else available[0]

    @property
    def title(self) -> str:
        return self.text("title") or self.slug


class Membership(models.Model):
    """Somebody's role in a study; `survey.roles` says what each role may do."""

    class Role(models.TextChoices):
        OWNER = "owner", pgettext_lazy("role", "Owner")
        RESEARCHER = "researcher", pgettext_lazy("role", "Researcher")
        ASSISTANT = "assistant", pgettext_lazy("role", "Assistant")
        REVIEWER = "reviewer", pgettext_lazy("role", "Reviewer")

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="memberships",
        verbose_name=_("account"),
    )
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        ordering = ("study", "role")
        constraints = [models.UniqueConstraint(fields=["study", "user"], name="one_role_a_study")]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}"


class Version(models.Model):
    """A frozen design. Participants belong to the version under which they started."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    design_hash = models.CharField(_("design hash"), max_length=64)
    canonical = models.TextField(_("canonical design"))
    frozen_at = models.DateTimeField(_("frozen at"), default=timezone.now)

    class Meta:
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        ordering = ("study", "number")
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="version_number")]

    def __str__(self) -> str:
        return f"{self.study} v{self.number}"


class Block(models.Model):
    """A run of trials of one task. The fields mean what `survey.design.Block` says."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="blocks")
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    key = models.SlugField(_("name"))
    task = models.CharField(_("task"), max_length=20, choices=Task.choices)
    trials = models.PositiveSmallIntegerField(_("trials"), validators=[MinValueValidator(1)])
    question = models.CharField(_("scale or comparison"), max_length=50, blank=True)
    pairing = models.CharField(_("pairing"), max_length=20, default="matched")
    origins = models.JSONField(_("origins"), default=list, blank=True)
    categories = models.JSONField(_("categories"), default=list, blank=True)
    generators = models.JSONField(_("generators"), default=list, blank=True)
    enhancement_levels = models.JSONField(_("enhancement levels"), default=list, blank=True)
    exposures_ms = models.JSONField(_("exposures in ms"), default=list, blank=True)
    exposure_varies = models.CharField(_("exposure varies"), max_length=10, default="within")
    disclosures = models.JSONField(_("labels"), default=list, blank=True)
    disclosure_varies = models.CharField(_("labels vary"), max_length=10, default="within")
    ties = models.BooleanField(_("undecided is allowed"), default=False)
    scale_steps = models.PositiveSmallIntegerField(_("steps of the scale"), default=0)
    confidence_steps = models.PositiveSmallIntegerField(_("steps of confidence"), default=0)
    reasons = models.JSONField(_("reasons"), default=list, blank=True)
    feedback = models.CharField(_("feedback"), max_length=10, default="never")
    practice = models.PositiveSmallIntegerField(_("practice trials"), default=0)
    catch_trials = models.PositiveSmallIntegerField(_("catch trials"), default=0)
    repeat_share = models.FloatField(
        _("share of repeats"),
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
    )
    texts = models.JSONField(_("texts"), default=dict, blank=True)

    class Meta:
        verbose_name = _("block")
        verbose_name_plural = _("blocks")
        ordering = ("study", "position")
        constraints = [models.UniqueConstraint(fields=["study", "key"], name="block_key")]

    def __str__(self) -> str:
        return self.key
