"""The world of the report's tests, made once, and the browser that looks at it."""

import pytest

from tests.report.chromium import browser, page  # noqa: F401 - fixtures
from tests.report.world import World, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))
