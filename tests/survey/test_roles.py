"""Every address of the admin for every role, from the URL configuration itself.

A route that is not in the tables here fails; so does one whose answer is not what the rule says.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from survey import roles, tasks
from survey.admin import pages
from survey.models import Generator, Membership, Pair, Report, Study
from survey.panels import Arrival
from survey.roles import RIGHTS, Right, Role
from tests import factories

ALICE = Arrival("prolific", "alice", "there", "sitting1")

#: The right that opens each page of a study.
PAGES = {
    "audit": Right.DESIGN,
    "checklist": Right.DESIGN,
    "close": Right.RUN,
    "download": Right.RESPONSES,
    "downloads": Right.RELEASE,
    "go_live": Right.RUN,
    "images": Right.DESIGN,
    "images_import": Right.DESIGN,
    "images_import_live": Right.DESIGN,
    "images_import_picture": Right.DESIGN,
    "images_remove": Right.DESIGN,
    "members": Right.SHARE,
    "pause": Right.RUN,
    "planner": Right.DESIGN,
    "preregistration": Right.TRUTH,
    "preview": Right.DESIGN,
    "preview_background": Right.DESIGN,
    "preview_card": Right.DESIGN,
    "preview_debrief": Right.DESIGN,
    "preview_responses": Right.DESIGN,
    "preview_start": Right.DESIGN,
    "preview_trial_page": Right.DESIGN,
    "preview_trials": Right.DESIGN,
    "recruitment": Right.RUN,
    "release": Right.RELEASE,
    "report": Right.RESPONSES,
    "report_files": Right.RESPONSES,
    "report_live": Right.RESPONSES,
    "report_page": Right.RESPONSES,
    "reports": Right.RESPONSES,
    "toml": Right.SEE,
    "watch": Right.WATCH,
    "watch_live": Right.WATCH,
}

#: What a page needs besides its address.
QUERIES = {"download": {"form": "csv"}}

#: The right to look at each table, and the right to change its rows (None: nobody may).
TABLES: dict[str, tuple[Right | None, Right | None]] = {
    "study": (None, Right.DESIGN),  # the list is open to all; it holds the own studies
    "pair": (Right.TRUTH, None),
    "stimulus": (Right.TRUTH, None),
    "generator": (Right.TRUTH, Right.DESIGN),
    "participant": (Right.WATCH, None),
    "response": (Right.RESPONSES, None),
    "panelidentity": (Right.PAY, None),
}

#: Pages of the site itself, with what everybody gets who may sign in.
SITE = {
    "index": 200,
    "login": 302,
    "logout": 405,
    "second_step": 200,
    "password_change": 200,
    "password_change_done": 200,
    "jsi18n": 200,
    "autocomplete": 403,
    "app_list": 200,
    "view_on_site": 404,
}

#: Apps whose tables only superusers see.
SUPERUSERS_ONLY = {"auth", "axes", "auditlog", "otp_totp", "django_tasks_database"}

#: Routes without a sign-in; the private link of a participant is the credential.
PUBLIC = {
    *("home", "entry", "start", "consent_text", "credits", "trial_page", "trials", "responses"),
    *("background", "debrief", "withdraw", "image", "language", "health_live", "health_ready"),
    *(
        "score_card",
        "clues",
        "privacy",
        "study_privacy",
    ),
}


@pytest.fixture(autouse=True)
def closed_lab(settings):
    """Without the second step, which has tests of its own."""
    settings.CLOSED_LAB = True


@pytest.fixture
def world(db):
    """A study with a participant of a panel, and a foreign one."""
    study, foreign = factories.make_study(slug="ours"), factories.make_study(slug="foreign")
    for one in (study, foreign):
        factories.complete(factories.enrol(one, arrival=ALICE))
        make_report(one)
        make_import(one)
        one.pairs.filter(code="pair00").update(code=f"pair-of-{one.slug}")
    Generator.objects.create(name="Unused 1")
    theirs = Generator.objects.create(name="Painter of foreign")
    foreign.stimuli.filter(origin="ai").update(generator=theirs)
    return study, foreign


def make_report(study: Study) -> None:
    """A report that is done, with a page."""
    found = {"claims": [], "counts": {}, "settings": {}, "warnings": []}
    report = Report.objects.create(study=study, state=Report.State.DONE, result={"en": found})
    (report.folder / "en").mkdir(parents=True)
    (report.folder / "en" / "report.html").write_text("<p>", encoding="utf-8")


def make_import(study: Study) -> None:
    """Images that are being prepared; the first one is ready."""
    running = {"state": Report.State.RUNNING, "alive_at": timezone.now()}
    report = Report.objects.create(study=study, kind=Report.Kind.IMAGES, **running)
    tasks.made(report.key).mkdir(parents=True)
    (tasks.made(report.key) / "1.jpg").write_bytes(factories.jpeg())


def somebody(django_user_model: Any, client: Any, role: str = "", study: Study | None = None):
    """Sign somebody in, with a role in a study if one is named."""
    user = django_user_model.objects.create_user(role or "nobody", is_staff=True)
    if study is not None:
        Membership.objects.create(user=user, study=study, role=role)
    client.force_login(user)
    return user


def every_name() -> Iterator[tuple[str, str]]:
    """(namespace, name) of each route of the project."""

    def walk(patterns: Any, namespace: str) -> Iterator[tuple[str, str]]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, pattern.namespace or namespace)
            elif isinstance(pattern, URLPattern):
                yield namespace, pattern.name or str(pattern.pattern)

    return walk(get_resolver().url_patterns, "")


def known_names() -> set[tuple[str, str]]:
    """The routes that the tables above have a rule for."""
    names = {("", name) for name in PUBLIC}
    names |= {("admin", name) for name in SITE}
    names |= {("admin", f"survey_study_{name}") for name in (*PAGES, "new")}
    models = [("survey", name) for name in TABLES]
    registered = [(m._meta.app_label, m._meta.model_name) for m in admin.site._registry]
    models += [(app, name) for app, name in registered if app in SUPERUSERS_ONLY]
    for app, model in models:
        kinds = ("changelist", "add", "history", "delete", "change")
        names |= {("admin", f"{app}_{model}_{kind}") for kind in kinds}
    return names


#: Django's own without rows behind them: what redirects old addresses, and what catches the rest.
NAMELESS = {"<path:object_id>/", "(?P<url>.*)$"}


def test_every_route_has_a_rule():
    found = {name for name in every_name() if name[1] not in NAMELESS}
    beyond = {("admin", "auth_user_password_change"), ("admin", "otp_totp_totpdevice_config")}
    beyond |= {("admin", "otp_totp_totpdevice_qrcode")}
    assert found - beyond == known_names()


def test_pages_are_registered_with_the_right_of_the_table():
    assert {page.name: page.right for page in pages.every_page()} == PAGES


def page_address(study: Study, name: str) -> str:
    """Where a page is, with what its address needs besides the study."""
    report = study.reports.get(kind=Report.Kind.REPORT).pk
    images = study.reports.get(kind=Report.Kind.IMAGES).pk
    arguments = {
        "images_import": [images],
        "images_import_live": [images],
        "images_import_picture": [images, 1],
        "preregistration": [1],
        "report": [report],
        "report_live": [report],
        "report_page": [report, "en"],
        "report_files": [report, "en"],
    }
    return pages.address(study, name, *arguments.get(name, []))


def page_answers(client: Any, study: Study) -> dict[str, int]:
    """What each page of a study answers: 403 and 404 as they are, all else as 200."""
    answers = {}
    for name in PAGES:
        answer = client.get(page_address(study, name), QUERIES.get(name))
        answers[name] = answer.status_code if answer.status_code in (403, 404, 500) else 200
        if answer.streaming:
            answer.getvalue()  # a file is closed at its end
    return answers


@pytest.mark.parametrize("role", Role.values)
def test_pages_open_for_the_roles_that_have_the_right(role, world, client, django_user_model):
    study, foreign = world
    somebody(django_user_model, client, role, study)
    own = {name: 200 if right in RIGHTS[role] else 403 for name, right in PAGES.items()}
    assert page_answers(client, study) == own
    assert page_answers(client, foreign) == dict.fromkeys(PAGES, 404)


def test_pages_are_not_found_by_somebody_without_a_role(world, client, django_user_model):
    somebody(django_user_model, client)
    assert page_answers(client, world[0]) == dict.fromkeys(PAGES, 404)


def test_pages_open_for_superusers(world, admin_client):
    assert page_answers(admin_client, world[1]) == dict.fromkeys(PAGES, 200)


def test_pages_lead_to_the_sign_in_without_one(world, client):
    for name in PAGES:
        answer = client.get(page_address(world[0], name))
        assert (name, answer.status_code) == (name, 302)
        assert answer.url.startswith("/admin/login/")


def rows_of(study: Study) -> dict[str, Any]:
    """A row of each table that belongs to a study."""
    participant = study.participants.get()
    return {
        "study": study.pk,
        "pair": study.pairs.first().pk,
        "stimulus": study.stimuli.first().pk,
        "generator": Generator.objects.filter(stimuli__study=study).first().pk,
        "participant": participant.pk,
        "response": participant.trials.first().pk,
        "panelidentity": participant.pk,
    }


def table_answers(client: Any, study: Study, kinds: tuple[str, ...]) -> dict[str, int]:
    """What the list, or the pages of a row, of each table answer."""
    answers = {}
    for model, pk in rows_of(study).items():
        for kind in kinds:
            arguments = [] if kind in ("changelist", "add") else [pk]
            address = reverse(f"admin:survey_{model}_{kind}", args=arguments)
            answers[f"{model} {kind}"] = client.get(address).status_code
    return answers


@pytest.mark.parametrize("role", Role.values)
def test_tables_open_for_the_roles_that_have_the_right(role, world, client, django_user_model):
    study, _foreign = world
    somebody(django_user_model, client, role, study)
    held = RIGHTS[role]
    expected = {}
    for model, (view, change) in TABLES.items():
        sees = view is None or view in held
        expected[f"{model} changelist"] = 200 if sees else 403
        expected[f"{model} change"] = 200 if sees else 404
        expected[f"{model} history"] = 200 if sees else 404
        may_add = change in held
        redirected = 302 if model == "study" else 200
        expected[f"{model} add"] = redirected if may_add else 403
        expected[f"{model} delete"] = _deletion(model, held, sees)
    kinds = ("changelist", "change", "history", "add", "delete")
    assert table_answers(client, study, kinds) == expected


def _deletion(model: str, held: frozenset[Right], sees: bool) -> int:
    if model == "generator" and Right.DESIGN in held:
        return 200  # asks, and then says that images depend on it
    return 403 if sees else 404


@pytest.mark.parametrize("role", Role.values)
def test_rows_of_foreign_studies_are_not_found(role, world, client, django_user_model):
    study, foreign = world
    somebody(django_user_model, client, role, study)
    answers = table_answers(client, foreign, ("change", "history", "delete"))
    assert answers == dict.fromkeys(answers, 404)


@pytest.mark.parametrize("role", Role.values)
def test_lists_searches_and_filters_show_nothing_foreign(role, world, client, django_user_model):
    study, foreign = world
    somebody(django_user_model, client, role, study)
    code = foreign.participants.get().code
    secrets = ("foreign", code)
    for model, (view, _change) in TABLES.items():
        if view is not None and view not in RIGHTS[role]:
            continue
        address = reverse(f"admin:survey_{model}_changelist")
        for query in ("", *FILTERS.get(model, ())):
            answer = client.get(address, follow=True, query_string=query % {"pk": foreign.pk})
            text = re.sub(r'(action|href|value)="[^"]*"', "", answer.content.decode())
            assert [model, query, *(word for word in secrets if word in text)] == [model, query]


#: Filters by hand and searches, for what belongs to the foreign study.
FILTERS = {
    "study": ("q=fore", "state__exact=live"),
    "pair": ("study__id__exact=%(pk)s", "q=pair-of"),
    "stimulus": ("study__id__exact=%(pk)s", "q=real_0"),
    "participant": ("study__id__exact=%(pk)s", "q=p"),
    "response": ("trial__participant__study__id__exact=%(pk)s",),
    "panelidentity": ("participant__study__id__exact=%(pk)s", "q=alice"),
    "generator": ("q=Painter",),
}


@pytest.mark.parametrize("role", ["", *Role.values])
def test_tables_of_other_apps_are_for_superusers(role, world, client, django_user_model):
    somebody(django_user_model, client, role, world[0] if role else None)
    registered = [model._meta for model in admin.site._registry]
    for meta in registered:
        if meta.app_label in SUPERUSERS_ONLY:
            name = f"admin:{meta.app_label}_{meta.model_name}_changelist"
            assert (name, client.get(reverse(name)).status_code) == (name, 403)


@pytest.mark.parametrize("role", ["", *Role.values])
def test_site_pages_answer_the_same_for_every_role(role, world, client, django_user_model):
    somebody(django_user_model, client, role, world[0] if role else None)
    arguments = {"app_list": ["survey"], "view_on_site": [1, world[1].pk]}
    answers = {}
    for name in SITE:
        address = reverse(f"admin:{name}", args=arguments.get(name, []))
        answers[name] = client.get(address).status_code
    assert answers == SITE


def test_dashboard_shows_nothing_foreign(world, client, django_user_model):
    somebody(django_user_model, client, Role.OWNER, world[0])
    text = client.get(reverse("admin:index")).content.decode()
    assert ("ours" in text, "foreign" in text) == (True, False)


def test_payment_list_takes_only_own_rows(world, client, django_user_model):
    study, foreign = world
    somebody(django_user_model, client, Role.ASSISTANT, study)
    chosen = [one.participants.get().pk for one in (study, foreign)]
    data = {"action": "download_payments", "_selected_action": chosen}
    answer = client.post(reverse("admin:survey_panelidentity_changelist"), data)
    assert len(answer.content.decode().splitlines()) == 2  # the head and one row


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.REVIEWER])
def test_payment_list_is_refused_to_those_who_do_not_pay(role, world, client, django_user_model):
    study, _foreign = world
    somebody(django_user_model, client, role, study)
    data = {"action": "download_payments", "_selected_action": [study.participants.get().pk]}
    answer = client.post(reverse("admin:survey_panelidentity_changelist"), data)
    assert answer.status_code == 403


def test_no_table_has_an_action_without_a_rule(world, rf, admin_user):
    request = rf.get("/")
    request.user = admin_user
    found = {
        model._meta.model_name: set(model_admin.get_actions(request))
        for model, model_admin in admin.site._registry.items()
        if model._meta.app_label == "survey"
    }
    rules = {name: set() for name in TABLES} | {
        "generator": {"delete_selected"},
        "panelidentity": {"download_payments"},
        "stimulus": {"mark_obvious", "mark_ordinary"},
    }
    assert {name: acts - {"delete_selected"} for name, acts in found.items()} == {
        name: acts - {"delete_selected"} for name, acts in rules.items()
    }


@pytest.mark.parametrize("role", [Role.ASSISTANT, Role.REVIEWER])
def test_changes_are_refused_to_those_who_only_read(role, world, client, django_user_model):
    study, _foreign = world
    study.state = Study.State.PAUSED
    study.save()
    somebody(django_user_model, client, role, study)
    change = reverse("admin:survey_study_change", args=[study.pk])
    posts = [change, *(pages.address(study, n) for n in ("go_live", "images", "members"))]
    assert [client.post(address, {"slug": "taken"}).status_code for address in posts] == [403] * 4
    study.refresh_from_db()
    assert (study.slug, study.state) == ("ours", Study.State.PAUSED)


def test_reviewer_does_not_see_a_draft(db, client, django_user_model):
    study = factories.make_study(live=False)
    user = somebody(django_user_model, client, Role.REVIEWER, study)
    assert list(roles.studies_of(user)) == []
    assert client.get(pages.address(study, "toml")).status_code == 404


def test_assistant_sees_neither_truth_nor_responses(world, client, django_user_model):
    study, _foreign = world
    somebody(django_user_model, client, Role.ASSISTANT, study)
    participant = study.participants.get()
    seen = [
        reverse("admin:survey_participant_changelist"),
        reverse("admin:survey_participant_change", args=[participant.pk]),
        reverse("admin:survey_study_change", args=[study.pk]),
        pages.address(study, "watch"),
    ]
    for address in seen:
        text = client.get(address).content.decode()
        assert [code for code in ("real_00", "ai_00", "Painter 1") if code in text] == []


def test_inactive_accounts_see_nothing(world, django_user_model):
    user = django_user_model.objects.create_superuser("gone", is_active=False)
    assert list(roles.studies_of(user)) == []


def test_rights_of_roles_are_nested_as_documented():
    assert RIGHTS[Role.RESEARCHER] < RIGHTS[Role.OWNER]
    assert RIGHTS[Role.ASSISTANT] & {Right.TRUTH, Right.RESPONSES} == set()
    assert Right.RESPONSES not in RIGHTS[Role.REVIEWER]


def test_pair_of_another_study_is_unknown_to_its_owner(world, client, django_user_model):
    study, foreign = world
    somebody(django_user_model, client, Role.OWNER, foreign)
    pair = Pair.objects.get(study=study, code="pair-of-ours")
    address = reverse("admin:survey_pair_change", args=[pair.pk])
    assert client.get(address).status_code == 404
