"""Setting up a study without a terminal: made, edited, filled with images, checked, opened."""

import html
import json
import re
from urllib.parse import unquote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from analysis import exclusions
from survey import checklist, demo, design, roles, studies
from survey.admin import pages, preview, row_forms
from survey.admin.recruiting import link_for
from survey.design import study as constants
from survey.models import Block, Membership, Response, Study
from survey.roles import Role
from tests import factories
from tests.html_forms import sent

NEW = "/admin/survey/study/new/"


pytestmark = pytest.mark.usefixtures("closed_lab")


@pytest.fixture
def draft(owner):
    """A draft with images, of the owner."""
    study = factories.make_study(live=False)
    roles.make_owner(owner, study)
    return study


def change_of(study: Study) -> str:
    return reverse("admin:survey_study_change", args=[study.pk])


def form_of(answer) -> dict[str, str | list[str]]:
    """What the browser would send back if nothing were changed."""
    return sent(answer.content.decode(), "study_form")


def with_row(data, name: str, **values) -> dict[str, object]:
    """The form with what is written into the empty row of a list."""
    at = int(data[f"{name}-INITIAL_FORMS"])
    return data | {f"{name}-{at}-{field}": value for field, value in values.items()}


def faults_in(page: str) -> dict[str, str]:
    """What the page says is wrong, by the field in whose help it stands."""
    found, last = {}, ""
    for field, fault in re.findall(r'id="id_([^"]+)_helptext"|class="fault"[^>]*>([^<]*)<', page):
        last = field or last
        if fault:
            found[last] = html.unescape(fault)
    return found


# --- a new study -------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["demo", "lu2023", "brief", "labels"])
def test_new_study_begins_with_a_template(template, draft, owner, client):
    answer = client.post(NEW, {"template": template, "slug": "mine"})
    study = Study.objects.get(slug="mine")
    assert answer.url == pages.address(study, "checklist")
    assert [b.key for b in study.blocks.all()] == [
        block.key for block in demo.demo_design(template).blocks
    ]
    assert Membership.objects.get(study=study).role == Role.OWNER


def test_template_leaves_to_the_researcher_what_nobody_else_can_say(draft, client):
    client.post(NEW, {"template": "demo", "slug": "mine", "with_images": "on"})
    study = Study.objects.get(slug="mine")
    assert [words["contact"] for words in study.texts.values()] == ["", ""]
    assert study.analysis_plan["stopping_rule"] == ""
    assert missing(study) == ["consent", "audit", "sample_size", "preregistration"]


def test_new_study_begins_blank(draft, client):
    client.post(NEW, {"template": "blank", "slug": "mine"})
    study = Study.objects.get(slug="mine")
    assert (study.languages, study.blocks.count()) == (["en", "ja"], 0)


def test_new_study_copies_one_that_is_here(draft, client):
    client.post(NEW, {"template": f"copy-{draft.pk}", "slug": "again"})
    copied, original = (studies.design_of(Study.objects.get(slug=s)) for s in ("again", "small"))
    assert copied.blocks == original.blocks


def test_new_study_takes_a_file(draft, client):
    text = design.dumps(factories.plan(slug="from-file"))
    file = SimpleUploadedFile("study.toml", text.encode())
    client.post(NEW, {"template": "demo", "file": file})
    study = Study.objects.get(slug="from-file")
    assert studies.design_of(study) == factories.plan(slug="from-file")


def test_new_study_names_every_fault_of_a_file_with_its_line(draft, client):
    text = design.dumps(factories.plan(slug="from-file"))
    text = text.replace("trials = 4", "trials = -4").replace("minimum_age", "minimum_edge")
    file = SimpleUploadedFile("study.toml", (text + "\ncolour = 1\n").encode())
    answer = client.post(NEW, {"template": "demo", "file": file})
    told = answer.context["form"].errors["file"]
    lines = {int(fault.split(",")[0].removeprefix("Line ")) for fault in told}
    wrong = {n for n, line in enumerate(text.splitlines(), 1) if "trials = -4" in line}
    assert (answer.status_code, wrong <= lines) == (422, True)


