"""`manage.py study import|export|check FILE.toml`: a design as a file, reviewed and shared."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import design, studies
from survey.management.commands.export import find_study
from survey.models import Study


class Command(BaseCommand):
    help = "Check a study file, import it as a draft, or write a study's design to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for action in ("import", "check"):
            actions.add_parser(action).add_argument("file", type=Path)
        exporting = actions.add_parser("export")
        exporting.add_argument("file", type=Path, help="file to write")
        exporting.add_argument("--study", help="short name; the file's name without it")

    def handle(self, *args: Any, **options: Any) -> None:
        actions = {"import": self._import, "check": self._check, "export": self._export}
        actions[options["action"]](**options)

    def _check(self, file: Path, **_options: Any) -> None:
        plan = _read(file)
        self.stdout.write(f"{file}: {plan.slug} with {len(plan.blocks)} blocks has no fault.")
        study = Study.objects.filter(slug=plan.slug).first()
        if study is not None and study.stimuli.exists():
            for lack in design.shortage(plan, studies.planned_stimuli(study)):
                self.stdout.write(f"Its stimuli here do not suffice: {lack}")

    def _import(self, file: Path, **_options: Any) -> None:
        plan = _read(file)
        try:
            study = studies.save_design(plan)
        except studies.StudyError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{study.slug} is here as a draft.")

    def _export(self, file: Path, study: str | None, **_options: Any) -> None:
        try:
            plan = studies.design_of(find_study(study or file.stem))
        except design.DesignError as error:
            raise CommandError(f"The design has faults.\n{error}") from error
        file.write_text(design.dumps(plan), encoding="utf-8")
        self.stdout.write(f"{file}: written.")


def _read(file: Path) -> design.Study:
    """The design in a file; every fault at once, with its line."""
    try:
        return design.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(str(error)) from error
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not a text in UTF-8.") from None
    except design.DesignError as error:
        faults = "\n".join(f"{file}: {fault}" for fault in error.faults)
        raise CommandError(faults) from error
