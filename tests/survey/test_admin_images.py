"""Images into a draft and out of it again, in the admin; the worker prepares what was sent."""

import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from auditlog.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from survey import image_set, roles, studies, tasks
from survey.admin import pages
from survey.models import Report, Stimulus, Study
from tests import factories

pytestmark = pytest.mark.usefixtures("closed_lab")


@pytest.fixture
def empty(owner):
    """A draft without images."""
    study = studies.save_design(factories.plan(slug="empty"))
    roles.make_owner(owner, study)
    return study


@pytest.fixture
def filled(empty, tmp_path, django_capture_on_commit_callbacks):
    """A draft with two pairs."""
    with django_capture_on_commit_callbacks(execute=True):
        image_set.import_stimuli(empty, factories.write_images(tmp_path / "in", pairs=2), jobs=1)
    return empty


def image_files(tmp_path, pairs: int = 3) -> list[SimpleUploadedFile]:
    """Images and their manifest, as a browser sends them."""
    folder = factories.write_images(tmp_path / "new", pairs=pairs)
    return [SimpleUploadedFile(file.name, file.read_bytes()) for file in sorted(folder.iterdir())]


def zipped(files: list[SimpleUploadedFile]) -> SimpleUploadedFile:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for file in files:
            archive.writestr(file.name, file.read())
    return SimpleUploadedFile("images.zip", out.getvalue())


def send(client, study, files, **more):
    """Send files, let the worker do what was asked, and look at the page of it."""
    client.post(pages.address(study, "images"), {"files": files, **more})
    report = study.reports.get(kind=Report.Kind.IMAGES)
    tasks.run.call(report.pk)
    return client.get(pages.address(study, "images_import", report.pk))


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- adding ------------------------------------------------------------------------------------


def test_many_files_with_a_manifest_are_added(empty, client, tmp_path, media):
    answer = send(client, empty, image_files(tmp_path))
    assert answer.url == pages.address(empty, "images")
    assert (empty.stimuli.count(), empty.pairs.count()) == (6, 3)
    assert list((media / "uploads").iterdir()) == []


def test_zip_is_added(empty, client, tmp_path):
    send(client, empty, [zipped(image_files(tmp_path))])
    assert empty.stimuli.count() == 6


def test_script_is_told_where_the_progress_is(empty, client, tmp_path):
    answer = client.post(
        pages.address(empty, "images"),
        {"files": [zipped(image_files(tmp_path))]},
        headers={"accept": "application/json"},
    )
    report = empty.reports.get()
    assert answer.json() == {"url": pages.address(empty, "images_import", report.pk)}
    assert (report.state, empty.stimuli.count()) == ("waiting", 0)


def test_nothing_sent_is_a_fault_at_once(empty, client):
    answer = client.post(pages.address(empty, "images"), headers={"accept": "application/json"})
    assert (answer.status_code, empty.reports.count()) == (422, 0)
    assert "No file was sent." in answer.json()["html"]


def test_faults_of_images_are_listed_and_nothing_is_added(empty, client, tmp_path, media):
    files = image_files(tmp_path)
    broken = next(f for f in files if f.name == "real_01.png")
    files[files.index(broken)] = SimpleUploadedFile("real_01.png", b"no image")
    answer = send(client, empty, files)
    rows = [(fault["row"], fault["column"]) for fault in answer.context["faults"]]
    assert (rows, empty.stimuli.count()) == ([(4, "file")], 0)
    assert "real_01.png: not a JPEG, PNG, WebP, AVIF or TIFF image" in answer.content.decode()
    assert everything_in(media) == []
    assert not answer.context["can_try_again"]


def test_faults_of_images_are_said_in_the_language_of_whoever_reads_them(empty, client, tmp_path):
    files = image_files(tmp_path)
    broken = next(file for file in files if file.name == "real_01.png")
    files[files.index(broken)] = SimpleUploadedFile("real_01.png", b"no image")
    send(client, empty, files)
    client.cookies["django_language"] = "ja"
    answer = client.get(pages.address(empty, "images_import", empty.reports.get().pk))
    (fault,) = answer.context["faults"]
    words = "JPEG、PNG、WebP、AVIF、TIFFのいずれでもありません"
    assert fault["found"] == f"real_01.png：{words}"


