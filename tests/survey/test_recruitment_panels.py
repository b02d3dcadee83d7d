"""The rules of recruitment panels: settings, links in, ways back. No database."""

import pytest
from django.utils.translation import override

from survey import panels
from survey.panels import Arrival, Outcome, PanelError, Refused

CODES = {"completed": "DONE1", "screened_out": "OUT2", "failed_check": "FAIL3"}
PROLIFIC = {"panel": "prolific", "codes": CODES}
MTURK = {"panel": "mturk"}
SONA = {
    "panel": "sona",
    "return_url": "https://uni.sona-systems.com/credit.aspx?experiment_id=7&survey_code={panel_id}",
}
OTHER = {
    "panel": "other",
    "label": "Crowd",
    "parameters": {"panel_id": "uid", "submission": "ticket"},
    "codes": {"completed": "OK"},
    "return_url": "https://crowd.example.org:8443/end/{panel_id}?t={submission}&c={code}",
}
PROLIFIC_LINK = {
    "PROLIFIC_PID": ["60fd7a0a11111111111111aa"],
    "STUDY_ID": ["study1"],
    "SESSION_ID": ["session1"],
}
MTURK_LINK = {
    "workerId": ["A1WORKER"],
    "hitId": ["HIT1"],
    "assignmentId": ["ASSIGN1"],
    "turkSubmitTo": ["https://www.mturk.com"],
}


@pytest.fixture(autouse=True)
def english():
    with override("en"):
        yield


def read_link(chosen: dict, link: dict) -> Arrival | None:
    return panels.read_link(panels.read(chosen), link)


# --- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [{}, None])
def test_settings_are_an_open_link_when_empty(nothing):
    assert panels.read(nothing) == panels.Rules(open_link=True)


@pytest.mark.parametrize("chosen", [PROLIFIC, MTURK, SONA, OTHER])
def test_settings_of_a_panel_close_the_open_link(chosen):
    assert panels.read(chosen).open_link is False


def test_settings_may_keep_the_open_link():
    assert panels.read(PROLIFIC | {"open_link": True}).open_link is True


def test_settings_rename_one_parameter_and_keep_the_others():
    rules = panels.read(PROLIFIC | {"parameters": {"panel_id": "pid"}})
    assert rules.parameters == {
        "panel_id": "pid",
        "panel_study": "STUDY_ID",
        "submission": "SESSION_ID",
    }


@pytest.mark.parametrize(
    ("chosen", "fault"),
    [
        ([], "“panel” must be one of: prolific, mturk, sona, other."),
        ({"codes": CODES}, "“panel” must be one of: prolific, mturk, sona, other."),
        ({"panel": ["prolific"]}, "“panel” must be one of: prolific, mturk, sona, other."),
        (
            PROLIFIC | {"colour": 1},
            "“colour” is not a setting; there are: "
            "panel, label, parameters, codes, return_url, hosts, open_link,"
            " show_result, share_card.",
        ),
        (PROLIFIC | {"open_link": "yes"}, "“open_link” is not of the right type."),
        (PROLIFIC | {"codes": ["A"]}, "“codes” is not of the right type."),
        (PROLIFIC | {"return_url": 3}, "“return_url” is not of the right type."),
        (
            MTURK | {"hosts": ["https://worker.mturk.com"]},
            "“hosts” holds names such as worker.mturk.com, without https://.",
        ),
        (
            PROLIFIC | {"parameters": {"colour": "c"}},
            "“parameters” may rename: panel_id, panel_study, submission.",
        ),
        (
            PROLIFIC | {"parameters": {"panel_id": "a b"}},
            "A parameter's name holds letters, digits, dots, hyphens and underscores only.",
        ),
        (
            PROLIFIC | {"parameters": {"panel_id": "STUDY_ID"}},
            "Two parameters have the same name.",
        ),
        (
            OTHER | {"parameters": {"submission": "ticket"}},
            "“parameters” must name the one that carries the “panel_id”.",
        ),
        (
            PROLIFIC | {"codes": CODES | {"overslept": "X"}},
            "“codes” may hold: completed, screened_out, failed_check.",
        ),
        (
            PROLIFIC | {"codes": {"completed": "a b"}},
            "A code holds 1 to 50 letters, digits, hyphens and underscores.",
        ),
        (
            MTURK | {"codes": CODES},
            "Mechanical Turk takes neither codes nor a return URL.",
        ),
        (
            {"panel": "sona"},
            "SONA needs the “return_url” that gives the credit, with {panel_id} in it.",
        ),
        (
            {"panel": "prolific"},
            "“return_url” holds {code}, but “codes” has no “completed”.",
        ),
        (
            SONA | {"codes": CODES},
            "There are “codes”, but “return_url” does not hold {code}.",
        ),
        (
            OTHER | {"label": ""},
            "Another panel needs a “label”: its name, as participants know it.",
        ),
        (
            OTHER | {"return_url": "https://crowd.example.org/{name}/{code}"},
            "“return_url” may hold: {panel_id}, {panel_study}, {submission}, {code}.",
        ),
    ],
)
def test_settings_with_a_fault_are_refused(chosen, fault):
    with pytest.raises(PanelError) as error:
        panels.read(chosen)
    assert error.value.faults == (fault,)


