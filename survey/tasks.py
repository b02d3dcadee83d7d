"""Background work: reports, simulated power, and images that were sent by the browser.

What is asked for waits in the database; the worker that `manage.py serve` and `manage.py demo`
start takes it. The analysis runs as a process of its own, outside of Django, with neither secrets
nor the database.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from auditlog.context import set_actor
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_tasks import task

from survey import design, export, image_set, stimuli, studies, trail
from survey.messages import packed
from survey.models import Report, Study, media_path, new_token

#: How often a running report gives a sign of life, and after what silence it counts as broken off.
BEAT_SECONDS = 1.0
SILENCE = timedelta(minutes=2)
#: So much of the end of a log is kept.
LOG_LENGTH = 20_000

LANGUAGES = ("en", "ja")
SECRETS = ("SECRET_KEY", "DATABASE_URL")


class TaskError(Exception):
    """What was asked for cannot be had, and nothing is broken; the log says why."""


def ask(
    study: Study, kind: str, options: dict[str, Any], user: Any = None, key: str = ""
) -> Report:
    """Write down what is wanted and let the worker know once that is committed."""
    with transaction.atomic():
        report = Report.objects.create(
            study=study, kind=kind, options=options, asked_by=user, key=key or new_token()
        )
        transaction.on_commit(lambda: run.enqueue(report.pk))
    return report


def is_silent(report: Report) -> bool:
    """Whether a report that should be running has given no sign of life for long."""
    heard = report.alive_at or report.asked_at
    return report.state == Report.State.RUNNING and timezone.now() - heard > SILENCE


@task()
def run(pk: int) -> None:
    """Do what a report asks for. Whatever goes wrong stands in its log."""
    report = Report.objects.select_related("study").get(pk=pk)
    _save(report, state=Report.State.RUNNING, alive_at=timezone.now())
    try:
        STEPS[report.kind](report)
    except Exception as error:
        _say(report, str(error))
        _save(report, state=Report.State.FAILED, finished_at=timezone.now())
        if not isinstance(error, TaskError):
            raise
    else:
        _save(report, state=Report.State.DONE, progress=100, finished_at=timezone.now())


# --- a report --------------------------------------------------------------------------------


def _report(report: Report) -> None:
    """The data as they are now, then the analysis once a language."""
    report.folder.mkdir(parents=True, exist_ok=True)
    data = report.folder / "data.zip"
    _say(report, f"data of {report.study.slug}")
    export.save(report.study, data, "psychds", selection_of(report.options))
    try:
        for done, language in enumerate(languages := report.options["languages"]):
            _save(report, progress=10 + 90 * done // len(languages))
            _analyse(report, _report_command(report, data, language))
            _keep_result(report, language)
    finally:
        data.unlink()  # those who withdraw later must not stay in a copy


def selection_of(options: dict[str, Any]) -> export.Selection:
    """Whose data a report is about."""
    return export.Selection(
        completed_only=bool(options.get("completed_only")),
        without_simulated=not options.get("include_simulated"),
    )


def _report_command(report: Report, data: Path, language: str) -> list[str]:
    command = ["report", str(data), "--out", str(report.folder / language), "--lang", language]
    if report.options.get("include_simulated"):
        command.append("--include-simulated")
    if plan := _frozen_plan(report):
        command += ["--preset", str(plan)]
    return command


def _frozen_plan(report: Report) -> Path | None:
    """The plan of the version that runs, as a file for the analysis."""
    version = report.study.versions.last()
    if version is None:
        return None
    path: Path = report.folder / "plan.json"
    content = design.to_dict(studies.frozen(version).study)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def _keep_result(report: Report, language: str) -> None:
    """Claims for the list of reports, and the hash of the data that they rest on."""
    path = report.folder / language / "results.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    kept = {name: results[name] for name in ("claims", "settings", "warnings")}
    counts = {name: n for name, n in results["data"].items() if name != "sha256"}
    result = report.result | {language: kept | {"counts": counts}}
    _save(report, result=result, data_sha256=results["data"]["sha256"])


# --- power by simulation ---------------------------------------------------------------------


def _power(report: Report) -> None:
    """What `python -m analysis power` says; options are its options, such as `sd_item`."""
    report.folder.mkdir(parents=True, exist_ok=True)
    options = {name.replace("_", "-"): value for name, value in report.options.items()}
    _analyse(report, ["power", *(f"--{name}={value}" for name, value in options.items())])
    _save(report, result={"lines": report.log.strip().splitlines()})


# --- images ----------------------------------------------------------------------------------


def ask_for_images(study: Study, key: str, file: str = "", user: Any = None) -> Report:
    """Let the worker import what lies in `sent(key)`: the folder, or the ZIP file in it."""
    return ask(study, Report.Kind.IMAGES, {"file": file}, user, key)


def sent(key: str) -> Path:
    """Where images wait that a browser has sent; nothing of it is ever served as it is."""
    return media_path("uploads", key) / "sent"


def made(key: str) -> Path:
    """Where those that are ready wait until all of them are."""
    return media_path("uploads", key) / "made"


def can_try_again(report: Report) -> bool:
    """Whether an import broke off, through no fault of the images, which are still there."""
    is_over = report.state == Report.State.FAILED or is_silent(report)
    return is_over and sent(report.key).is_dir()


def try_again(report: Report) -> None:
    """Begin an import that broke off anew."""
    with transaction.atomic():
        now = Report.objects.select_for_update().get(pk=report.pk)
        if can_try_again(now):
            _save(now, state=Report.State.WAITING, alive_at=None, finished_at=None, log="")
            transaction.on_commit(lambda: run.enqueue(now.pk))


def forget_broken_off(study: Study) -> None:
    """Throw away what was sent for imports that broke off, because something else was sent."""
    for report in study.reports.filter(kind=Report.Kind.IMAGES):
        if can_try_again(report):
            shutil.rmtree(sent(report.key).parent)


def _images(report: Report) -> None:
    """All of the images, or none and every fault."""
    folder = made(report.key)
    shutil.rmtree(folder, ignore_errors=True)  # of a run that broke off
    folder.mkdir()
    _save(report, result={}, progress=0)
    refused: dict[str, Any] = {}
    try:
        with set_actor(report.asked_by):
            image_set.import_stimuli(
                report.study,
                sent(report.key) / report.options["file"],
                progress=_progress(report),
                workspace=folder,
            )
            trail.note(report.study, "images", added=report.result["total"])
    except stimuli.ManifestError as error:
        refused = {"faults": [_packed(fault) for fault in error.faults]}
    except studies.StudyError as error:
        refused = {"error": packed(error.message)}
    shutil.rmtree(folder.parent)
    if refused:
        _save(report, result=report.result | refused)
        raise TaskError("Nothing was added.")


def _packed(fault: stimuli.Fault) -> dict[str, Any]:
    """A fault as the database keeps it: what is said of it is said in the reader's language."""
    return {**asdict(fault), "found": packed(fault.found)}


