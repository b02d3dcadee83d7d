"""Every address of the project."""

from django.contrib import admin
from django.urls import path

from survey import health, limits, views

urlpatterns = [
    path("", views.home, name="home"),
    path("s/<slug:slug>/", views.entry, name="entry"),
    path("s/<slug:slug>/start", limits.limit_starts(views.start), name="start"),
    path("s/<slug:slug>/consent.md", views.consent_text, name="consent_text"),
    path("s/<slug:slug>/credits", views.credits, name="credits"),
    path("s/<slug:slug>/privacy", views.privacy, name="study_privacy"),
    path("privacy", views.privacy, name="privacy"),
    path("clues", views.clues, name="clues"),
    path("p/<str:token>/", views.trial_page, name="trial_page"),
    path("p/<str:token>/trials", views.trials, name="trials"),
    path("p/<str:token>/responses", views.responses, name="responses"),
    path("p/<str:token>/background", views.background, name="background"),
    path("p/<str:token>/debrief", views.debrief, name="debrief"),
    path("p/<str:token>/card.png", views.score_card, name="score_card"),
    path("p/<str:token>/withdraw", views.withdraw, name="withdraw"),
    path("i/<str:key>.jpg", views.image, name="image"),
    path("language/<str:code>", views.language, name="language"),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("admin/", admin.site.urls),
]

handler400 = "survey.views.bad_request"
handler403 = "survey.views.forbidden"
handler404 = "survey.views.not_found"
handler500 = "survey.views.server_error"
