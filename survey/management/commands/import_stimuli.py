"""`manage.py import_stimuli STUDY FOLDER_OR_ZIP`: images with a manifest into a draft."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from survey import image_set, stimuli, studies
from survey.management.commands.export import find_study


class Command(BaseCommand):
    help = "Import images with manifest.csv (and generators.csv) into a draft: all or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="short name of the study")
        parser.add_argument("path", type=Path, help="folder or ZIP file")
        parser.add_argument("--jobs", type=int, help="processes; all cores without it")

    def handle(self, *args: Any, **options: Any) -> None:
        study = find_study(options["study"])
        try:
            with tqdm(desc="Images", unit="") as bar:
                near = image_set.import_stimuli(
                    study, options["path"], progress=advance(bar), jobs=options["jobs"]
                )
        except stimuli.ManifestError as error:
            faults = "\n".join(map(str, error.faults))
            raise CommandError(f"Nothing was imported.\n{faults}") from error
        except (studies.StudyError, stimuli.StimulusError, OSError) as error:
            raise CommandError(f"Nothing was imported. {error}") from error
        for twin in near:
            if not twin.is_same_pair:
                where = "across origins" if twin.is_across_origins else "of one origin"
                self.stdout.write(f"Look alike ({where}): {twin.first.file}, {twin.second.file}")
        self.stdout.write(f"{study.stimuli.count()} images are in {study.slug}.")


def advance(bar: Any) -> Any:
    """Move a progress bar to `done` of `total`."""

    def step(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return step
