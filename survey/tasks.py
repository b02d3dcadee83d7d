"""Background work: reports and simulated power, each as a process of its own.

What is asked for waits in the database; the worker that `manage.py serve` and `manage.py demo`
start takes it. The analysis runs outside of Django, with neither secrets nor the database.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_tasks import task

from survey import design, export, studies
from survey.models import Report, Study

#: How often a running report gives a sign of life, and after what silence it counts as broken off.
BEAT_SECONDS = 1.0
SILENCE = timedelta(minutes=2)
#: So much of the end of a log is kept.
LOG_LENGTH = 20_000

LANGUAGES = ("en", "ja")
SECRETS = ("SECRET_KEY", "DATABASE_URL")


class AnalysisError(Exception):
    """The analysis ended with an error; the log says which."""


def ask(study: Study, kind: str, options: dict[str, Any], user: Any = None) -> Report:
    """Write down what is wanted and let the worker know once that is committed."""
    with transaction.atomic():
        report = Report.objects.create(study=study, kind=kind, options=options, asked_by=user)
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
        if not isinstance(error, AnalysisError):
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


STEPS: dict[str, Callable[[Report], None]] = {
    Report.Kind.REPORT: _report,
    Report.Kind.POWER: _power,
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
        raise AnalysisError(f"The analysis ended with code {process.returncode}.")


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
