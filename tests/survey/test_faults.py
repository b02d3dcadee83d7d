"""What is wrong is said in the language of the page, and in English where there is no page."""

import copy
import json
import pickle
import zipfile

import pytest
from django.utils import translation

from survey import design, faults, stimuli
from survey.design import DesignError, Message
from survey.messages import packed, unpacked
from tests.design_samples import make_block, make_pool, make_study

INNER = Message("real stimuli")
OUTER = Message(
    "block %(block)s needs %(needed)s %(what)s, there are %(found)s",
    block="50%",
    needed=2,
    what=INNER,
    found=1,
)


def test_message_is_its_english_sentence_and_stays_a_message_in_copies():
    assert OUTER == "block 50% needs 2 real stimuli, there are 1"
    for copied in (copy.deepcopy(OUTER), pickle.loads(pickle.dumps(OUTER))):
        assert (copied, copied.template, copied.values) == (OUTER, OUTER.template, OUTER.values)


def test_message_that_was_kept_as_json_is_still_a_message():
    kept = json.loads(json.dumps(packed(OUTER)))
    with translation.override("ja"):
        assert faults.said(unpacked(kept)) == faults.said(OUTER) != OUTER
    assert unpacked(packed("50% of it")) == "50% of it"


def test_message_is_translated_with_what_is_in_it():
    with translation.override("ja"):
        assert faults.said(OUTER) == "ブロック「50%」の写真が足りません（必要数2、現在1）"


def test_shortage_of_stimuli_is_said_in_japanese():
    lacks = design.shortage(
        make_study(make_block(practice=1), make_block("b")), make_pool(3, catch=0)
    )
    with translation.override("ja"):
        told = [faults.said(lack) for lack in lacks]
    assert len(told) >= 2
    assert [text for text in told if not text.startswith("ブロック「")] == []


def test_fault_of_a_study_file_is_said_with_its_line():
    with pytest.raises(DesignError) as caught:
        design.loads('slug = "Two words"\nlanguages = "en"\n')
    with translation.override("ja"):
        told = faults.all_told(caught.value)
    assert "2行目「languages」現在：'en'。使える値：角かっこで囲んだリスト。" in told


def test_fault_of_an_image_is_said_in_japanese(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.csv", "file,origin\na.jpg,real\n")
        archive.writestr("a.jpg", b"no image")
    manifest = stimuli.read_manifest(path)
    with pytest.raises(stimuli.ManifestError) as caught:
        stimuli.prepare_all(manifest, stimuli.Display(640, 480, "pad"))
    (fault,) = caught.value.faults
    assert str(fault.found) == "a.jpg: not a JPEG, PNG, WebP, AVIF or TIFF image"
    with translation.override("ja"):
        assert faults.said(fault.found).startswith("a.jpg：JPEG")
