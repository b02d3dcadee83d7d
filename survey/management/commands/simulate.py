"""`manage.py simulate STUDY --participants N [--http URL]`: bots on the real path."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from survey import bots
from survey.management.commands.export import find_study
from survey.models import Study


class Command(BaseCommand):
    help = (
        "Send simulated participants through a live study. They are marked and count for nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="short name of the study")
        parser.add_argument("--participants", type=int, default=20)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--http", metavar="URL", help="a running server, else in this process")

    def handle(self, *args: Any, **options: Any) -> None:
        study = find_study(options["study"])
        count = options["participants"]
        if count < 1:
            raise CommandError("--participants must be at least 1.")
        if study.state != Study.State.LIVE:
            raise CommandError(f"{study.slug} is {study.state}; only a live study takes anybody.")
        running = bots.run(study, count, seed=options["seed"], http=options["http"])
        try:
            for _code in tqdm(running, total=count, desc="Simulated participants", unit=""):
                pass
        except (bots.BotError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} simulated participants took part in {study.slug}.")