@pytest.mark.parametrize("slug", ["small", "Not A Slug", ""])
def test_new_study_needs_a_name_of_its_own(slug, draft, client):
    answer = client.post(NEW, {"template": "demo", "slug": slug})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["slug"])


def test_new_study_is_for_those_who_may_make_one(owner, client):
    assert client.get(NEW).status_code == 403


# --- the form ----------------------------------------------------------------------------------


def test_form_gives_back_what_it_was_given(draft, client):
    before = studies.design_of(draft)
    answer = client.post(change_of(draft), form_of(client.get(change_of(draft))))
    assert answer.status_code == 302
    assert studies.design_of(Study.objects.get(pk=draft.pk)) == before


@pytest.mark.parametrize("template", ["demo", "lu2023", "brief", "labels"])
def test_form_gives_back_the_templates(template, owner, client):
    study = studies.save_design(demo.demo_design(template))
    roles.make_owner(owner, study)
    client.post(change_of(study), form_of(client.get(change_of(study))))
    assert studies.design_of(Study.objects.get(pk=study.pk)) == demo.demo_design(template)


def test_form_writes_texts_lists_and_tables(draft, client):
    data = form_of(client.get(change_of(draft))) | {
        "texts__ja__title": "新しい題",
        "blocks-0-categories": "thing, other",
        "blocks-1-exposures_ms": "200, 500",
    }
    data = with_row(data, "blocks-1-reasons", code="detail", texts__en="In the details")
    data = with_row(data, "claims", claim="prefers_ai", contrast="real_vs_ai")
    data = with_row(data, "smallest_effects", claim="indistinguishable", effect="0.1")
    client.post(change_of(draft), data)
    draft.refresh_from_db()
    first, second = draft.blocks.all()
    assert draft.text("title", "ja") == "新しい題"
    assert first.categories == ["thing", "other"]
    assert (second.exposures_ms, second.reasons) == ([200, 500], ["detail"])
    assert second.texts["en"]["reasons"] == {"detail": "In the details"}
    assert draft.analysis_plan["claims"] == ["prefers_ai:real_vs_ai"]
    assert draft.analysis_plan["smallest_effects"] == {"indistinguishable": 0.1}


def test_form_adds_a_question_with_its_choices(draft, client):
    data = form_of(client.get(change_of(draft)))
    texts = {"texts__en": "Where?", "texts__ja": "どこで？"}
    data = with_row(data, "background", key="place", kind="choice", required="on", **texts)
    at = "background-" + data["background-INITIAL_FORMS"] + "-choices"
    data |= {f"{at}-TOTAL_FORMS": 2}
    for index, words in enumerate([("home", "Home", "家"), ("away", "Away", "外")]):
        for name, value in zip(("value", "texts__en", "texts__ja"), words, strict=True):
            data[f"{at}-{index}-{name}"] = value
    client.post(change_of(draft), data)
    draft.refresh_from_db()
    assert draft.background[-1] == {
        "key": "place",
        "kind": "choice",
        "required": True,
        "texts": {"en": "Where?", "ja": "どこで？"},
        "choices": [
            {"value": "home", "texts": {"en": "Home", "ja": "家"}},
            {"value": "away", "texts": {"en": "Away", "ja": "外"}},
        ],
    }
    assert faults_in(client.get(change_of(draft)).content.decode()) == {}


def test_form_moves_and_removes_rows(draft, client):
    draft.conditions = [{"name": n, "weight": 1, "blocks": []} for n in ("one", "two", "three")]
    draft.save()
    data = form_of(client.get(change_of(draft)))
    data |= {"conditions-0-ORDER": "3", "conditions-2-ORDER": "1", "conditions-1-DELETE": "on"}
    client.post(change_of(draft), data)
    draft.refresh_from_db()
    assert [condition["name"] for condition in draft.conditions] == ["three", "one"]


