"""The command line many times over: each run is a process of its own, forked from one that has imported the libraries.

As a script it is that process: it reads a JSON list of arguments a line and answers with the exit code.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace


class WarmCommand:
    """`harness`, ready to run. within: a command that the process is started by, such as one that mounts a disk first.

    Raises OSError where it does not start, with what it said.
    """

    def __init__(self, *, within=(), plugins=()):
        beside = [str(Path(__file__).parent)] if plugins else []
        path = os.pathsep.join(filter(None, [*map(str, plugins), *beside, os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [*map(str, within), sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        ready = self._process.stdout.readline()
        if not ready:
            raise OSError(self._process.communicate()[1].strip())
        self.pid = int(ready)

    def __call__(self, *arguments, expect=0):
        """Returns stdout and stderr of a run, which ended with `expect` and printed no traceback."""
        texts = [Path(self._folder.name) / name for name in ("stdout", "stderr")]
        request = {"arguments": list(map(str, arguments)), "texts": list(map(str, texts))}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        stdout, stderr = (path.read_text() for path in texts)
        assert code == expect, f"exit code {code}\n{stdout}\n{stderr}"
        assert "Traceback" not in stderr
        return SimpleNamespace(stdout=stdout, stderr=stderr)

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


def installed(name, module, folder):
    """Returns `folder`, in which the plugin `module`, which lies beside this file, is installed as distribution 1.0."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[harness.plugins]\n{name} = {module}\n")
    return folder


def _serve():
    import lm_eval.models.huggingface  # noqa: F401
    import transformers  # noqa: F401

    import harness.cli

    answers = os.fdopen(os.dup(1), "w")
    print(os.getpid(), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _become(request)
            sys.argv = ["harness", *request["arguments"]]
            return harness.cli.main()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
    return None


def _become(request):
    """Makes of this process what a shell would start."""
    for number, path in zip((1, 2), request["texts"], strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


if __name__ == "__main__":
    _serve()
