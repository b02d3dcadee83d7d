"""A chain of hashes over each participant's responses, and the check that nothing was changed.

Every response carries the digest of its salted content and a link: SHA-256 over the link before
it, its number and the digest. Erasure destroys content and salt but leaves digest and link, so
that the chain still verifies although nobody can tell any more what was in it.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from survey import design
from survey.models import Allocation, Participant, Response, Study, Trial, Version

FORMAT = 1

PLAN: tuple[str, ...] = (
    *("index", "block", "block_key", "kind", "repeat_of", "task", "question", "pair_code"),
    *("exposure_ms", "disclosure"),
)
CONTENT: tuple[str, ...] = (
    *("response", "confidence", "reason", "rt_ms", "shown_ms", "frame_ms", "input_device"),
    *("layout", "viewport_w", "viewport_h", "dpr", "shown_w", "shown_h"),
    *("images_loaded_ms", "focus_lost_ms", "language", "flags", "server_elapsed_ms"),
)


def first_link(participant: Participant) -> str:
    """What the chain of a participant hangs on: the code and the frozen design."""
    return _sha(f"{participant.code}/{participant.version.design_hash}")


def seal_response(response: Response, participant: Participant, trial: Any, previous: str) -> None:
    """Give a response to a trial, complete but not yet saved, its salt, digest and link.

    The trial is a row of the table, or as `flow` reads it.
    """
    response.salt = secrets.token_hex(16)
    response.digest = digest_of(response, participant, trial)
    response.chain = link(previous, trial.index, response.digest)


def digest_of(response: Response, participant: Participant, trial: Any) -> str:
    """SHA-256 of the salted content: what was planned, and what was answered."""
    content = {
        "format": FORMAT,
        "participant": participant.code,
        "plan": {name: getattr(trial, name) for name in PLAN},
        "shown": [[stimulus.code, stimulus.origin] for stimulus in trial.shown()],
        "answer": {name: getattr(response, name) for name in CONTENT},
        "answered_at": response.answered_at.isoformat() if response.answered_at else "",
    }
    return _sha(response.salt + _json(content))


def link(previous: str, index: int, digest: str) -> str:
    """The next link of a chain."""
    return _sha(f"{previous}/{index}/{digest}")


def seal_participant(participant: Participant, last: str) -> None:
    """Bind the background answers and the completion to the end of the chain."""
    participant.salt = secrets.token_hex(16)
    participant.seal = _seal_of(participant, last)


def _seal_of(participant: Participant, last: str) -> str:
    completed = participant.completed_at.isoformat() if participant.completed_at else ""
    content = {"background": participant.background, "completed_at": completed, "last": last}
    return _sha(participant.salt + _json(content))


# --- verification ------------------------------------------------------------------------------


@dataclass
class Findings:
    """What `verify` found. The anchor may be kept elsewhere, to be compared with later."""

    participants: int = 0
    responses: int = 0
    erased: int = 0
    faults: list[str] = field(default_factory=list)
    heads: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def anchor(self) -> str:
        """One hash over all chains."""
        return _sha(_json(self.heads))


def verify(study: Study, anchored: dict[str, list[Any]] | None = None) -> Findings:
    """Recompute every chain of a study; with `anchored` also compare with the heads of then."""
    findings = Findings()
    people = study.participants.select_related("version", "erasure").order_by("pk")
    for participant in people.iterator(chunk_size=500):
        findings.participants += 1
        links = _check_chain(participant, findings)
        _check_participant(participant, links, findings)
        _check_anchor(participant, links, (anchored or {}).get(participant.code), findings)
    known = set(findings.heads)
    for code in sorted(set(anchored or {}) - known):
        findings.faults.append(f"participant {code} is missing")
    findings.faults += _count_faults(study)
    findings.faults += [fault for version in study.versions.all() for fault in _design(version)]
    return findings


def _check_chain(participant: Participant, findings: Findings) -> list[str]:
    """The links of one participant, recomputed; every deviation goes into the findings."""
    erased = hasattr(participant, "erasure")
    links = [first_link(participant)]
    responses = (
        Response.objects.filter(trial__participant=participant)
        .select_related("trial__left", "trial__right", "trial__stimulus")
        .order_by("trial__index")
    )
    for position, response in enumerate(responses):
        where = f"participant {participant.code}, trial {response.trial.index}"
        findings.responses += 1
        if response.trial.index != position:
            findings.faults.append(f"{where}: a response before it is missing")
        if erased and (response.response or response.salt):
            findings.faults.append(f"{where}: content in spite of the erasure")
        if not erased and digest_of(response, participant, response.trial) != response.digest:
            findings.faults.append(f"{where}: the response or its plan was changed")
        if response.chain != link(links[-1], response.trial.index, response.digest):
            findings.faults.append(f"{where}: the chain is broken")
        links.append(response.chain)
    findings.heads[participant.code] = [len(links) - 1, links[-1]]
    return links


def _check_participant(participant: Participant, links: list[str], findings: Findings) -> None:
    where = f"participant {participant.code}"
    if hasattr(participant, "erasure"):
        findings.erased += 1
        return
    if participant.withdrawn_at is not None:
        findings.faults.append(f"{where}: withdrawn without an erasure")
    planned = Trial.objects.filter(participant=participant).count()
    if participant.completed_at is not None and planned != len(links) - 1:
        findings.faults.append(f"{where}: completed with {len(links) - 1} of {planned} responses")
    if bool(participant.seal) != (participant.completed_at is not None):
        findings.faults.append(f"{where}: the completion was changed")
    elif participant.seal and participant.seal != _seal_of(participant, links[-1]):
        findings.faults.append(f"{where}: background answers or completion were changed")


def _check_anchor(
    participant: Participant, links: list[str], head: list[Any] | None, findings: Findings
) -> None:
    """The chain of today must continue the one of then."""
    if head is None:
        return
    count, then = head
    if count >= len(links) or links[count] != then:
        findings.faults.append(f"participant {participant.code}: differs from the anchor")


def _count_faults(study: Study) -> Iterator[str]:
    """Running numbers have no gap and no double, so that nobody vanishes or joins unnoticed."""
    allocation = Allocation.objects.filter(study=study).first()
    for simulated in (False, True):
        numbers = study.participants.filter(is_simulated=simulated).values_list("number", flat=True)
        name = "started_simulated" if simulated else "started"
        started = getattr(allocation, name) if allocation else 0
        if sorted(numbers) != list(range(started)):
            kind = "simulated participants" if simulated else "participants"
            yield f"{started} {kind} started, but their running numbers are not 0 to {started - 1}"


def _design(version: Version) -> Iterator[str]:
    """The frozen text is what its hash says, and the stimuli are still those of the text."""
    if _sha(version.canonical) != version.design_hash:
        yield f"version {version.number}: the frozen design was changed"
        return
    then = {stimulus.id: stimulus for stimulus in design.from_canonical(version.canonical)[1]}
    now = {
        stimulus.code: stimulus.plain()
        for stimulus in version.study.stimuli.select_related("pair", "generator")
    }
    for code, stimulus in then.items():
        if now.get(code) != stimulus:
            yield f"version {version.number}: stimulus {code} was changed or is missing"


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