def test_single_image_is_added_with_what_is_known_of_it(empty, client):
    data = {
        "file": SimpleUploadedFile("one.png", factories.png("one")),
        "origin": "ai",
        "pair_id": "first",
        "generator": "Painter 1",
        "is_catch": "on",
        "credit": "Somebody, of somewhere",
    }
    client.post(pages.address(empty, "images"), data)
    tasks.run.call(empty.reports.get().pk)
    stimulus = empty.stimuli.get()
    assert (stimulus.code, stimulus.origin, stimulus.is_catch) == ("one", "ai", True)
    assert (stimulus.pair.code, str(stimulus.generator)) == ("first", "Painter 1")
    assert stimulus.credit == "Somebody, of somewhere"


def test_progress_shows_the_images_that_are_ready(empty, client, tmp_path, monkeypatch):
    seen = []

    def look(manifest, prepared, *_more):
        url = pages.address(empty, "images_import_live", empty.reports.get().pk)
        answer = client.get(url)
        pictures = [client.get(url) for _row, url in answer.context["latest"]]
        seen.append((answer.context["done"], answer.context["total"], len(pictures)))
        assert {(p.status_code, p.getvalue()[:2]) for p in pictures} == {(200, b"\xff\xd8")}

    monkeypatch.setattr(image_set, "_check_new", look)
    send(client, empty, image_files(tmp_path))
    assert seen == [(6, 6, 6)]


def test_page_of_progress_works_without_a_script(empty, client, tmp_path):
    client.post(pages.address(empty, "images"), {"files": image_files(tmp_path)})
    page = pages.address(empty, "images_import", empty.reports.get().pk)
    refresh = '<noscript><meta http-equiv="refresh"'
    assert refresh in client.get(page).content.decode()
    assert page in client.get(pages.address(empty, "images")).content.decode()
    tasks.run.call(empty.reports.get().pk)
    assert client.get(page).status_code == 302


def test_import_that_broke_off_can_be_tried_again(empty, client, tmp_path):
    client.post(pages.address(empty, "images"), {"files": image_files(tmp_path)})
    report = empty.reports.get()
    page = pages.address(empty, "images_import", report.pk)
    report.state, report.alive_at = "running", timezone.now() - timedelta(minutes=3)
    report.save()
    answer = client.get(page)
    assert (answer.context["is_silent"], answer.context["can_try_again"]) == (True, True)
    client.post(page)
    report.refresh_from_db()
    assert report.state == "waiting"
    tasks.run.call(report.pk)
    assert empty.stimuli.count() == 6


def test_import_that_runs_cannot_be_begun_twice(empty, client, tmp_path):
    client.post(pages.address(empty, "images"), {"files": image_files(tmp_path)})
    report = empty.reports.get()
    report.state, report.alive_at = "running", timezone.now()
    report.save()
    client.post(pages.address(empty, "images_import", report.pk))
    report.refresh_from_db()
    assert report.state == "running"


def test_bug_leaves_the_upload_for_another_try(empty, client, tmp_path, monkeypatch):
    def fail(*_all, **_more):
        raise RuntimeError("the disk is full")

    client.post(pages.address(empty, "images"), {"files": image_files(tmp_path)})
    report = empty.reports.get()
    with monkeypatch.context() as patch:
        patch.setattr(image_set, "import_stimuli", fail)
        with pytest.raises(RuntimeError):
            tasks.run.call(report.pk)
    report.refresh_from_db()
    assert (report.state, tasks.can_try_again(report)) == ("failed", True)
    client.post(pages.address(empty, "images"), {"files": image_files(tmp_path)})
    assert not tasks.can_try_again(report)  # what was sent later takes its place


def test_worker_adds_images_and_the_log_says_for_whom(transactional_db, admin_client, tmp_path):
    study = studies.save_design(factories.plan(slug="empty"))
    admin_client.post(pages.address(study, "images"), {"files": image_files(tmp_path)})
    call_command("db_worker", batch=True, interval=0, startup_delay=False, verbosity=0)
    assert study.stimuli.count() == 6
    entry = LogEntry.objects.get(additional_data__event="images")
    assert (entry.actor.get_username(), entry.additional_data["added"]) == ("admin", 6)


