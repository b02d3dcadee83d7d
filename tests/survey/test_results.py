"""What a participant learns at the end: the score, the others, the own lean, the card."""

import io

import pytest
from django.core.cache import cache
from django.urls import reverse
from PIL import Image

from survey import card, flow, results, standing, visits
from survey.models import Participant, Study
from tests import factories

PROLIFIC = {"panel": "prolific", "codes": {"completed": "DONE"}}


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def detection(db):
    """A study of four detection trials."""
    return factories.make_study(factories.block())


def ai_side(trial):
    return "left" if trial.left.origin != "real" else "right"


def take_part(study, hits, **more):
    """Somebody who finds the AI in the first `hits` trials and misses it in the others."""
    participant = factories.enrol(study, **more)
    for number in range(participant.planned):
        trial = visits.ahead(participant).trials[0]
        side = ai_side(trial)
        other = {"left": "right", "right": "left"}[side]
        chosen = side if number < hits else other
        factories.record(participant, factories.payload(participant, response=chosen))
    flow.finish(participant, {})
    return Participant.objects.select_related("study", "version").get(pk=participant.pk)


def crowd(study, n=standing.ENOUGH, hits=2, **more):
    for _ in range(n):
        take_part(study, hits, **more)


def test_others_are_told_of_once_enough_have_completed(detection):
    crowd(detection, standing.ENOUGH - 1)
    own = take_part(detection, 4)
    assert results.of(own)["others"] is None  # nobody is one of their own others
    crowd(detection, 1, hits=4)
    others = results.of(own)["others"]
    assert (others.n, others.low, others.median, others.high) == (20, 2, 2, 2)
    assert others.sentence == (
        "The middle score of the 20 others is 2. You found more than most of them."
    )


def test_simulated_and_withdrawn_participants_are_no_others(detection):
    own = take_part(detection, 4)
    crowd(detection, 1, is_simulated=True)
    crowd(detection)
    assert results.of(own)["others"].n == 20
    flow.withdraw(detection.participants.filter(is_simulated=False).exclude(pk=own.pk).first())
    assert results.of(own)["others"] is None


@pytest.mark.parametrize(
    ("hits", "place"),
    [
        (0, "Most of them found more than you."),
        (2, "You are where most of them are."),
        (4, "You found more than most of them."),
    ],
)
def test_own_place_is_told_in_words(detection, hits, place):
    crowd(detection)
    assert results.of(take_part(detection, hits))["others"].sentence.endswith(place)


def test_the_pair_that_most_people_missed_comes_first(detection):
    for _ in range(standing.ENOUGH):
        person = factories.enrol(detection)
        while flow.step_of(person) == flow.Step.TRIALS:
            trial = visits.ahead(person).trials[0]
            side = ai_side(trial)
            if trial.pair_code == "pair02":
                side = {"left": "right", "right": "left"}[side]
            factories.record(person, factories.payload(person, response=side))
        flow.finish(person, {})
    person.refresh_from_db()
    first, *rest = results.of(person)["pairs"]
    assert first["code"] == "pair02"
    assert first["note"] == (
        "Missed most often: 20 of 20 people took the AI version for the photograph."
    )
    assert [pair for pair in rest if "note" in pair] == []


def test_word_bias_is_told_beside_the_truth(db):
    study = factories.make_study(factories.block("singles", "detect_single"))
    person = factories.complete(factories.enrol(study))  # says "AI" of everything
    assert results.of(person)["bias"] == [
        "You said “AI” of 4 of 4 pictures; 2 were. You suspect an AI more often than there is one."
    ]


@pytest.mark.parametrize(("layout", "side"), [("side_by_side", "left"), ("stacked", "upper")])
def test_side_bias_is_told_where_a_coin_would_rarely_lean_so(db, layout, side):
    study = factories.make_study(factories.block(trials=8), pairs=8)
    person = factories.enrol(study)
    while flow.step_of(person) == flow.Step.TRIALS:
        factories.record(person, factories.payload(person, response="left", layout=layout))
    flow.finish(person, {})
    person.refresh_from_db()
    assert results.of(person)["bias"] == [f"You chose the {side} picture in 8 of 8 pairs."]


def test_balanced_sides_are_no_bias(detection):
    assert results.of(take_part(detection, 4))["bias"] == []


def test_nothing_of_the_result_is_shown_where_the_panel_forbids_it(client, detection):
    Study.objects.update(recruitment=PROLIFIC | {"show_result": False})
    person = take_part(detection, 4)
    page = client.get(reverse("debrief", args=[person.token]))
    text = page.content.decode()
    assert page.status_code == 200
    assert [key for key in detection.stimuli.values_list("key", flat=True) if key in text] == []
    assert ('class="score"' in text, "Painter 1" in text, "card.png" in text) == (False,) * 3


def get_card(client, person):
    return client.get(reverse("score_card", args=[person.token]))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_card_is_a_picture_for_links(client, detection, language):
    person = take_part(detection, 3)
    Participant.objects.update(language=language)
    response = get_card(client, person)
    assert response["Content-Type"] == "image/png"
    picture = Image.open(io.BytesIO(response.content))
    assert (picture.format, picture.size) == ("PNG", (1200, 630))


def test_card_is_drawn_once_for_each_content(client, detection, monkeypatch):
    card.drawn.cache_clear()
    person, other = take_part(detection, 2), take_part(detection, 3)
    first = get_card(client, person).content
    monkeypatch.setattr(card, "Pen", None)  # nothing can be drawn any more
    assert get_card(client, person).content == first
    with pytest.raises(TypeError):
        get_card(client, other)


def test_card_is_only_there_after_the_last_response(client, detection):
    person = factories.enrol(detection)
    assert get_card(client, person).status_code == 404
    factories.complete(person)
    assert get_card(client, person).status_code == 200
    flow.withdraw(person)
    assert get_card(client, person).status_code == 404


@pytest.mark.parametrize(
    ("source", "recruitment", "status"),
    [
        ("open", {}, 200),
        ("open", PROLIFIC, 200),
        ("prolific", PROLIFIC, 404),
        ("prolific", PROLIFIC | {"share_card": True}, 200),
        ("prolific", PROLIFIC | {"share_card": True, "show_result": False}, 404),
    ],
)
def test_card_is_off_for_paid_panels_unless_they_say_so(
    client, detection, source, recruitment, status
):
    Study.objects.update(recruitment=recruitment)
    person = take_part(detection, 3)
    Participant.objects.update(source=source)
    page = client.get(reverse("debrief", args=[person.token]))
    assert get_card(client, person).status_code == status
    assert ('id="share"' in page.content.decode()) == (status == 200)
