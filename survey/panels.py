"""Recruitment panels: what their links carry, what a study sets, and the way back to them.

Nothing here reads the database. A study's settings (`Study.recruitment`) become `Rules`, a link
becomes an `Arrival` or is `Refused`, and an outcome becomes a `WayBack`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

from django.utils.translation import gettext as _

MAX_LENGTH = 100

#: An id begins like a word, so that no spreadsheet takes it for a formula. ASCII without spaces.
_VALUE = re.compile(r"[A-Za-z0-9_][!-~]*")
_CODE = re.compile(r"[A-Za-z0-9_-]{1,50}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,49}")
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_LINK = re.compile(r"[!-~]{1,1000}")
_GAP = re.compile(r"\{(.*?)\}")

#: What panels and scripts leave in a link when they fail to fill it in.
_UNFILLED_SIGNS = re.compile(r"[{}<>$%\[\]]")
_UNFILLED_WORDS = {"undefined", "null", "none"}

#: MTurk shows the page to workers who have not accepted the task yet, with this instead of an id.
_PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"


class Outcome(StrEnum):
    """How a participation ended, as far as the panel is concerned."""

    COMPLETED = "completed"
    SCREENED_OUT = "screened_out"
    FAILED_CHECK = "failed_check"


class PanelError(ValueError):
    """Settings that do not work, with every fault."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Refused(Exception):
    """A link that admits nobody; the message may be shown."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel as it is known here; a study may rename the parameters."""

    name: str
    label: str
    parameters: Mapping[str, str]  # what it is -> its name in the link
    required: tuple[str, ...] = ("panel_id",)
    return_url: str = ""
    hosts: tuple[str, ...] = ()  # which may frame the entry page and receive the form


PROLIFIC = Panel(
    name="prolific",
    label="Prolific",
    parameters={
        "panel_id": "PROLIFIC_PID",
        "panel_study": "STUDY_ID",
        "submission": "SESSION_ID",
    },
    return_url="https://app.prolific.com/submissions/complete?cc={code}",
)
MTURK = Panel(
    name="mturk",
    label="Mechanical Turk",
    parameters={
        "panel_id": "workerId",
        "panel_study": "hitId",
        "submission": "assignmentId",
        "submit_to": "turkSubmitTo",
    },
    required=("panel_id", "submission", "submit_to"),
    hosts=(
        "www.mturk.com",
        "worker.mturk.com",
        "workersandbox.mturk.com",
        "requester.mturk.com",
        "requestersandbox.mturk.com",
    ),
)
SONA = Panel(name="sona", label="SONA", parameters={"panel_id": "survey_code"})
OTHER = Panel(name="other", label="", parameters={})
PANELS = {panel.name: panel for panel in (PROLIFIC, MTURK, SONA, OTHER)}

