from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _

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
