"""The drawing process: reads one JSON request per line from stdin and writes one JSON reply per line to stdout.

The drawing library is native code with an embedded interpreter. If it aborts, only this process ends.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from typing import Any

import vl_convert

PNG_SCALE = 2.0


def drawn(request: Mapping[str, Any]) -> dict[str, str]:
    """Returns `svg` for a `chart`, `png` (base64) for an `svg`, or `error` with the library's message."""
    try:
        if "chart" in request:
            return {"svg": vl_convert.vegalite_to_svg(request["chart"], allowed_base_urls=[])}
        return {"png": base64.b64encode(vl_convert.svg_to_png(request["svg"], scale=PNG_SCALE)).decode()}
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return {"error": " ".join(lines[:2])[:200] or type(error).__name__}


def main() -> None:
    """Answers requests until the input ends."""
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        print(json.dumps(drawn(json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
