"""Fixtures for all tests."""

import pytest

from tests import factories


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    """Files of a test lie in the test's own folder."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture()
def study(db, tmp_path):
    """A live study: 4 preference trials, then 4 detection trials, on the same pairs."""
    return factories.make_study(tmp_path)
