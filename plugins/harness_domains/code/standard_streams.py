"""Tests of programs that read standard input and write standard output."""

from __future__ import annotations

OUTPUT, SYNTAX = "_harness_written", "_harness_syntax"
"""The expressions to read after a job of `job_code`: the program's output, and its syntax error or None."""

_TEMPLATE = """
import atexit as _harness_atexit, os as _harness_os, sys as _harness_sys, types as _harness_types
_harness_written, _harness_syntax = '', None
def _harness_file(content):
    descriptor = _harness_os.open('.harness', _harness_os.O_RDWR | _harness_os.O_CREAT | _harness_os.O_APPEND, 0o600)
    _harness_os.unlink('.harness')
    _harness_os.write(descriptor, content)
    _harness_os.lseek(descriptor, 0, _harness_os.SEEK_SET)
    return descriptor
def _harness_main(code, given, output, faults):
    main = _harness_sys.modules['__main__'] = _harness_types.ModuleType('__main__')
    _harness_os.dup2(given, 0)
    _harness_os.dup2(output, 1)
    try:
        exec(code, main.__dict__)
    except SystemExit:
        pass
    except BaseException as error:
        _harness_os.write(faults, f'{{type(error).__name__}}: {{error}}'.encode('utf-8', 'replace')[:500])
    threading = _harness_sys.modules.get('threading')
    if threading is not None:
        threading._shutdown()
    _harness_atexit._run_exitfuncs()
    for stream in (_harness_sys.stdout, _harness_sys.__stdout__):
        if stream is not None and not stream.closed:
            stream.flush()
def _harness_run():
    global _harness_written, _harness_syntax
    try:
        code = compile({program!r}, 'program', 'exec', dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        _harness_syntax = str(error)
        return
    given, output = _harness_file({given!r}.encode('utf-8', 'surrogatepass')), _harness_file(b'')
    fault, faults = _harness_os.pipe()
    process = _harness_os.fork()
    if process == 0:
        try:
            _harness_main(code, given, output, faults)
        finally:
            _harness_os._exit(0)
    _harness_os.close(faults)
    status = _harness_os.waitpid(process, 0)[1]
    told = _harness_os.read(fault, 500).decode('utf-8', 'replace')
    if told or _harness_os.WIFSIGNALED(status):
        raise RuntimeError(told or f'ended with signal {{_harness_os.WTERMSIG(status)}}')
    _harness_written = _harness_os.pread(output, 1 << 28, 0).decode('utf-8', 'replace')
_harness_run()
"""


def job_code(program: str, given: str) -> str:
    """Returns code that runs `program` as a script in its own process and waits for it.

    Descriptors 0 and 1 of the process are files, 0 with the text `given`, so that all ways to read and write work as in
    CPython.
    """
    return _TEMPLATE.format(program=program, given=given)


def same_output(written: str, expected: str) -> bool:
    """Returns whether two outputs are equal, except for trailing spaces of lines and surrounding blank lines."""
    return _lines(written) == _lines(expected)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
