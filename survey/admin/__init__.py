"""The researcher's side: set up, watch, download, decide.

Importing a module here registers its tables and its pages (see `pages`).
"""

from survey.admin import (
    downloads,
    lifecycle,
    members,
    monitor,
    participants,
    planning,
    preview,
    recruiting,
    reports,
    stimuli,
    studies,
    upload,
)

__all__ = [
    "downloads",
    "lifecycle",
    "members",
    "monitor",
    "participants",
    "planning",
    "preview",
    "recruiting",
    "reports",
    "stimuli",
    "studies",
    "upload",
]