def _progress(report: Report) -> Callable[[int, int], None]:
    """Write down how many images are ready, at most twice a second."""
    last = 0.0

    def step(done: int, total: int) -> None:
        nonlocal last
        known = report.result.get("done")
        if time.monotonic() - last > BEAT_SECONDS / 2 or done == total != known:
            last = time.monotonic()
            counts = {"done": done, "total": total}
            percent = 100 * done // total
            _save(report, result=counts, progress=percent, alive_at=timezone.now())

    return step


STEPS: dict[str, Callable[[Report], None]] = {
    Report.Kind.REPORT: _report,
    Report.Kind.POWER: _power,
    Report.Kind.IMAGES: _images,
}

# --- the process -----------------------------------------------------------------------------


def _analyse(report: Report, arguments: list[str]) -> None:
    """Run one command of the analysis; what it says goes into the log while it runs."""
    path, before = report.folder / "log.txt", report.log
    with path.open("w", encoding="utf-8") as said:
        process = _start([sys.executable, "-m", "analysis", *arguments], said)
        try:
            while _still_runs(process):
                _save(report, alive_at=timezone.now(), log=_with(before, path))
        finally:  # the worker may be told to stop
            process.kill()
            process.wait()
    _save(report, log=_with(before, path))
    if process.returncode != 0:
        raise TaskError(f"The analysis ended with code {process.returncode}.")


def _start(command: list[str], said: IO[str]) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
    )


def _still_runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(BEAT_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _with(before: str, path: Path) -> str:
    said = path.read_text(encoding="utf-8", errors="replace")
    return f"{before}{said}"[-LOG_LENGTH:]


def _say(report: Report, text: str) -> None:
    _save(report, log=f"{report.log}{text}\n"[-LOG_LENGTH:])


def _save(report: Report, **values: Any) -> None:
    for name, value in values.items():
        setattr(report, name, value)
    report.save(update_fields=list(values))
