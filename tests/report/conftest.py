"""A browser for the tests of pages."""

import pytest
from chromium import open_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver = open_chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()
