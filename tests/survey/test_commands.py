"""The commands, as somebody at a terminal meets them."""

import csv
import io
import os
import re
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from survey import demo, design, image_set, studies, translations
from survey.models import Participant, Response, Study, media_path
from tests import factories


def run(*words, **options):
    """A command's output."""
    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


# --- study


def test_study_file_goes_round_without_a_change(db, tmp_path):
    file = tmp_path / "demo.toml"
    run("study", "import", str(demo.FOLDER / "demo.toml"))
    run("study", "export", str(file))

    assert design.loads(file.read_text(encoding="utf-8")) == demo.demo_design()


@pytest.mark.parametrize("name", ["demo", "lu2023", "brief", "labels"])
def test_every_design_of_the_demo_has_no_fault(db, name):
    assert "has no fault" in run("study", "check", str(demo.FOLDER / f"{name}.toml"))


def test_study_check_names_every_fault_with_its_line(db, tmp_path):
    file = tmp_path / "bad.toml"
    text = (demo.FOLDER / "demo.toml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^trials = \d+$", "trials = 0", text)
    file.write_text(text, encoding="utf-8")

    with pytest.raises(CommandError) as error:
        run("study", "check", str(file))

    lines = [i for i, line in enumerate(text.splitlines(), 1) if line == "trials = 0"]
    faults = str(error.value).splitlines()
    wrong = [fault for fault in faults if "trials: found 0; allowed: 1 to 1000" in fault]
    assert [fault.split(", ")[0] for fault in wrong] == [f"{file}: line {n}" for n in lines]
    assert len(lines) == 2


def test_study_check_says_when_the_stimuli_do_not_suffice(study, tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(design.dumps(factories.plan(factories.block(trials=40))), encoding="utf-8")

    assert "do not suffice: block detection needs 40" in run("study", "check", str(file))


def test_study_import_refuses_to_change_a_live_study(study, tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(design.dumps(factories.plan()), encoding="utf-8")

    with pytest.raises(CommandError, match="pause it before"):
        run("study", "import", str(file))


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_study_import_says_when_a_file_cannot_be_read(db, tmp_path, content):
    file = tmp_path / "study.toml"
    if content:
        file.write_bytes(content)

    with pytest.raises(CommandError, match=r"No such file|is not a text in UTF-8"):
        run("study", "import", str(file))


# --- import_stimuli


def test_import_stimuli_names_every_fault_and_imports_nothing(db, tmp_path):
    study = studies.save_design(factories.plan())
    folder = factories.write_images(tmp_path / "in")
    manifest = folder / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",ai,", ",robot,"))
    (folder / "real_00.png").write_bytes(b"no image")

    with pytest.raises(CommandError) as error:
        run("import_stimuli", "small", str(folder))

    assert str(error.value).count("found robot; allowed: real, ai, enhanced") == 4
    assert study.stimuli.count() == 0


def test_import_stimuli_refuses_an_image_twice(db, tmp_path):
    studies.save_design(factories.plan())
    folder = factories.write_images(tmp_path / "in")
    run("import_stimuli", "small", str(folder), jobs=1)

    with pytest.raises(CommandError, match="an image that is new"):
        run("import_stimuli", "small", str(folder), jobs=1)
    assert Study.objects.get().stimuli.count() == 8


def test_import_stimuli_refuses_a_live_study(study, tmp_path):
    with pytest.raises(CommandError, match="can only be added to a draft"):
        run("import_stimuli", "small", str(factories.write_images(tmp_path / "in")))


def test_commands_name_the_studies_there_are(study):
    with pytest.raises(CommandError, match=r"There is no study none. Studies here: small."):
        run("import_stimuli", "none", "folder")


# --- simulate


def test_simulated_participants_take_the_real_path_and_are_marked(study):
    out = run("simulate", "small", participants=2)

    assert "2 simulated participants took part in small." in out
    people = Participant.objects.all()
    assert {p.is_simulated for p in people} == {True}
    assert {p.completed_at is not None for p in people} == {True}
    assert Response.objects.count() == 16


def test_simulated_participants_differ_but_follow_the_seed(study):
    run("simulate", "small", participants=2, seed=1)
    answers = [
        list(Response.objects.filter(trial__participant=p).values_list("rt_ms", flat=True))
        for p in Participant.objects.all()
    ]

    assert answers[0] != answers[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"participants": 0}, "at least 1"), ({"http": "ftp://x"}, "is not an address")],
)
def test_simulate_says_what_is_wrong(study, options, message):
    with pytest.raises(CommandError, match=message):
        run("simulate", "small", **options)


def test_simulate_needs_a_live_study(db):
    factories.make_study(live=False)

    with pytest.raises(CommandError, match="only a live study takes anybody"):
        run("simulate", "small")