def test_form_applies_rules_in_their_order(draft, client):
    rules = [{"name": name, "parameters": {}} for name in ("duplicates", "catch_trials")]
    draft.exclusion_rules = rules
    draft.save()
    data = form_of(client.get(change_of(draft)))
    names = [data[f"exclusion_rules-{n}-name"] for n in range(7)]
    assert names[:2] == ["duplicates", "catch_trials"]
    added = names.index("side_bias")
    data |= {"exclusion_rules-0-ORDER": "9", f"exclusion_rules-{added}-is_applied": "on"}
    data |= {f"exclusion_rules-{added}-parameters__min_trials": "20"}
    client.post(change_of(draft), data)
    draft.refresh_from_db()
    assert draft.exclusion_rules == [
        {"name": "catch_trials", "parameters": {}},
        {"name": "side_bias", "parameters": {"min_trials": 20.0}},
        {"name": "duplicates", "parameters": {}},
    ]


def test_form_names_a_rule_that_the_analysis_does_not_know_and_lets_it_go(draft, client):
    draft.exclusion_rules = [{"name": "outliers", "parameters": {}}]
    draft.save()
    page = client.get(change_of(draft)).content.decode()
    assert "Found: &#x27;outliers&#x27;. Allowed: incomplete, catch_trials" in page
    assert client.post(change_of(draft), sent(page, "study_form")).status_code == 302
    draft.refresh_from_db()
    assert draft.exclusion_rules == []


def test_form_knows_the_rules_of_the_analysis():
    known = {name: dict(rule.defaults) for name, rule in exclusions.RULES.items()}
    offered = constants.EXCLUSION_RULES
    assert offered == {n: known[n] for n in known if n not in exclusions.ALWAYS}
    assert list(row_forms.RULES) == list(offered)
    assert set(row_forms.PARAMETERS) == {p for usual in offered.values() for p in usual}


def test_form_follows_a_block_that_gets_another_name(draft, client):
    draft.conditions = [{"name": "one", "weight": 1, "blocks": ["detection"]}]
    draft.save()
    data = form_of(client.get(change_of(draft))) | {"blocks-1-key": "spotting"}
    client.post(change_of(draft), data)
    draft.refresh_from_db()
    assert draft.conditions[0]["blocks"] == ["spotting"]


def test_form_drops_the_texts_of_a_language_that_is_taken_out(draft, client):
    draft.background = [{"key": "free", "kind": "text", "texts": {"en": "A", "ja": "B"}}]
    draft.save()
    client.post(change_of(draft), form_of(client.get(change_of(draft))) | {"languages": "en"})
    plan = studies.design_of(Study.objects.get(pk=draft.pk))
    texts = [plan.texts, *(one.texts for one in (*plan.blocks, *plan.background))]
    assert [set(one) for one in texts] == [{"en"}] * 4


def test_form_asks_for_the_texts_of_a_new_language(draft, client):
    data = form_of(client.get(change_of(draft))) | {"languages": "en, ja, fr"}
    assert client.post(change_of(draft), data).url == pages.address(draft, "checklist")
    page = client.get(change_of(draft)).content.decode()
    assert {"texts__fr__title", "blocks-0-texts__fr__instructions"} <= faults_in(page).keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("blocks-0-exposures_ms", "soon"),
        ("smallest_effects-0-effect", "small"),
        ("claims-0-claim", "magic"),
        ("conditions-0-weight", "heavy"),
        ("background-0-kind", "riddle"),
        ("exclusion_rules-0-parameters__min_answered_share", "all"),
        ("languages", ""),
    ],
)
def test_form_refuses_what_it_cannot_read(name, value, draft, client):
    data = form_of(client.get(change_of(draft)))
    data |= {
        "conditions-0-name": "one",
        "background-0-key": "place",
        "claims-0-claim": "calibrated",
    }
    data |= {"smallest_effects-0-claim": "calibrated", "smallest_effects-0-effect": "1"}
    answer = client.post(change_of(draft), data | {name: value})
    page = answer.content.decode()
    told = re.findall(r'<ul class="errorlist" id="id_([^"]+)_error"', page)
    assert (answer.status_code, name in told, value in page) == (200, True, True)


