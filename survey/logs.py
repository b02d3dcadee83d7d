"""Log lines without personal data: one JSON object a line, or plain text at a terminal."""

import json
import logging
import re
from datetime import UTC, datetime

#: What must never reach a log, and what stands in its place.
SECRETS = (
    (re.compile(r"/p/[^/\s\"'?]+"), "/p/[private]"),  # the private link is a credential
    (re.compile(r"\?[^\s\"'=]+=[^\s\"']*"), "?[query]"),  # panel ids arrive in a query
    (re.compile(r"DETAIL:.*"), "DETAIL: [row]"),  # PostgreSQL quotes the row it refuses
    (re.compile(r"(?<=://)[^/\s@]+@"), "[login]@"),  # DATABASE_URL
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b(?!:\d)"), "[address]"),
)


def scrub(text: str) -> str:
    """The text without private links, queries, rows, passwords and addresses of visitors."""
    for pattern, substitute in SECRETS:
        text = pattern.sub(substitute, text)
    return text


class WithoutThreads(logging.Filter):
    """Leaves out the server's warning about its many threads: with SQLite they only wait."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Python threads" not in record.getMessage()


class Plain(logging.Formatter):
    """For people at a terminal."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


class Lines(logging.Formatter):
    """For programs: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": scrub(record.getMessage()),
        }
        status = getattr(record, "status_code", None)
        if status is not None:
            line["status"] = status
        if record.exc_info:
            line["exception"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)