@pytest.mark.parametrize(
    "url",
    [
        "http://crowd.example.org/{code}",
        "javascript:alert({code})",
        "//crowd.example.org/{code}",
        "https://{panel_id}.example.org/{code}",
        "https://user@crowd.example.org/{code}",
        "https://crowd.example.org\\@evil.example/{code}",
        "https://crowd.example.org/{code} x",
        "https://[bad/{code}",
    ],
)
def test_settings_refuse_a_return_url_that_is_not_plain_https(url):
    with pytest.raises(PanelError) as error:
        panels.read(OTHER | {"return_url": url})
    assert error.value.faults == ("“return_url” must begin with https:// and a host without gaps.",)


def test_settings_tell_every_fault_at_once():
    faulty = {"panel": "other", "parameters": {}, "return_url": "http://x.org/", "hosts": [1]}
    with pytest.raises(PanelError) as error:
        panels.read(faulty)
    assert len(error.value.faults) == 4


# --- links in ----------------------------------------------------------------------------------


def test_link_of_prolific_names_person_study_and_submission():
    assert read_link(PROLIFIC, PROLIFIC_LINK) == Arrival(
        panel="prolific",
        panel_id="60fd7a0a11111111111111aa",
        panel_study="study1",
        submission="session1",
    )


def test_link_of_mturk_names_worker_task_assignment_and_where_to_submit():
    assert read_link(MTURK, MTURK_LINK) == Arrival(
        panel="mturk",
        panel_id="A1WORKER",
        panel_study="HIT1",
        submission="ASSIGN1",
        submit_to="https://www.mturk.com",
    )


def test_link_of_sona_names_the_code():
    assert read_link(SONA, {"survey_code": ["12345"]}) == Arrival("sona", panel_id="12345")


def test_link_with_renamed_parameters_is_read():
    link = {"uid": ["u1"], "ticket": ["t1"]}
    assert read_link(OTHER, link) == Arrival("other", panel_id="u1", submission="t1")


def test_link_with_more_than_is_asked_for_is_read():
    chosen = OTHER | {"parameters": {"panel_id": "workerId"}}
    assert read_link(chosen, MTURK_LINK) == Arrival("other", panel_id="A1WORKER")


@pytest.mark.parametrize("chosen", [{}, PROLIFIC, MTURK, SONA, OTHER])
def test_link_without_parameters_names_nobody(chosen):
    assert read_link(chosen, {"utm_source": ["mail"]}) is None


