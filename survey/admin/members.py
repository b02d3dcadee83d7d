"""Roles in a study, given by its owner."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from survey import trail
from survey.admin import pages
from survey.models import Membership, Study
from survey.roles import Right, Role


class MemberForm(forms.Form):
    """Give somebody a role. The name is typed, so that this page is no list of accounts."""

    username = forms.CharField(label=gettext_lazy("Account name"), max_length=150)
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices)

    def clean_username(self) -> Any:
        users = get_user_model().objects.filter(is_active=True, is_staff=True)
        user = users.filter(username=self.cleaned_data["username"]).first()
        if user is None:
            raise forms.ValidationError(_("There is no account of this name."))
        return user


#: What each role may do, in words.
MEANINGS = {
    Role.OWNER: gettext_lazy("Everything, and gives roles."),
    Role.RESEARCHER: gettext_lazy("Designs, runs, sees responses and downloads."),
    Role.ASSISTANT: gettext_lazy("Watches and pays; sees neither truth nor responses."),
    Role.REVIEWER: gettext_lazy("Reads the frozen design and the public release."),
}


@pages.page("members", right=Right.SHARE, tab=gettext_lazy("Roles"), place=90)
def members(request: HttpRequest, study: Study) -> HttpResponse:
    """Who has which role here; a study keeps at least one owner."""
    form = MemberForm(request.POST if "username" in request.POST else None)
    error = ""
    if request.method == "POST":
        if "remove" in request.POST:
            error = _remove(study, request.POST["remove"])
        elif form.is_valid():
            error = _give(study, form.cleaned_data["username"], form.cleaned_data["role"])
        if not error and not form.errors:
            return HttpResponseRedirect(request.path)
    context = {
        "title": _("Roles"),
        "members": study.memberships.select_related("user"),
        "meanings": [(Role(role).label, text) for role, text in MEANINGS.items()],
        "form": form,
        "error": error,
        "log": trail.of_study(study)[:100],
    }
    status = 422 if error or form.errors else 200
    return pages.render(request, study, "admin/members.html", context, status)


def _give(study: Study, user: Any, role: str) -> str:
    known = study.memberships.filter(user=user).first()
    if known and known.role == Role.OWNER and role != Role.OWNER and _is_last_owner(known):
        return _("A study needs an owner. Make somebody else an owner first.")
    Membership.objects.update_or_create(study=study, user=user, defaults={"role": role})
    return ""


def _remove(study: Study, pk: str) -> str:
    member = study.memberships.filter(pk=pk).first() if pk.isdecimal() else None
    if member is None:
        return ""
    if _is_last_owner(member):
        return _("A study needs an owner. Make somebody else an owner first.")
    member.delete()
    trail.note(study, "role removed", account=member.user.get_username(), role=member.role)
    return ""


def _is_last_owner(member: Membership) -> bool:
    owners = member.study.memberships.filter(role=Role.OWNER)
    return member.role == Role.OWNER and owners.count() == 1