#: What a link may carry, and what the return URL may hold between braces.
ROLES = ("panel_id", "panel_study", "submission")
GAPS = (*ROLES, "code")
SETTINGS = (
    *("panel", "label", "parameters", "codes", "return_url", "hosts", "open_link"),
    *("show_result", "share_card"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """How one study recruits. Without a panel everybody comes by the open link.

    Some panels forbid to tell people their score; and a card to share it with tells others of a
    study that pays, so that a panel's people only get one where the study says so.
    """

    panel: str = ""
    label: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    return_url: str = ""
    hosts: tuple[str, ...] = ()
    open_link: bool = True
    show_result: bool = True
    share_card: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody whom a panel sent, as the link says."""

    panel: str
    panel_id: str = ""
    panel_study: str = ""
    submission: str = ""
    submit_to: str = ""

    @property
    def person(self) -> str:
        """What is the same whenever this person comes: neither case nor spaces make another."""
        return f"{self.panel}:{self.panel_id.casefold()}"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WayBack:
    """Back to the panel: a link, or (with `fields`) a form to post; and the code in words."""

    label: str
    url: str = ""
    code: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()  # where the form may lead


# --- settings ----------------------------------------------------------------------------------


def read(settings: Any) -> Rules:
    """The rules that a study's settings make. Raises PanelError with every fault."""
    if settings in ({}, None):
        return Rules()
    faults = list(_faults(settings))
    if faults:
        raise PanelError(faults)
    panel = PANELS[settings["panel"]]
    return Rules(
        panel=panel.name,
        label=settings.get("label") or panel.label,
        parameters={**panel.parameters, **settings.get("parameters", {})},
        required=panel.required,
        codes=dict(settings.get("codes", {})),
        return_url=settings.get("return_url") or panel.return_url,
        hosts=tuple(settings.get("hosts") or panel.hosts),
        open_link=bool(settings.get("open_link", False)),
        show_result=bool(settings.get("show_result", True)),
        share_card=bool(settings.get("share_card", False)),
    )


def _faults(settings: Any) -> Iterator[str]:
    panel = PANELS.get(str(settings.get("panel"))) if isinstance(settings, dict) else None
    if panel is None:
        yield _("“panel” must be one of: %(names)s.") % {"names": ", ".join(PANELS)}
        return
    for key in settings.keys() - set(SETTINGS):
        yield _("“%(key)s” is not a setting; there are: %(names)s.") % {
            "key": key,
            "names": ", ".join(SETTINGS),
        }
    if panel is OTHER and not settings.get("label"):
        yield _("Another panel needs a “label”: its name, as participants know it.")
    yield from _faults_of_types(settings)
    yield from _faults_of_parameters(panel, settings.get("parameters", {}))
    yield from _faults_of_return(panel, settings)


def _faults_of_types(settings: Mapping[str, Any]) -> Iterator[str]:
    kinds = {"label": str, "return_url": str, "parameters": dict, "codes": dict}
    kinds |= {"hosts": list, "open_link": bool, "show_result": bool, "share_card": bool}
    for key, kind in kinds.items():
        if key in settings and not isinstance(settings[key], kind):
            yield _("“%(key)s” is not of the right type.") % {"key": key}
    hosts = settings.get("hosts", [])
    if isinstance(hosts, list) and not all(_HOST.fullmatch(str(host)) for host in hosts):
        yield _("“hosts” holds names such as worker.mturk.com, without https://.")


def _faults_of_parameters(panel: Panel, renamed: Any) -> Iterator[str]:
    if not isinstance(renamed, dict):
        return
    allowed = panel.parameters.keys() | set(ROLES)
    if renamed.keys() - allowed:
        yield _("“parameters” may rename: %(names)s.") % {"names": ", ".join(sorted(allowed))}
    names = [*(panel.parameters | renamed).values()]
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        yield _("A parameter's name holds letters, digits, dots, hyphens and underscores only.")
    elif len(set(names)) < len(names):
        yield _("Two parameters have the same name.")
    if "panel_id" not in panel.parameters | renamed:
        yield _("“parameters” must name the one that carries the “panel_id”.")


def _faults_of_return(panel: Panel, settings: Mapping[str, Any]) -> Iterator[str]:
    codes, url = settings.get("codes", {}), settings.get("return_url", panel.return_url)
    if not isinstance(codes, dict) or not isinstance(url, str):
        return
    if codes.keys() - set(Outcome):
        yield _("“codes” may hold: %(names)s.") % {"names": ", ".join(Outcome)}
    if not all(isinstance(code, str) and _CODE.fullmatch(code) for code in codes.values()):
        yield _("A code holds 1 to 50 letters, digits, hyphens and underscores.")
    if panel is MTURK and (codes or url):
        yield _("Mechanical Turk takes neither codes nor a return URL.")
    if panel is SONA and "{panel_id}" not in url:
        yield _("SONA needs the “return_url” that gives the credit, with {panel_id} in it.")
    if url:
        yield from _faults_of_url(url, codes)


def _faults_of_url(url: str, codes: Mapping[str, Any]) -> Iterator[str]:
    if not _is_https(url):
        yield _("“return_url” must begin with https:// and a host without gaps.")
    if set(_GAP.findall(url)) - set(GAPS):
        yield _("“return_url” may hold: %(gaps)s.") % {
            "gaps": ", ".join(f"{{{gap}}}" for gap in GAPS)
        }
    if "{code}" in url and Outcome.COMPLETED not in codes:
        yield _("“return_url” holds {code}, but “codes” has no “completed”.")
    if codes and "{code}" not in url:
        yield _("There are “codes”, but “return_url” does not hold {code}.")


def _is_https(url: str) -> bool:
    """Whether a URL is a plain https one: a fixed host, no user in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return bool(
            _LINK.fullmatch(url)
            and parts.scheme == "https"
            and _HOST.fullmatch(host)
            and parts.netloc.lower() in {host, f"{host}:{parts.port}"}
        )
    except ValueError:
        return False


# --- links in ----------------------------------------------------------------------------------


def is_preview(rules: Rules, query: Mapping[str, Sequence[str]]) -> bool:
    """Whether MTurk shows the page to somebody who has not accepted the task."""
    name = rules.parameters.get("submission", "")
    return rules.panel == MTURK.name and list(query.get(name, ())) == [_PREVIEW]


def read_link(rules: Rules, query: Mapping[str, Sequence[str]]) -> Arrival | None:
    """Whom a link speaks of; None where it carries nothing of a panel. Raises Refused."""
    if rules.parameters.get("panel_id", "") not in query:
        _check_foreign(rules, query)
    if not any(name in query for name in rules.parameters.values()):
        return None
    given = {
        role: _value(rules, role, query.get(name, ())) for role, name in rules.parameters.items()
    }
    if not all(given[role] for role in rules.required):
        raise Refused(_again(rules, _("This link does not carry your ID.")))
    if rules.panel == MTURK.name and not _is_allowed(given["submit_to"], rules.hosts):
        raise Refused(_("This link names an address for your result that is not known here."))
    return Arrival(panel=rules.panel, **given)


def not_from_panel(rules: Rules) -> str:
    """What somebody is told who comes without an id to a study that needs one."""
    return _(
        "This study takes participants of %(panel)s. Please start it there. If you have just "
        "done so, allow cookies for this page and start it there again."
    ) % {"panel": rules.label}


def _check_foreign(rules: Rules, query: Mapping[str, Sequence[str]]) -> None:
    """Refuse the link of another panel: nobody would be paid."""
    own = set(rules.parameters.values())
    for panel in PANELS.values():
        if panel.name != rules.panel and query.keys() & (set(panel.parameters.values()) - own):
            raise Refused(
                _(
                    "This is a link for participants of %(panel)s, but the study does not recruit "
                    "there. Please tell the researchers."
                )
                % {"panel": panel.label}
            )


def _value(rules: Rules, role: str, values: Sequence[str]) -> str:
    """One parameter's value without spaces around it, or Refused."""
    if len(set(values)) > 1:
        raise Refused(_again(rules, _("This link carries two different IDs.")))
    text = values[0].strip(" ") if values else ""
    if _UNFILLED_SIGNS.search(text) or text.casefold() in _UNFILLED_WORDS:
        raise Refused(_again(rules, _("This link carries a placeholder instead of your ID.")))
    if len(text) > MAX_LENGTH:
        raise Refused(_again(rules, _("The ID in this link is too long.")))
    if text and not _VALUE.fullmatch(text):
        raise Refused(_again(rules, _("The ID in this link holds signs that no ID has.")))
    return text


def _again(rules: Rules, fault: str) -> str:
    advice = _(
        "Please open the study from %(panel)s again. If that does not help, tell the researchers."
    )
    return fault + " " + advice % {"panel": rules.label}


def _is_allowed(url: str, hosts: Sequence[str]) -> bool:
    return url.lower().rstrip("/") in {f"https://{host}" for host in hosts}


# --- the way back ------------------------------------------------------------------------------


def way_back(rules: Rules, arrival: Arrival, outcome: Outcome) -> WayBack | None:
    """How somebody gets back to the panel, if it wants to know of this outcome."""
    code = rules.codes.get(outcome, "")
    if outcome != Outcome.COMPLETED and not code:
        return None
    if rules.panel == MTURK.name:
        return _form(rules, arrival)
    gaps = {role: getattr(arrival, role) for role in ROLES} | {"code": code}
    url = _filled(rules.return_url, gaps)
    return WayBack(rules.label, url, code) if url or code else None


def _form(rules: Rules, arrival: Arrival) -> WayBack | None:
    """MTurk wants a POST with the assignment and at least one more field."""
    if not arrival.submission:
        return None
    url = arrival.submit_to.rstrip("/") + "/mturk/externalSubmit"
    fields = {"assignmentId": arrival.submission, "outcome": Outcome.COMPLETED.value}
    return WayBack(rules.label, url, fields=fields, hosts=rules.hosts)


def _filled(template: str, gaps: Mapping[str, str]) -> str:
    """The return URL; empty if something that it needs is not known any more."""
    if not all(gaps[name] for name in _GAP.findall(template)):
        return ""
    return _GAP.sub(lambda gap: quote(gaps[gap[1]], safe=""), template)
