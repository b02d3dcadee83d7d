"""The leak audit of a study, and that no study goes live without it."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from survey import audits, delivery, image_set, studies
from survey.models import Audit, Participant, Stimulus, Study, media_path
from tests import factories

CARELESS = Path(__file__).parents[3] / "shared" / "stimuli"


@pytest.fixture
def draft(db, tmp_path):
    """A draft with images that went through the whole pipeline."""
    study = studies.save_design(factories.plan())
    image_set.import_stimuli(study, factories.write_images(tmp_path / "in", pairs=8), jobs=1)
    return study


def test_audit_of_prepared_images_passes_and_finds_its_planted_leaks(draft):
    audit = audits.run(draft)

    assert (audit.passed, audit.result["faults"]) == (True, [])
    assert [control["found"] for control in audit.result["controls"]] == [True] * 4


def test_audit_leaves_nothing_behind(draft):
    before = list(Stimulus.objects.order_by("pk").values_list("code", "origin"))

    audits.run(draft)

    assert list(Stimulus.objects.order_by("pk").values_list("code", "origin")) == before
    assert Participant.objects.count() == 0
    assert Study.objects.get().state == Study.State.DRAFT


def test_audit_finds_longer_files(draft):
    for stimulus in Stimulus.objects.filter(origin="ai"):
        file = media_path("stimuli", f"{stimulus.key}.jpg")
        file.write_bytes(file.read_bytes() + b"\0" * 10)

    audit = audits.run(draft)

    assert (audit.passed, audit.verdict) == (False, "leak")
    assert "trailing_length is not the same for every image" in audit.result["faults"]


@pytest.mark.parametrize("leak", ["origin", "code"])
def test_audit_finds_a_page_that_tells(draft, monkeypatch, leak):
    honest = delivery.trial

    def telling(trial, block):
        return honest(trial, block) | {"alt": [getattr(s, leak) for s in trial.shown()]}

    monkeypatch.setattr(delivery, "trial", telling)

    audit = audits.run(draft)

    assert not audit.passed
    assert "trial 0 depends on the truth" in audit.result["faults"]


def test_audit_accepts_labels_that_are_the_manipulation(db, tmp_path):
    texts = dict(factories.TEXTS, debrief="The label was false. [Withdraw](withdraw)")
    block = factories.block(disclosures=("true_labels", "false_labels"))
    ja = dict(texts, debrief="ラベルは正しくないことがありました。[撤回](withdraw)")
    study = studies.save_design(factories.plan(block, texts={"en": texts, "ja": ja}))
    image_set.import_stimuli(study, factories.write_images(tmp_path / "in"), jobs=1)

    assert audits.page_faults(study) == []


def test_going_live_demands_an_audit(draft):
    with pytest.raises(studies.StudyError, match="not been audited"):
        studies.go_live(draft)

    audits.run(draft)
    studies.go_live(draft)
    assert Study.objects.get().state == Study.State.LIVE


def test_going_live_is_refused_after_a_failed_audit(draft):
    audits.run(draft)
    Audit.objects.update(passed=False)

    with pytest.raises(studies.StudyError, match="found a way to tell"):
        studies.go_live(draft)


def test_an_audit_is_void_once_the_images_change(
    draft, tmp_path, django_capture_on_commit_callbacks
):
    audits.run(draft)
    more = factories.write_images(tmp_path / "more", pairs=9)
    for old in list(more.glob("*_0[0-7].png")):
        old.unlink()
    lines = (more / "manifest.csv").read_text().splitlines()
    (more / "manifest.csv").write_text("\n".join([lines[0], *lines[-2:]]))
    with django_capture_on_commit_callbacks(execute=True):
        image_set.import_stimuli(draft, more, jobs=1)

    assert studies.last_audit(draft) is None
    lengths = {p.stat().st_size for p in media_path("stimuli", ".").glob("*.jpg")}
    assert len(lengths) == 1
    assert len(list(media_path("stimuli", ".").iterdir())) == 18


def test_audit_command_prints_the_findings(draft, capsys):
    call_command("audit", "small")

    out = capsys.readouterr().out
    assert "Must be constant or random:" in out
    assert "Planted leaks:" in out


def test_audit_command_refuses_a_study_without_images(db):
    studies.save_design(factories.plan())

    with pytest.raises(CommandError, match="has no images yet"):
        call_command("audit", "small")


@pytest.mark.django_db
def test_careless_images_form_studies_of_all_tasks_and_pass():
    """59 images whose names give the truth away, from two sources, in different sizes."""
    if not CARELESS.is_dir():
        pytest.skip(f"the images for trying are not at {CARELESS}; they are not ours to publish")
    blocks = (
        factories.block("matched", "detect_pair", trials=8),
        factories.block("drawn", "prefer_pair", trials=12, pairing="random"),
        factories.block("ranking", "prefer_pair", trials=6, pairing="ai_vs_ai"),
        factories.block("single", "detect_single", trials=20),
        factories.block("rating", "rate_single", trials=20, question="appeal", scale_steps=7),
    )
    study = studies.save_design(factories.plan(*blocks))
    call_command("import_stimuli", "small", str(CARELESS))

    audit = audits.run(study)
    studies.go_live(study)
    participant = factories.complete(factories.enrol(study))

    assert audit.passed, audit.result["text"]
    assert all(control["found"] for control in audit.result["controls"])
    tasks = set(participant.trials.values_list("task", flat=True))
    assert tasks == {"detect_pair", "prefer_pair", "detect_single", "rate_single"}
