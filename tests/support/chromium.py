"""Headless Chromium for the tests of pages, and what they measure in it."""

import shutil

from selenium import webdriver

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
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


def open_chromium(profile):
    """Returns a driver of headless Chromium that logs its console and its requests. profile: a new folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


def show_page(driver, address, *, width=1280, scheme="light"):
    """Opens a page at a width and in a colour scheme, and returns the driver."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    driver.get("about:blank")  # a page that differs in its fragment alone would not be loaded again
    driver.get(address)
    return driver
