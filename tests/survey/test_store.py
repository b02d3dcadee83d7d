"""Images in an S3-compatible store: sent there by us, fetched by browsers, and no Python between.

moto's server plays the store; it is a process of its own, as the real one would be.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.urls import reverse

from survey import audits, delivery, enrolment, image_set, images, studies
from survey.models import Audit
from tests import factories

START_SECONDS = 60
#: The policy of docs/deploy.md: everybody may have an image of known name, nobody the list.
EVERYBODY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::images/*",
        }
    ],
}


@pytest.fixture(scope="module")
def moto():
    """The address of an empty store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(urllib.request.Request(f"{url}/images", method="PUT"))
            break
        except urllib.error.URLError:
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait()


@pytest.fixture
def store(moto, settings):
    """The settings as STORAGE_S3_BUCKET and IMAGES_URL make them, with moto as the store."""
    options = {
        "bucket_name": "images",
        "endpoint_url": moto,
        "region_name": "us-east-1",
        "access_key": "test",
        "secret_key": "test",
        "querystring_auth": False,
        "object_parameters": {
            "CacheControl": "public, max-age=31536000, immutable",
            "ContentType": "image/jpeg",
        },
    }
    backend = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "stimuli": backend}
    settings.IMAGES_URL = f"{moto}/images/"
    delivery._image_address.cache_clear()
    store = images.copies()
    store.connection.meta.client.put_bucket_policy(Bucket="images", Policy=json.dumps(EVERYBODY))
    yield store
    delivery._image_address.cache_clear()


@pytest.fixture
def filled(db, store, tmp_path, django_capture_on_commit_callbacks):
    """A draft whose images are in the store."""
    study = studies.save_design(factories.plan())
    with django_capture_on_commit_callbacks(execute=True):
        image_set.import_stimuli(study, factories.write_images(tmp_path / "in"), jobs=1)
    return study


def fetched(url: str) -> tuple[bytes, dict[str, str]]:
    with urllib.request.urlopen(url) as answer:
        return answer.read(), {name.lower(): value for name, value in answer.headers.items()}


def test_store_serves_the_images_and_tells_nothing(filled, store, media):
    answers = [fetched(delivery.image_url(stimulus)) for stimulus in filled.stimuli.all()]
    bodies = [(media / "stimuli" / f"{s.key}.jpg").read_bytes() for s in filled.stimuli.all()]
    assert [body for body, _headers in answers] == bodies
    kept = [
        {name: value for name, value in headers.items() if name not in audits.STORE_RANDOM}
        for _body, headers in answers
    ]
    assert kept == [kept[0]] * 8
    assert kept[0]["content-type"] == "image/jpeg"
    assert kept[0]["cache-control"] == "public, max-age=31536000, immutable"
    assert [name for name in kept[0] if name.startswith("x-amz-meta")] == []


def test_store_is_where_participants_get_the_images(filled, client, settings):
    Audit.objects.create(study=filled, passed=True, served=studies.served_digest(filled))
    studies.go_live(filled)
    participant = enrolment.start(study=filled, language="en", start_key="one")
    told = client.get(reverse("trials", args=[participant.token])).json()["trials"]
    addresses = {address for trial in told for address in trial["images"]}
    assert addresses
    assert {urlsplit(address)._replace(path="").geturl() for address in addresses} == {
        settings.IMAGES_URL.removesuffix("/images/")
    }
    assert all(fetched(address)[0].startswith(b"\xff\xd8") for address in addresses)


def test_store_forgets_images_that_are_removed(filled, store, django_capture_on_commit_callbacks):
    gone = filled.stimuli.first()
    with django_capture_on_commit_callbacks(execute=True):
        image_set.remove_stimuli(filled, filled.stimuli.filter(pk=gone.pk))
    assert not store.exists(f"{gone.key}.jpg")
    assert all(store.exists(f"{stimulus.key}.jpg") for stimulus in filled.stimuli.all())


def test_command_copies_what_is_missing(filled, store, capsys):
    missing = filled.stimuli.first()
    store.delete(f"{missing.key}.jpg")
    call_command("copy_images")
    assert capsys.readouterr().out == "1 images were copied.\n"
    assert fetched(delivery.image_url(missing))[1]["content-type"] == "image/jpeg"


def test_audit_notices_a_store_that_tells_images_apart(filled, store):
    stimuli = list(filled.stimuli.all())
    assert audits.store_faults(stimuli) == []
    real = next(stimulus for stimulus in stimuli if stimulus.origin == "real")
    client = store.connection.meta.client
    client.copy_object(
        Bucket="images",
        Key=f"{real.key}.jpg",
        CopySource=f"images/{real.key}.jpg",
        Metadata={"camera": "yes"},
        MetadataDirective="REPLACE",
        ContentType="image/jpeg",
    )
    assert audits.store_faults(stimuli) == [
        "the store's header cache-control is not the same for every image",
        "the store's header x-amz-meta-camera is not the same for every image",
    ]
    store.delete(f"{real.key}.jpg")
    assert "cannot be had from IMAGES_URL" in audits.store_faults(stimuli)[0]