def test_form_shows_faults_of_the_design_at_their_fields(draft, client):
    block = draft.blocks.get(key="detection")
    block.repeat_share = 0.01
    block.texts["ja"].pop("instructions")
    block.save()
    draft.texts["en"]["consent"] = ""
    draft.block_order = "chaotic"
    draft.save()
    draft.background = [{"key": "No", "kind": "choice", "texts": {"en": "A", "ja": "B"}}]
    draft.conditions = [{"name": "one", "weight": 0, "blocks": ["gone"]}]
    draft.analysis_plan = {"claims": [], "smallest_effects": {"calibrated": 200}}
    draft.save()
    found = faults_in(client.get(change_of(draft)).content.decode())
    assert sorted(found) == [
        "background-0-choices",
        "background-0-key",
        "block_order",
        "blocks-1-repeat_share",
        "blocks-1-texts__ja__instructions",
        "conditions-0-blocks",
        "conditions-0-weight",
        "smallest_effects-0-effect",
        "texts__en__consent",
    ]
    assert found["conditions-0-weight"] == "Found: 0. Allowed: 1 to 1000."


def test_form_marks_each_place_once_however_many_faults_it_has(draft, client):
    draft.blocks.update(exposures_ms=[1, 2])
    page = client.get(change_of(draft)).content.decode()
    assert page.count('class="fault"') == 4
    ids = re.findall(r' id="([^"]+)"', page)
    assert [name for name in ids if ids.count(name) > 1] == []
    marks = [name for name in ids if name.startswith("fault-")]
    assert marks == [f"fault-blocks[{n}].exposures_ms" for n in (0, 1)]


def test_form_says_in_japanese_what_is_wrong(draft, client):
    draft.conditions = [{"name": "one", "weight": 0, "blocks": []}]
    draft.save()
    client.cookies["django_language"] = "ja"
    found = faults_in(client.get(change_of(draft)).content.decode())
    assert found["conditions-0-weight"] == "現在：0。使える値：1～1000。"


def test_form_keeps_an_unfinished_draft_and_says_so(draft, client):
    data = form_of(client.get(change_of(draft))) | {"texts__en__consent": ""}
    answer = client.post(change_of(draft), data, follow=True)
    told = [str(message) for message in answer.context["messages"]]
    assert any("one thing to mend" in text for text in told)
    draft.refresh_from_db()
    assert draft.text("consent", "en") == ""


def test_form_adds_a_block(draft, client):
    answer = client.get(change_of(draft))
    data = form_of(answer) | {"blocks-TOTAL_FORMS": 3}
    for name, value in data.copy().items():
        if name.startswith("blocks-1-") and not name.endswith(("-id", "-study")):
            data[name.replace("blocks-1-", "blocks-2-")] = value
    data |= {"blocks-2-key": "third", "blocks-2-position": 2}
    client.post(change_of(draft), data)
    keys = Block.objects.filter(study=draft).values_list("key", flat=True)
    assert list(keys) == ["preference", "detection", "third"]


def test_form_of_a_live_study_is_a_text_to_read(study, owner, client):
    roles.make_owner(owner, study)
    answer = client.get(change_of(study))
    assert answer.context["inline_admin_formsets"] == []
    assert "[[blocks]]" in answer.content.decode()
    assert client.post(change_of(study), {"slug": "other"}).status_code == 403


def test_design_can_be_had_as_a_file(draft, client):
    answer = client.get(pages.address(draft, "toml"))
    assert design.loads(answer.content.decode()) == studies.design_of(draft)


