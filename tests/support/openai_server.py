"""An OpenAI-compatible server without a model: `python openai_server.py MODEL PORT [OPTION …]`.

It answers every prompt with "1". Options: `any-model` answers for every name of a model; `log-likelihoods` gives those
of the prompt; `dies-once=FILE` ends in the middle of its work, unless the file exists, which it then creates.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REQUESTS_BEFORE_DEATH = 6


OPTIONS = {name: value for name, _, value in (option.partition("=") for option in sys.argv[3:])}


class Handler(BaseHTTPRequestHandler):
    model = sys.argv[1]
    asked = 0

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Handler.asked += 1
        death = OPTIONS.get("dies-once")
        if death and Handler.asked > REQUESTS_BEFORE_DEATH and not Path(death).exists():
            Path(death).touch()
            print("out of luck", flush=True)
            os._exit(9)
        if "any-model" not in OPTIONS and body["model"] != self.model:
            return self._reply(404, {"error": f"no model {body['model']}"})
        choice = {"index": 0, "text": "1", "message": {"content": "1"}, "finish_reason": "stop"}
        if body.get("echo") and "log-likelihoods" in OPTIONS:
            count = len(body["prompt"].split()) + 1
            numbers = [None, *[-1.0] * (count - 1)]
            choice["logprobs"] = {"token_logprobs": numbers, "top_logprobs": [{"a": -1.0}] * count}
        self._reply(200, {"model": self.model, "choices": [choice]})

    def _reply(self, code, value):
        content = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Prints nothing."""


def main() -> None:
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()


if __name__ == "__main__":
    main()