def test_images_that_look_alike_are_listed(empty, client):
    hashes = {"a": "0" * 16, "b": "0" * 15 + "1", "c": "f" * 16}
    for code, perceptual_hash in hashes.items():
        empty.stimuli.create(
            code=code,
            key=code,
            origin="real",
            perceptual_hash=perceptual_hash,
            original_sha256=code,
        )
    answer = client.get(pages.address(empty, "images"))
    assert [(a.code, b.code) for a, b in answer.context["twins"]] == [("a", "b")]


def test_image_that_is_alone_in_its_pair_makes_no_pair(filled, client):
    filled.stimuli.filter(code="ai_00").delete()
    answer = client.get(pages.address(filled, "images"))
    assert (answer.context["pair_count"], answer.context["loose_count"]) == (1, 1)
    assert [pair.code for pair, _members in answer.context["pairs"]] == [
        filled.stimuli.get(code="ai_01").pair.code
    ]


def test_images_of_a_live_study_stay(study, owner, client, tmp_path):
    roles.make_owner(owner, study)
    answer = client.post(pages.address(study, "images"), {"files": image_files(tmp_path)})
    assert (answer.status_code, study.stimuli.count(), study.reports.count()) == (422, 8, 0)


def test_images_do_not_join_a_study_that_went_live_meanwhile(empty, client, tmp_path):
    client.post(pages.address(empty, "images"), {"files": image_files(tmp_path)})
    Study.objects.update(state=Study.State.LIVE)
    report = empty.reports.get()
    tasks.run.call(report.pk)
    answer = client.get(pages.address(empty, "images_import", report.pk))
    assert answer.context["error"].startswith("Images can only be added to a draft.")
    assert empty.stimuli.count() == 0
    client.cookies["django_language"] = "ja"
    answer = client.get(answer.request["PATH_INFO"])
    assert answer.context["error"].startswith("画像を追加できるのは下書き")


# --- all or nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"state": "live"}, {"original_sha256": "0" * 64}])
def test_import_beside_another_change_leaves_nothing(change, filled, media, tmp_path, monkeypatch):
    """The study changes between the preparation and the moment in which the rows are written."""
    before, write = everything_in(media), image_set.images.publish

    def publish(pictures):
        rows = Study.objects if "state" in change else filled.stimuli.filter(code="ai_00")
        rows.update(**change)
        return write(pictures)

    monkeypatch.setattr(image_set.images, "publish", publish)
    more = factories.write_images(tmp_path / "more", pairs=3)
    lines = (more / "manifest.csv").read_text().splitlines()
    (more / "manifest.csv").write_text("\n".join([lines[0], *lines[-2:]]))
    with pytest.raises(studies.StudyError):
        image_set.import_stimuli(filled, more, jobs=1)
    assert (filled.stimuli.count(), everything_in(media)) == (4, before)


# --- removing ----------------------------------------------------------------------------------


def names_in(media: Path, folder: str) -> set[str]:
    return {path.name for path in (media / folder).iterdir()}


def test_single_image_is_removed_with_its_files(
    filled, client, media, django_capture_on_commit_callbacks
):
    gone = filled.stimuli.get(code="ai_00")
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("admin:survey_stimulus_delete", args=[gone.pk]), {"post": "yes"})
    left = list(filled.stimuli.all())
    assert [s.code for s in left] == ["ai_01", "real_00", "real_01"]
    assert names_in(media, "stimuli") == {f"{s.key}.jpg" for s in left}
    assert names_in(media, "originals") == {s.original for s in left}
    assert names_in(media, "prepared") == {f"{s.original_sha256}-{filled.pk}.jpg" for s in left}
    entry = LogEntry.objects.get(additional_data__event="images removed")
    assert (entry.actor.get_username(), entry.additional_data["names"]) == ("owner", "ai_00")


def test_chosen_images_are_removed_with_the_pair_that_they_leave_empty(filled, client):
    chosen = filled.stimuli.filter(pair__code="pair00")
    data = {
        "action": "delete_selected",
        "_selected_action": [stimulus.pk for stimulus in chosen],
        "post": "yes",
    }
    asked = client.post(
        reverse("admin:survey_stimulus_changelist"), {**data, "post": ""}
    ).content.decode()
    assert ("real_00" in asked, filled.stimuli.count()) == (True, 4)
    client.post(reverse("admin:survey_stimulus_changelist"), data)
    assert list(filled.pairs.values_list("code", flat=True)) == ["pair01"]
    assert filled.stimuli.count() == 2


