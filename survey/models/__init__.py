"""The tables. A study has blocks and stimuli; a participant has planned trials and responses."""

from survey.models.participants import (
    Allocation,
    EntryKey,
    PanelIdentity,
    Participant,
    StartCount,
    new_code,
    new_token,
)
from survey.models.reports import Report
from survey.models.stimuli import Audit, Generator, Origin, Pair, Stimulus, media_path
from survey.models.studies import Block, Membership, Study, Task, Version, validate_recruitment
from survey.models.trials import Erasure, Response, Trial

__all__ = [
    "Allocation",
    "Audit",
    "Block",
    "EntryKey",
    "Erasure",
    "Generator",
    "Membership",
    "Origin",
    "Pair",
    "PanelIdentity",
    "Participant",
    "Report",
    "Response",
    "StartCount",
    "Stimulus",
    "Study",
    "Task",
    "Trial",
    "Version",
    "media_path",
    "new_code",
    "new_token",
    "validate_recruitment",
]