@pytest.mark.parametrize(
    "placeholder",
    [
        "{{%PROLIFIC_PID%}}",
        "{{%25PROLIFIC_PID%25}}",
        "%SURVEY_CODE%",
        "${e://Field/PID}",
        "[ID]",
        "<id>",
        "undefined",
        "NULL",
    ],
)
@pytest.mark.parametrize("name", ["PROLIFIC_PID", "SESSION_ID"])
def test_link_with_a_placeholder_is_refused(name, placeholder):
    with pytest.raises(Refused) as refused:
        read_link(PROLIFIC, PROLIFIC_LINK | {name: [placeholder]})
    assert str(refused.value) == (
        "This link carries a placeholder instead of your ID. Please open the study from Prolific "
        "again. If that does not help, tell the researchers."
    )


@pytest.mark.parametrize("values", [[""], ["   "], []])
def test_link_with_an_empty_id_is_refused(values):
    with pytest.raises(Refused, match=r"^This link does not carry your ID\."):
        read_link(PROLIFIC, PROLIFIC_LINK | {"PROLIFIC_PID": values})


def test_link_without_the_id_but_with_the_rest_is_refused():
    with pytest.raises(Refused, match=r"^This link does not carry your ID\."):
        read_link(PROLIFIC, {"SESSION_ID": ["session1"]})


@pytest.mark.parametrize("name", ["workerId", "assignmentId", "turkSubmitTo"])
def test_link_of_mturk_without_a_needed_part_is_refused(name):
    link = {key: values for key, values in MTURK_LINK.items() if key != name}
    with pytest.raises(Refused, match=r"^This link does not carry your ID\."):
        read_link(MTURK, link)


def test_link_takes_an_id_of_the_greatest_length_and_refuses_one_sign_more():
    longest = "a" * panels.MAX_LENGTH
    arrival = read_link(SONA, {"survey_code": [longest]})
    with pytest.raises(Refused, match=r"^The ID in this link is too long\."):
        read_link(SONA, {"survey_code": [longest + "a"]})
    assert arrival == Arrival("sona", panel_id=longest)


@pytest.mark.parametrize(
    "value", ["a\x00b", "a\nb", "\ta", "a b", "é1", "１２", "=1+1", "-1", "@a"]
)
def test_link_with_signs_that_no_id_has_is_refused(value):
    with pytest.raises(Refused, match=r"^The ID in this link holds signs that no ID has\."):
        read_link(SONA, {"survey_code": [value]})


def test_link_with_two_ids_is_refused():
    with pytest.raises(Refused, match=r"^This link carries two different IDs\."):
        read_link(SONA, {"survey_code": ["1", "2"]})


def test_link_with_the_same_id_twice_is_read():
    assert read_link(SONA, {"survey_code": ["1", "1"]}) == Arrival("sona", panel_id="1")


@pytest.mark.parametrize(
    ("chosen", "link", "named"),
    [
        (MTURK, PROLIFIC_LINK, "Prolific"),
        (PROLIFIC, MTURK_LINK, "Mechanical Turk"),
        (PROLIFIC, {"survey_code": ["1"]}, "SONA"),
        ({}, PROLIFIC_LINK, "Prolific"),
        (OTHER, {"assignmentId": ["1"]}, "Mechanical Turk"),
    ],
)
def test_link_of_another_panel_is_refused(chosen, link, named):
    with pytest.raises(Refused) as refused:
        read_link(chosen, link)
    assert str(refused.value) == (
        f"This is a link for participants of {named}, but the study does not recruit there. "
        "Please tell the researchers."
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://www.mturk.com.evil.example",
        "https://evil.example/www.mturk.com",
        "https://www.mturk.com@evil.example",
        "https://www.mturk.com:444",
        "https://www.mturk.com/elsewhere",
        "http://www.mturk.com",
        "www.mturk.com",
    ],
)
def test_link_of_mturk_with_an_unknown_address_to_submit_to_is_refused(address):
    with pytest.raises(Refused) as refused:
        read_link(MTURK, MTURK_LINK | {"turkSubmitTo": [address]})
    assert str(refused.value) == (
        "This link names an address for your result that is not known here."
    )


