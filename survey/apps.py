from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from survey import translations


class SurveyConfig(AppConfig):
    name = "survey"
    verbose_name = _("Studies")

    def ready(self) -> None:
        translations.compile_all()
