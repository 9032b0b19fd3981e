"""Further sections of the report page, such as a browser of samples."""

import base64
import hashlib
import re

from fake_run import make_leaderboard
from markupsafe import Markup
from report_world import SCRIPT, record_of

from harness.report.page import Section, make_report


def test_a_further_section_has_a_place_a_link_and_its_script_in_the_one_that_may_run(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    section = Section(name="more", title=SCRIPT, html=Markup("<p>inside</p>"), style=".more{}", script="let more = 1;")
    html = make_report(record_of(leaderboard), sections=[section]).html
    assert '<a href="#more">&lt;/script&gt;' in html and "<p>inside</p>" in html and ".more{}" in html
    assert SCRIPT not in html
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert script.endswith("let more = 1;") and f"script-src 'sha256-{digest}'" in html