# --- the checklist and going live --------------------------------------------------------------


def missing(study: Study) -> list[str]:
    return [item.name for item in checklist.of(study) if not item.is_met]


def test_checklist_of_a_blank_study_names_everything(owner):
    study = Study.objects.create(slug="blank", languages=["en"])
    assert missing(study) == [
        *("design", "texts", "consent", "images", "audit"),
        *("effects", "sample_size", "preregistration"),
    ]


def test_checklist_is_empty_when_all_is_done(owner):
    study = factories.make_study(
        analysis_plan=design.AnalysisPlan(
            claims=("indistinguishable:real_vs_ai",),
            smallest_effects={"indistinguishable": 0.05},
            stopping_rule="At 100 participants.",
        ),
        exclusion_rules=(design.ExclusionRule("catch_trials", {"max_failed_share": 0.5}),),
    )
    study.quota = 100
    assert missing(study) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda s: s.texts["ja"].update(contact=""), "consent"),
        (lambda s: s.texts["ja"].update(title=""), "texts"),
        (lambda s: s.stimuli.all().delete(), "images"),
        (lambda s: s.audits.all().delete(), "audit"),
        (lambda s: setattr(s, "recruitment", {"panel": "prolific", "codes": 3}), "recruitment"),
        (lambda s: setattr(s, "block_order", "chaotic"), "design"),
    ],
)
def test_checklist_finds_what_is_missing(change, name, study):
    before = missing(study)
    change(study)
    assert name in set(missing(study)) - set(before)


def test_checklist_finds_a_claim_that_the_images_cannot_test(study):
    study.analysis_plan = {"claims": ["prefers_ai:real_vs_ai", "prefers_ai:real_vs_enhanced"]}
    item = next(item for item in checklist.of(study) if item.name == "comparisons")
    assert [lack.words for lack in item.missing] == [
        "“People prefer the AI side (photographs and enhanced photographs)”: "
        "there are no such images"
    ]


def test_every_item_of_the_checklist_links_to_a_page_that_opens(draft, client):
    answer = client.get(pages.address(draft, "checklist"))
    links = {row["url"] for row in answer.context["rows"]}
    assert {url: client.get(url).status_code for url in links} == dict.fromkeys(links, 200)


def spoil(study: Study) -> None:
    """Leave something to mend in each part of the form."""
    study.texts["ja"] |= {"contact": "", "title": ""}
    study.block_order = "chaotic"
    study.background = [{"key": "No", "kind": "choice", "texts": {"en": "A"}}]
    study.conditions = [{"name": "one", "weight": 0, "blocks": ["gone"]}]
    study.analysis_plan = {"claims": ["magic", "calibrated"], "smallest_effects": {"magic": 200}}
    study.save()
    block = study.blocks.get(key="detection")
    block.scale_steps = 4
    block.texts["ja"].pop("instructions")
    block.save()


def test_every_link_of_the_checklist_leads_to_what_it_is_about(draft, client):
    spoil(draft)
    rows = client.get(pages.address(draft, "checklist")).context["rows"]
    links = [url for row in rows for _words, url in row["lacks"]] + [row["url"] for row in rows]
    form = client.get(change_of(draft)).content.decode()
    anchors = [unquote(url.partition("#")[2]) for url in links if "#" in url]
    assert [one for one in anchors if html.escape(f'id="{one}"', quote=False) not in form] == []
    assert len(set(anchors)) >= 12


def test_checklist_calls_things_as_the_form_does(draft, client):
    spoil(draft)
    rows = client.get(pages.address(draft, "checklist")).context["rows"]
    told = {words.partition(":")[0] for row in rows for words, _url in row["lacks"]}
    assert {
        "Order of the blocks",
        "Block 2 › Steps of the scale",
        "Block 2 › 日本語 › Instructions",
        "日本語 › Title",
        "Question 1 › Name",
        "Condition 1 › Weight",
        "Analysis plan › Claims",
        "“People know how well they do” has none",
    } <= told


