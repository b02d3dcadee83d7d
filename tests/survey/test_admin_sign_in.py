"""Signing in: guessing is stopped, a second step where responses can be seen, an end by itself."""

import re

import pytest
from auditlog.models import LogEntry
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from survey import roles
from survey.models import Membership
from survey.roles import Role
from tests import factories

INDEX, LOGIN, SECOND = "/admin/", "/admin/login/", "/admin/second-step/"


def member(django_user_model, study, role: str):
    user = django_user_model.objects.create_user(role, password="long-enough-1", is_staff=True)
    Membership.objects.create(user=user, study=study, role=role)
    return user


def code_for(device: TOTPDevice) -> str:
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    return f"{totp.token():06}"


@pytest.mark.parametrize(
    ("role", "is_needed"),
    [
        (Role.OWNER, True),
        (Role.RESEARCHER, True),
        (Role.ASSISTANT, False),
        (Role.REVIEWER, False),
    ],
)
def test_second_step_is_for_those_who_see_responses(role, is_needed, study, django_user_model):
    assert roles.needs_second_step(member(django_user_model, study, role)) is is_needed


def test_second_step_is_for_superusers_too(admin_user):
    assert roles.needs_second_step(admin_user) is True


def test_second_step_is_not_for_a_closed_lab(admin_user, settings):
    settings.CLOSED_LAB = True
    assert roles.needs_second_step(admin_user) is False


def test_admin_leads_to_the_second_step_and_back(study, client, django_user_model):
    user = member(django_user_model, study, Role.OWNER)
    target = reverse("admin:survey_response_changelist")
    credentials = {"username": user.username, "password": "long-enough-1", "next": target}
    client.post(LOGIN, credentials)

    asked = client.get(target, follow=True)
    assert asked.redirect_chain[-1][0] == f"{SECOND}?next={target}"
    assert re.search(r"<svg[^>]+>", asked.content.decode())
    device = TOTPDevice.objects.get(user=user)

    answer = client.post(SECOND, {"code": code_for(device), "next": target})
    assert (answer.status_code, answer.url) == (302, target)
    assert client.get(target).status_code == 200
    device.refresh_from_db()
    assert device.confirmed is True


def test_second_step_refuses_a_wrong_code(study, client, django_user_model):
    user = member(django_user_model, study, Role.OWNER)
    client.force_login(user)
    client.get(SECOND)
    device = TOTPDevice.objects.get(user=user)
    wrong = f"{(int(code_for(device)) + 1) % 1_000_000:06}"
    assert client.post(SECOND, {"code": wrong}).status_code == 422
    assert client.get(INDEX).status_code == 302


def test_second_step_hides_the_secret_once_it_is_confirmed(study, client, django_user_model):
    user = member(django_user_model, study, Role.OWNER)
    TOTPDevice.objects.create(user=user, confirmed=True)
    client.force_login(user)
    text = client.get(SECOND).content.decode()
    assert ("<figure" in text, "code" in text) == (False, True)


def test_second_step_does_not_lead_to_other_sites(study, client, django_user_model):
    user = member(django_user_model, study, Role.OWNER)
    device = TOTPDevice.objects.create(user=user, confirmed=True)
    client.force_login(user)
    data = {"code": code_for(device), "next": "https://elsewhere.example/"}
    assert client.post(SECOND, data).url == INDEX


def test_second_step_asks_for_the_password_first(db, client):
    assert client.get(SECOND).url.startswith(LOGIN)


def test_guessing_is_stopped(study, client, django_user_model):
    user = member(django_user_model, study, Role.ASSISTANT)
    wrong = {"username": user.username, "password": "guess"}
    statuses = [client.post(LOGIN, wrong).status_code for _attempt in range(6)]
    assert statuses == [200, 200, 200, 200, 429, 429]
    right = {"username": user.username, "password": "long-enough-1"}
    assert client.post(LOGIN, right).status_code == 429


def test_session_ends_by_itself(study, client, django_user_model, settings):
    client.force_login(member(django_user_model, study, Role.ASSISTANT))
    client.get(INDEX)
    assert client.session.get_expire_at_browser_close() is True
    assert settings.SESSION_COOKIE_AGE == 4 * 60 * 60


def test_log_names_who_changed_a_role(study, client, django_user_model, settings):
    settings.CLOSED_LAB = True
    owner = member(django_user_model, study, Role.OWNER)
    other = django_user_model.objects.create_user("newcomer", is_staff=True)
    client.force_login(owner)
    address = reverse("admin:survey_study_members", args=[study.pk])
    client.post(address, {"username": "newcomer", "role": Role.ASSISTANT})
    entry = LogEntry.objects.get_for_model(Membership).get(actor=owner)
    assert entry.changes_dict["user"][1] == str(other.pk)


def test_log_holds_nothing_of_participants(study, client, django_user_model, settings):
    settings.CLOSED_LAB = True
    before = set(LogEntry.objects.values_list("pk", flat=True))
    participant = factories.complete(factories.enrol(study))
    client.force_login(member(django_user_model, study, Role.OWNER))
    client.get(reverse("admin:survey_study_download", args=[study.pk]), {"form": "csv"})
    client.get(reverse("admin:survey_pair_changelist"))
    written = LogEntry.objects.exclude(pk__in=before)
    events = {entry.additional_data["event"] for entry in written if entry.additional_data}
    assert {"truth"} < events  # and the download, which another module names
    text = repr([(e.object_repr, e.changes, e.additional_data) for e in written])
    assert (participant.code in text, participant.token in text) == (False, False)


def test_truth_is_noted_once_a_day(study, client, django_user_model, settings):
    settings.CLOSED_LAB = True
    client.force_login(member(django_user_model, study, Role.OWNER))
    for _visit in range(3):
        client.get(reverse("admin:survey_pair_changelist"))
    assert LogEntry.objects.filter(additional_data__event="truth").count() == 1
