"""Headless Chromium for the tests of pages, and what they measure in it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from selenium import webdriver

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver here")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CLIPPED = """
// Returns the texts that are wider than what holds them. Regions that scroll hold their whole content.
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const range = document.createRange();
while (walker.nextNode()) {
  const text = walker.currentNode, parent = text.parentElement;
  if (!text.data.trim() || !parent.checkVisibility() || parent.closest("svg, option, .skip")) continue;
  range.selectNodeContents(text);
  const box = range.getBoundingClientRect();
  const holders = "td, th, li, p, dd, dt, figure, button, summary, label, pre, h1, h2, h3";
  const holder = parent.closest(holders) ?? document.body;
  const bounds = holder.getBoundingClientRect();
  const width = holder.scrollWidth > holder.clientWidth && holder.matches("pre") ? holder.scrollWidth : bounds.width;
  const outside = box.left < bounds.left - 1 || box.right > bounds.left + width + 1;
  const scrolled = parent.closest(".scroll, pre");
  if (outside || (!scrolled && (box.left < 0 || box.right > innerWidth))) found.push(text.data.trim());
}
return found;
"""


FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
{folders}<cachedir>{cache}</cachedir>
</fontconfig>
"""


def _font_folders(family):
    """Returns the folders that have fonts of the family and no others."""
    if not shutil.which("fc-list"):
        return []
    listed = subprocess.run(["fc-list", ":", "file", "family"], capture_output=True, text=True, check=True).stdout
    names = {}
    for line in listed.splitlines():
        file, _, name = line.partition(":")
        names.setdefault(Path(file).parent, []).append(name)
    return sorted(folder for folder, own in names.items() if all(family in name for name in own))


def open_chromium(profile, family=None):
    """Returns a driver of headless Chromium that logs its console and its requests.

    profile: a new folder. family: that of the only fonts that it has, such as `DejaVu`; skips the test if there are
    none.
    """
    environment = dict(os.environ)
    if family is not None:
        if not (folders := _font_folders(family)):
            pytest.skip(f"no fonts of {family} here")
        config = profile / "fonts.conf"
        listed = "".join(f"<dir>{one}</dir>" for one in folders)
        config.write_text(FONTS.format(folders=listed, cache=profile / "fonts"))
        environment["FONTCONFIG_FILE"] = str(config)
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER, env=environment))


def show_page(driver, address, *, width=1280, scheme="light"):
    """Opens a page at a width and in a colour scheme, and returns the driver."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"media": "", "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    driver.get("about:blank")  # a page that differs in its fragment alone would not be loaded again
    driver.get(address)
    return driver


def misplaced_texts(driver, root="body"):
    """Returns the number of visible texts within `root`, and a message for each that is outside of its box or of the
    page, cut off, or on another one."""
    return driver.execute_script((Path(__file__).parent / "misplaced_texts.js").read_text(), root)