def test_study_goes_live_pauses_goes_on_and_closes(study, owner, client):
    roles.make_owner(owner, study)
    states = []
    for step in ("pause", "go_live", "close"):
        address = pages.address(study, step)
        client.get(address)
        states.append(Study.objects.get(pk=study.pk).state)
        client.post(address)
    states.append(Study.objects.get(pk=study.pk).state)
    assert states == ["live", "paused", "live", "closed"]


def test_going_live_says_what_is_in_the_way(owner, client):
    study = Study.objects.create(slug="blank", languages=["en"])
    roles.make_owner(owner, study)
    answer = client.post(pages.address(study, "go_live"))
    assert answer.status_code == 409
    assert "errornote" in answer.content.decode()
    assert Study.objects.get(pk=study.pk).state == Study.State.DRAFT


def test_preregistration_holds_the_frozen_design_and_its_hash(study, owner, client):
    roles.make_owner(owner, study)
    answer = client.get(pages.address(study, "preregistration", 1))
    content = json.loads(answer.content)
    version = study.versions.get()
    assert content["design_hash"] == version.design_hash
    assert content["canonical"] == version.canonical
    assert version.design_hash[:12] in answer["Content-Disposition"]
    assert client.get(pages.address(study, "preregistration", 2)).status_code == 404


@pytest.fixture
def empty(owner):
    """A draft without images."""
    study = studies.save_design(factories.plan(slug="empty"))
    roles.make_owner(owner, study)
    return study


# --- recruitment -------------------------------------------------------------------------------


def test_recruitment_form_makes_the_settings_of_a_panel(study, owner, client, rf):
    roles.make_owner(owner, study)
    data = {"panel": "prolific", "completed": "ABC", "quota": 40, "slot_minutes": 30}
    client.post(pages.address(study, "recruitment"), data | {"show_result": "on"})
    study.refresh_from_db()
    expected = {"panel": "prolific", "codes": {"completed": "ABC"}}
    assert study.recruitment == expected
    client.post(pages.address(study, "recruitment"), data)
    study.refresh_from_db()
    assert study.recruitment == expected | {"show_result": False}
    assert (study.quota, study.slot_minutes) == (40, 30)
    link = link_for(rf.get("/"), study)
    assert link.endswith(
        "/s/small/?PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}"
        "&SESSION_ID={{%SESSION_ID%}}"
    )


def test_recruitment_form_gives_back_what_is_set(study, owner, client):
    roles.make_owner(owner, study)
    study.recruitment = {
        "panel": "other",
        "label": "Lab pool",
        "parameters": {"panel_id": "pid"},
        "codes": {"completed": "A", "screened_out": "B"},
        "return_url": "https://pool.example.org/done?code={code}",
        "open_link": True,
    }
    study.save()
    form = client.get(pages.address(study, "recruitment")).context["form"]
    data = {f.html_name: f.value() or "" for f in form}
    data["open_link"] = "on"
    client.post(pages.address(study, "recruitment"), data)
    before = study.recruitment
    study.refresh_from_db()
    assert study.recruitment == before


def test_recruitment_form_names_faults(study, owner, client):
    roles.make_owner(owner, study)
    data = {"panel": "sona", "slot_minutes": 30}
    answer = client.post(pages.address(study, "recruitment"), data)
    assert answer.status_code == 422
    assert answer.context["form"].errors == {
        "return_url": ["SONA needs the “return_url” that gives the credit, with {panel_id} in it."]
    }
    study.refresh_from_db()
    assert study.recruitment == {}


# --- preview -----------------------------------------------------------------------------------


