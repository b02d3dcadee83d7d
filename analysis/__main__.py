"""The commands of the analysis: report, validate, power, simulate, convert, counts, audit."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from analysis.checks import DataError

UNUSABLE = 2  # exit code where the input is unusable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 2 where the input is unusable."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser(given).parse_args(given)
    try:
        return int(options.run(options))
    except DataError as error:
        print(error, file=sys.stderr)
        return UNUSABLE


def report(options: argparse.Namespace) -> int:
    """Everything that the data say, as a page, tables, figures and results.json."""
    from analysis import answers, data, exclusions, plan, preregistration
    from analysis import report as writer

    preset = preregistration.read(options.preset) if options.preset else None
    chosen = plan.chosen(vars(options), asdict(preset) if preset else {}, options.sesoi)
    rules = preset.rules if preset else None
    rules = exclusions.read_rules(options.rules) if options.rules else rules
    dataset = data.load(options.path)
    found = answers.analyse(
        dataset, chosen, rules, preset, include_simulated=options.include_simulated
    )
    settings = {  # names alone: a report is published, and folders tell of whoever made it
        "path": options.path.resolve().name,
        "include_simulated": options.include_simulated,
        "rules_file": options.rules.name if options.rules else None,
        "preset": options.preset.name if options.preset else None,
        "lang": options.lang,
        **chosen.as_settings(),
    }
    writer.write(found, options.out, options.lang, settings)
    print(options.out / "report.html")
    return 0


def validate(options: argparse.Namespace) -> int:
    """Check a trials table and say what is doubtful."""
    from analysis import data

    dataset = data.load(options.path)
    for warning in dataset.warnings:
        print(warning)
    people = dataset.trials["participant_id"].nunique()
    print(f"{options.path}: usable, {people} participants, {len(dataset.trials)} trials")
    return 0


def simulate(options: argparse.Namespace) -> int:
    """Make a trials table whose truth is known."""
    from analysis import simulate as simulation

    names = {field.name for field in fields(simulation.Truth)}
    truth = simulation.Truth(**{k: v for k, v in vars(options).items() if k in names})
    try:
        trials = simulation.simulate(truth)
    except ValueError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    simulation.write(trials, str(options.out))
    print(f"{options.out}: {truth.participants} participants, {len(trials)} trials")
    return 0


def convert(options: argparse.Namespace) -> int:
    """Bring somebody else's data into the form of a trials table."""
    from analysis import convert as conversion
    from analysis import simulate as simulation

    trials = conversion.convert(options.mapping, options.source)
    simulation.write(trials, str(options.out))
    print(f"{options.out}: {len(trials)} trials")
    return 0


def power(options: argparse.Namespace) -> int:
    """Plan a sample size."""
    from analysis import power as planning

    return planning.run(options)


def counts(options: argparse.Namespace) -> int:
    """Analyse published counts again, over a range of assumed standard deviations."""
    from analysis import published
    from analysis.checks import Fault
    from analysis.plan import Plan

    try:
        text = options.study.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fault = Fault(str(options.study), None, "", str(error), "a readable TOML file")
        raise DataError([fault]) from None
    found = published.reanalyse(published.parse(text, str(options.study)), Plan())
    if options.out == "-":
        print(published.as_markdown(found), end="")
        return 0
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "counts.md").write_text(published.as_markdown(found), encoding="utf-8")
    (folder / "counts.json").write_text(published.as_json(found), encoding="utf-8")
    print(folder / "counts.md")
    return 0


def audit(options: argparse.Namespace) -> int:
    """Run the leak audit on a folder of served images."""
    from analysis import audit as auditing

    code, text, _details = auditing.run(options.directory, options.truth, options.headers)
    print(text, file=sys.stderr if code == UNUSABLE else sys.stdout)
    return code


def parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """The command line."""
    whole = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    _add_report(_command(commands, "report", report))
    _command(commands, "validate", validate).add_argument("path", type=Path, metavar="PATH")
    _add_simulate(_command(commands, "simulate", simulate))
    _add_convert(_command(commands, "convert", convert))
    _add_counts(_command(commands, "counts", counts))
    _add_power(_command(commands, "power", power), needed="power" in given)
    _add_audit(_command(commands, "audit", audit))
    return whole


def _command(commands: Any, name: str, run: Callable[..., int]) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=run.__doc__,
        description=run.__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def _add_report(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("path", type=Path, metavar="PATH", help="CSV, Parquet file or folder, or data set")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the report")
    add("--sesoi", action="append", default=[], metavar="CLAIM=VALUE", help="smallest effect")
    add("--alpha", type=float, help="level of the tests (0.05)")
    add("--seed", type=int, help="seed of all resampling (1)")
    add("--resamples", type=int, help="number of bootstrap resamples (2000)")
    add("--include-simulated", action="store_true", help="count simulated participants too")
    add("--rules", type=Path, metavar="FILE.toml", help="exclusion rules")
    add("--preset", type=Path, metavar="FILE.json", help="the frozen plan")
    add("--lang", choices=("en", "ja"), default="en", help="language of the report")
    add("--jobs", type=int, default=1, help="processes to use")


def _add_power(command: argparse.ArgumentParser, *, needed: bool) -> None:
    if needed:  # it loads SciPy, which the other commands should not wait for
        from analysis import power as planning

        planning.add_arguments(command)


def _add_convert(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("mapping", type=Path, metavar="MAPPING.toml", help="what becomes what")
    add("source", type=Path, metavar="IN", help="CSV, XLSX or jsPsych JSON, or a folder of them")
    add("out", type=Path, metavar="OUT", help=".csv or .parquet")


def _add_counts(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("study", type=Path, metavar="FILE.toml", help="participants, images, shares correct")
    add("--out", default="-", metavar="DIR|-", help="folder of counts.md and counts.json")


def _add_audit(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("directory", type=Path, metavar="DIR", help="folder of images as they were served")
    add("--truth", type=Path, required=True, metavar="manifest.csv", help="what each one is")
    add("--headers", type=Path, metavar="FILE.json", help="headers they were served with")


def _add_simulate(command: argparse.ArgumentParser) -> None:
    from analysis.schema import TASKS

    def listed(kind: type) -> Callable[[str], tuple[Any, ...]]:
        return lambda text: tuple(kind(part) for part in text.split(",") if part)

    add = command.add_argument
    add("--out", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    add("--participants", type=int, default=100)
    add("--pairs", type=int, default=30)
    add("--tasks", type=listed(str), default="prefer_pair,detect_pair", help=", ".join(TASKS))
    add("--trials", type=int, default=0, help="a participant and task; 0 = every pair")
    add("--accuracy", type=float, default=0.6, help="averaged over participants and items")
    add("--ai-share", type=float, default=0.55, help="averaged over participants and items")
    add("--rating-difference", type=float, default=0.3, help="AI minus real, in points")
    add("--enhanced", type=float, default=0.0, help="share of pairs with an enhanced photograph")
    add("--generators", type=int, default=1)
    add("--levels", type=listed(float), default="", help="levels of enhancement")
    add("--exposures-ms", type=listed(int), default="", help="exposures, randomised")
    add("--exposure-effect", type=float, default=0.0, help="log-odds, shortest minus longest")
    add("--labels", action="store_true", help="true and false labels, randomised")
    add("--label-effect", type=float, default=0.0, help="AI label minus photograph label")
    add("--sd-participant", type=float, default=0.3, help="of random intercepts, in log-odds")
    add("--sd-item", type=float, default=0.5, help="of random intercepts, in log-odds")
    add("--unanswered", type=float, default=0.0, help="share of trials without a response")
    add("--seed", type=int, default=1)


if __name__ == "__main__":
    sys.exit(main())