def test_link_of_mturk_may_submit_to_the_hosts_of_the_settings_only():
    chosen = MTURK | {"hosts": ["turk.example.org"]}
    own = MTURK_LINK | {"turkSubmitTo": ["https://TURK.example.org/"]}
    with pytest.raises(Refused, match="not known here"):
        read_link(chosen, MTURK_LINK)
    assert read_link(chosen, own) == Arrival(
        "mturk", "A1WORKER", "HIT1", "ASSIGN1", "https://TURK.example.org/"
    )


@pytest.mark.parametrize(
    ("chosen", "assignment", "preview"),
    [
        (MTURK, "ASSIGNMENT_ID_NOT_AVAILABLE", True),
        (MTURK, "ASSIGN1", False),
        (PROLIFIC, "ASSIGNMENT_ID_NOT_AVAILABLE", False),
    ],
)
def test_preview_is_what_mturk_says_it_is(chosen, assignment, preview):
    link = {"assignmentId": [assignment]}
    assert panels.is_preview(panels.read(chosen), link) is preview


@pytest.mark.parametrize("again", ["A1WORKER", "a1worker", "  A1Worker "])
def test_person_is_the_same_in_another_case_and_with_spaces(again):
    first = read_link(MTURK, MTURK_LINK)
    second = read_link(MTURK, MTURK_LINK | {"workerId": [again], "assignmentId": ["ASSIGN2"]})
    assert second.person == first.person


def test_person_is_another_one_on_another_panel():
    assert Arrival("sona", "12345").person != Arrival("other", "12345").person


# --- the way back ------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "code"), CODES.items())
def test_way_back_to_prolific_carries_the_code_of_the_outcome(outcome, code):
    rules, arrival = panels.read(PROLIFIC), Arrival("prolific", "p1")
    back = panels.way_back(rules, arrival, Outcome(outcome))
    assert back == panels.WayBack(
        "Prolific", f"https://app.prolific.com/submissions/complete?cc={code}", code
    )


@pytest.mark.parametrize("chosen", [MTURK, SONA, OTHER])
@pytest.mark.parametrize("outcome", [Outcome.SCREENED_OUT, Outcome.FAILED_CHECK])
def test_way_back_is_none_for_an_outcome_without_a_code(chosen, outcome):
    arrival = Arrival(chosen["panel"], "p1", "s1", "t1", "https://www.mturk.com")
    assert panels.way_back(panels.read(chosen), arrival, outcome) is None


def test_way_back_to_mturk_is_a_form_with_the_assignment():
    rules = panels.read(MTURK)
    back = panels.way_back(rules, read_link(MTURK, MTURK_LINK), Outcome.COMPLETED)
    assert back == panels.WayBack(
        "Mechanical Turk",
        "https://www.mturk.com/mturk/externalSubmit",
        fields={"assignmentId": "ASSIGN1", "outcome": "completed"},
        hosts=rules.hosts,
    )


def test_way_back_to_sona_gives_the_credit_to_the_id():
    back = panels.way_back(panels.read(SONA), Arrival("sona", "12345"), Outcome.COMPLETED)
    assert back == panels.WayBack(
        "SONA", "https://uni.sona-systems.com/credit.aspx?experiment_id=7&survey_code=12345"
    )


def test_way_back_quotes_what_it_fills_in():
    arrival = Arrival("other", panel_id="a/b?c", submission="t&c=X#")
    back = panels.way_back(panels.read(OTHER), arrival, Outcome.COMPLETED)
    assert back.url == "https://crowd.example.org:8443/end/a%2Fb%3Fc?t=t%26c%3DX%23&c=OK"


@pytest.mark.parametrize("chosen", [MTURK, SONA])
def test_way_back_is_none_when_the_id_is_erased(chosen):
    arrival = Arrival(chosen["panel"])
    assert panels.way_back(panels.read(chosen), arrival, Outcome.COMPLETED) is None


def test_way_back_without_a_return_url_is_the_code_alone():
    chosen = {key: value for key, value in OTHER.items() if key != "return_url"}
    back = panels.way_back(panels.read(chosen), Arrival("other", "u1"), Outcome.COMPLETED)
    assert back == panels.WayBack("Crowd", "", "OK")