def test_preview_walks_through_every_block_and_stores_nothing(draft, client):
    counts = (draft.participants.count(), Response.objects.count(), draft.versions.count())
    start = client.post(pages.address(draft, "preview_start"))
    assert (start.status_code, client.get(start.url).status_code) == (303, 200)
    state = client.get(pages.address(draft, "preview_trials")).json()
    seen = []
    while state["step"] == "trials":
        seen.append(state["block"]["task"])
        payload = {"token": state["trials"][0]["token"], "response": "left"}
        state = client.post(
            pages.address(draft, "preview_responses"), payload, content_type="application/json"
        ).json()
    assert seen == ["prefer_pair", "prefer_pair", "detect_pair", "detect_pair"]
    assert client.get(state["url"]).status_code == 200
    assert (draft.participants.count(), Response.objects.count(), draft.versions.count()) == counts


def test_preview_shows_the_same_every_time(draft):
    shown = [[t.shown() for t in preview.examples(draft)] for _time in range(2)]
    assert shown[0] == shown[1]


def test_preview_gives_the_feedback_of_the_design(owner, client):
    block = factories.block(practice=1, feedback="practice")
    study = factories.make_study(block, live=False, catch=1)
    roles.make_owner(owner, study)
    practice = preview.examples(study)[0]
    right = "left" if practice.left.origin == "ai" else "right"
    state = client.get(pages.address(study, "preview_trials")).json()
    payload = {"token": state["trials"][0]["token"], "response": right}
    answer = client.post(
        pages.address(study, "preview_responses"), payload, content_type="application/json"
    )
    assert answer.json()["feedback"]["correct"] is True


def test_preview_ends_with_the_result_of_made_up_choices(owner, client):
    block = factories.block(trials=8, feedback="each")
    study = factories.make_study(block, live=False, pairs=8, mode="learning")
    roles.make_owner(owner, study)
    page = client.get(pages.address(study, "preview_debrief"))
    result = page.context["result"]
    assert (result["detection"].n, len(result["pairs"]), len(result["curve"].points)) == (8, 8, 4)
    assert 4 < result["detection"].correct < 8
    card = pages.address(study, "preview_card")
    assert card in page.content.decode()
    assert client.get(card).content.startswith(b"\x89PNG")
    assert not study.participants.exists()


def test_preview_keeps_back_the_result_that_a_panel_forbids(draft, client):
    draft.recruitment = {"panel": "prolific", "codes": {"completed": "A"}, "show_result": False}
    draft.save()
    assert client.get(pages.address(draft, "preview_debrief")).context["result"] == {}
    assert client.get(pages.address(draft, "preview_card")).status_code == 404


@pytest.mark.parametrize("body", ["{", "[]", '{"token": "1"}', '{"token": "1:forged"}'])
def test_preview_refuses_what_does_not_belong(body, draft, client):
    answer = client.post(
        pages.address(draft, "preview_responses"), body, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_token")


def test_preview_says_what_is_missing(empty, client):
    answer = client.get(pages.address(empty, "preview"))
    assert answer.status_code == 409
    assert len(answer.context["faults"]) >= 1


# --- roles -------------------------------------------------------------------------------------


def test_last_owner_cannot_be_removed_or_demoted(draft, owner, client):
    address = pages.address(draft, "members")
    member = draft.memberships.get()
    removed = client.post(address, {"remove": member.pk})
    demoted = client.post(address, {"username": "owner", "role": Role.REVIEWER})
    assert (removed.status_code, demoted.status_code) == (422, 422)
    assert draft.memberships.get().role == Role.OWNER


def test_unknown_account_gets_no_role(draft, client):
    answer = client.post(pages.address(draft, "members"), {"username": "x", "role": Role.OWNER})
    assert (answer.status_code, draft.memberships.count()) == (422, 1)


def test_role_is_taken_away(draft, client, django_user_model):
    user = django_user_model.objects.create_user("helper", is_staff=True)
    member = Membership.objects.create(study=draft, user=user, role=Role.ASSISTANT)
    client.post(pages.address(draft, "members"), {"remove": member.pk})
    assert draft.memberships.filter(user=user).exists() is False