def test_all_images_are_removed_after_a_question(
    filled, client, media, django_capture_on_commit_callbacks
):
    page = pages.address(filled, "images_remove")
    assert page in client.get(pages.address(filled, "images")).content.decode()
    assert (client.get(page).context["count"], filled.stimuli.count()) == (4, 4)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page)
    assert (filled.stimuli.count(), filled.pairs.count(), everything_in(media)) == (0, 0, [])


def choose(client, action: str, chosen) -> None:
    data = {"action": action, "_selected_action": [stimulus.pk for stimulus in chosen]}
    client.post(reverse("admin:survey_stimulus_changelist"), data)


def obvious(study: Study) -> list[str]:
    return list(study.stimuli.filter(is_catch=True).values_list("code", flat=True))


def test_images_of_a_draft_are_marked_as_obvious_and_back(filled, client):
    chosen = filled.stimuli.filter(code="ai_00")
    choose(client, "mark_obvious", chosen)
    assert obvious(filled) == ["ai_00"]
    entry = LogEntry.objects.get(additional_data__event="images marked")
    assert (entry.actor.get_username(), entry.additional_data["names"]) == ("owner", "ai_00")
    choose(client, "mark_ordinary", filled.stimuli.all())
    assert obvious(filled) == []


@pytest.mark.parametrize("role", ["assistant", "reviewer"])
def test_images_are_marked_by_those_who_design(role, filled, client, django_user_model):
    user = django_user_model.objects.create_user("other", is_staff=True)
    roles.make_owner(user, studies.save_design(factories.plan(slug="elsewhere")))
    filled.memberships.create(user=user, role=role)
    client.force_login(user)
    choose(client, "mark_obvious", filled.stimuli.all())
    assert obvious(filled) == []


def test_images_of_a_live_study_are_not_marked(study, owner, client):
    roles.make_owner(owner, study)
    before = obvious(study)
    choose(client, "mark_obvious", study.stimuli.all())
    assert obvious(study) == before


def test_images_without_a_manifest_are_told_what_is_missing(empty, client, tmp_path):
    files = [file for file in image_files(tmp_path) if not file.name.endswith(".csv")]
    text = send(client, empty, files).content.decode()
    assert "a table that says of each image what it is" in text
    assert empty.stimuli.count() == 0


def test_original_stays_while_another_study_has_it(
    filled, media, tmp_path, django_capture_on_commit_callbacks
):
    other = studies.save_design(factories.plan(slug="other"))
    with django_capture_on_commit_callbacks(execute=True):
        image_set.import_stimuli(other, tmp_path / "in", jobs=1)
        image_set.remove_stimuli(filled, filled.stimuli.all())
    assert names_in(media, "originals") == {s.original for s in other.stimuli.all()}
    assert len(names_in(media, "stimuli")) == 4


def test_what_a_study_has_shown_is_never_removed(study, owner, client):
    roles.make_owner(owner, study)
    one = study.stimuli.first()
    single = reverse("admin:survey_stimulus_delete", args=[one.pk])
    chosen = {"action": "delete_selected", "_selected_action": [one.pk], "post": "yes"}
    assert client.post(single, {"post": "yes"}).status_code == 403
    assert client.post(pages.address(study, "images_remove")).status_code == 422
    client.post(reverse("admin:survey_stimulus_changelist"), chosen)
    assert "images_remove" not in client.get(pages.address(study, "images")).content.decode()
    with pytest.raises(studies.StudyError):
        image_set.remove_stimuli(study, study.stimuli.all())
    assert study.stimuli.count() == 8


@pytest.mark.parametrize("role", ["assistant", "reviewer"])
def test_images_are_removed_by_those_who_design(role, filled, client, django_user_model):
    user = django_user_model.objects.create_user("other", is_staff=True)
    filled.memberships.create(user=user, role=role)
    client.force_login(user)
    one = Stimulus.objects.first()
    answers = [
        client.post(pages.address(filled, "images_remove")).status_code,
        client.post(reverse("admin:survey_stimulus_delete", args=[one.pk])).status_code,
    ]
    assert (set(answers) <= {403, 404}, filled.stimuli.count()) == (True, 4)