@pytest.mark.django_db(transaction=True)
def test_simulate_over_http(live_server):
    factories.make_study()

    run("simulate", "small", participants=1, http=live_server.url)

    participant = Participant.objects.get()
    assert (participant.is_simulated, participant.completed_at is not None) == (True, True)


def test_simulate_says_when_the_server_is_not_there(study):
    with pytest.raises(CommandError, match="refused"):
        run("simulate", "small", participants=1, http="http://127.0.0.1:9")


# --- demo


@pytest.mark.django_db(transaction=True)
def test_demo_sets_up_everything_and_keeps_it_the_second_time(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    studies.save_design(demo.demo_design())  # as an interrupted first run leaves it

    first = run("demo", no_serve=True)
    before = set(Participant.objects.values_list("code", flat=True))
    again = run("demo", no_serve=True)

    password = re.search(r"user admin, password (\S+) \(shown only now\)", first).group(1)
    assert password not in again
    assert set(Participant.objects.values_list("code", flat=True)) == before
    assert set(Study.objects.values_list("slug", "state")) == {("demo", "live"), ("learn", "live")}
    links = ["Take part", "Admin", "Report", "Learn"]
    assert [line.split("  ")[0] for line in first.splitlines()[-4:]] == links
    assert "http://127.0.0.1:8000/s/demo/" in first
    assert "http://127.0.0.1:8000/s/learn/" in first
    keys = {s.slug: set(s.stimuli.values_list("key", flat=True)) for s in Study.objects.all()}
    assert (len(keys["learn"]), keys["learn"] & keys["demo"]) == (36, set())
    lengths = {media_path("stimuli", f"{key}.jpg").stat().st_size for key in keys["learn"]}
    assert len(lengths) == 1
    report = (tmp_path / "demo-report" / "report.html").read_text(encoding="utf-8")
    assert "simulated" in report.lower()
    trials = (tmp_path / "demo-report" / "results.json").read_text(encoding="utf-8")
    assert '"prefers_ai' in trials


def test_images_are_only_copied_for_the_same_display(study):
    other = studies.save_design(factories.plan(slug="other", display_fit="crop"))
    with pytest.raises(ValueError, match="same display"):
        image_set.copy_stimuli(study, other)


def test_demo_says_when_the_port_is_taken(db, live_server):
    port = int(live_server.url.rsplit(":", 1)[1])

    with pytest.raises(CommandError, match="is in use"):
        run("demo", port=port)


def test_demo_never_throws_away_another_database(db, settings, tmp_path):
    settings.VAR_DIR = tmp_path

    with pytest.raises(CommandError, match="the demo's own database"):
        run("demo", fresh=True, no_serve=True)


# --- translations and settings


def test_translations_are_compiled_where_they_are_old(tmp_path):
    source = tmp_path / "ja" / "LC_MESSAGES" / "django.po"
    source.parent.mkdir(parents=True)
    source.write_text('msgid ""\nmsgstr ""\n\nmsgid "a"\nmsgstr "b"\n', encoding="utf-8")

    made = [len(translations.compile_all(tmp_path)) for _ in range(2)]

    assert made == [1, 0]
    assert source.with_suffix(".mo").exists()


def settings_with(**environment):
    """The settings module as a fresh process loads it; returns its standard error."""
    clean = {k: v for k, v in os.environ.items() if k not in {"SECRET_KEY", "DATABASE_URL"}}
    command = [sys.executable, "-c", "import survey.settings as s; print(s.DEBUG, s.DATABASES)"]
    return subprocess.run(
        command, env=clean | environment, capture_output=True, text=True, check=False
    )


def test_settings_demand_a_secret_and_say_how_to_make_one():
    done = settings_with()

    assert done.returncode == 1
    assert "secrets.token_urlsafe(50)" in done.stderr


def test_settings_are_strict_by_default():
    done = settings_with(SECRET_KEY="x")

    assert done.stdout.startswith("False ")
    assert "synchronous=FULL" in done.stdout
    assert "IMMEDIATE" in done.stdout


def test_settings_refuse_an_unclear_flag():
    done = settings_with(SECRET_KEY="x", DEBUG="perhaps")

    assert "DEBUG is 'perhaps'; allowed are true and false." in done.stderr


# --- export


def test_export_writes_every_planned_trial(study, tmp_path):
    participant = factories.enrol(study)
    factories.record(participant, factories.payload(participant))
    file = tmp_path / "trials.csv"

    run("export", "small", out=file, format="csv")

    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 8
    assert [bool(row["response"]) for row in rows] == [True] + [False] * 7


def test_export_says_when_the_folder_is_missing(study, tmp_path):
    with pytest.raises(CommandError, match="no folder"):
        run("export", "small", out=tmp_path / "none" / "trials.csv")
