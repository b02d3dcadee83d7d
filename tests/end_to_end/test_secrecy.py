"""The truth is in nothing that a browser gets before the last response is locked."""

import json

import pytest


class Recorder:
    """Keeps everything that a browser receives: addresses, headers, bodies."""

    def __init__(self, page):
        self.received = []
        page.on("requestfinished", self.keep)

    def keep(self, request):
        response = request.response()
        try:
            body = response.body()
        except Exception:  # a redirect has none
            body = b""
        headers = json.dumps(response.all_headers())
        self.received.append((request.url, headers, body.decode("utf-8", "replace")))

    def found(self, words):
        """Which of the words arrived, and where."""
        return {
            (word, url)
            for url, headers, body in self.received
            for word in words
            if word in url or word in headers or word in body
        }


@pytest.fixture
def words(website):
    """Names of files, pairs, generators and authors, and the words for what is not a photograph."""
    return website.truths() | {"enhanced", "ESRGAN", '"origin"', "is_catch"}


def test_nothing_before_the_debrief_tells_the_truth(visit, words):
    desk = visit(1440, 900)
    recorder = Recorder(desk.page)
    desk.consent("short")
    desk.take_all_trials()
    desk.page.wait_for_load_state("networkidle")
    assert len([url for url, _headers, _body in recorder.received if "/i/" in url]) >= 10
    assert recorder.found(words) == set()
    desk.fill_background()
    desk.page.wait_for_load_state("networkidle")
    assert ("ESRGAN", desk.page.url) in recorder.found(words)  # the scan does find what is there


def test_images_are_alike_in_all_but_their_pixels(visit, website):
    desk = visit(1440, 900)
    keys = website.query(
        "SELECT key, origin FROM survey_stimulus s JOIN survey_study t ON t.id = s.study_id"
        " WHERE t.slug = 'short'"
    )
    kinds = {}
    for row in keys:
        response = desk.context.request.get(f"{website.url}/i/{row['key']}.jpg")
        headers = {k: v for k, v in response.headers.items() if k != "date"}
        kinds.setdefault(row["origin"], set()).add(json.dumps(headers, sort_keys=True))
    assert set(kinds) == {"real", "ai", "enhanced"}
    assert len(set.union(*kinds.values())) == 1
