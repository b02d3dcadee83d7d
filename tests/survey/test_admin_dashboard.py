"""The admin's front page: every table stands under a name that people understand."""

import re

import pytest

pytestmark = pytest.mark.usefixtures("closed_lab")

NAMES = {
    "en": {
        "Sign-in protection": ["Failing sign-ins", "Log of failed sign-ins", "Log of sign-ins"],
        "Accounts": ["Groups", "Users"],
        "Second step": ["Authenticator apps"],
        "Background tasks": ["Background tasks"],
    },
    "ja": {
        "サインインの保護": [
            "失敗が続いているサインイン",
            "サインイン失敗の記録",
            "サインインの記録",
        ],
        "アカウント": ["グループ", "ユーザー"],
        "2段階目の確認": ["認証アプリ"],
        "バックグラウンド処理": ["バックグラウンド処理"],
    },
}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_tables_of_other_packages_have_names_of_the_page_s_language(language, admin_user, client):
    client.force_login(admin_user)
    client.cookies["django_language"] = language
    page = client.get("/admin/").content.decode()
    shown = {
        group: sorted(re.findall(r"<a href=[^>]+>([^<]+)</a>", tables))
        for group, tables in re.findall(r"<h3>([^<]+)</h3>(.*?)</ul>", page, re.DOTALL)
    }
    assert {group: shown.get(group) for group in NAMES[language]} == {
        group: sorted(tables) for group, tables in NAMES[language].items()
    }


def test_page_of_a_group_of_tables_says_nothing_of_studies(admin_user, client):
    client.force_login(admin_user)
    assert "There is no study yet." in client.get("/admin/").content.decode()
    page = client.get("/admin/auth/").content.decode()
    assert "<h3>Accounts</h3>" in page
    assert [words for words in ("no role in any study", "no study yet") if words in page] == []
