from typing import Any

from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.apps import AuthConfig
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_totp.apps import DefaultConfig as TotpConfig
from django_tasks_db.apps import TasksAppConfig

from survey import translations


class HonmonoAdmin(AdminConfig):
    """Django's admin with our own front, see `survey.admin_site`."""

    default_site = "survey.admin_site.Site"


class SurveyConfig(AppConfig):
    name = "survey"
    verbose_name = _("Data")

    def ready(self) -> None:
        from survey import trail

        translations.compile_all()
        trail.watch()


# Packages whose tables the admin lists: their own names say nothing to researchers, or know no
# Japanese.


class AccountsConfig(AuthConfig):
    verbose_name = _("Accounts")


class SignInConfig(AxesConfig):
    verbose_name = _("Sign-in protection")

    def ready(self) -> None:
        super().ready()
        _call(self, "AccessAttempt", _("failing sign-in"), _("failing sign-ins"))
        _call(self, "AccessFailureLog", _("failed sign-in"), _("log of failed sign-ins"))
        _call(self, "AccessLog", _("sign-in"), _("log of sign-ins"))


class SecondStepConfig(TotpConfig):
    verbose_name = _("Second step")

    def ready(self) -> None:
        super().ready()
        _call(self, "TOTPDevice", _("authenticator app"), _("authenticator apps"))


class BackgroundConfig(TasksAppConfig):
    verbose_name = _("Background tasks")

    def ready(self) -> None:
        super().ready()
        _call(self, "DBTaskResult", _("background task"), _("background tasks"))


def _call(app: AppConfig, model: str, one: Any, many: Any) -> None:
    """Name a table of another package; migrations take no notice of it."""
    options: Any = app.get_model(model)._meta
    options.verbose_name, options.verbose_name_plural = one, many
