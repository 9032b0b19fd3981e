"""Code that makes plain data of what a candidate returned, run with it in the sandbox.

Test data compare with `==`, by which a Counter, a defaultdict or a named tuple equals the dict or the tuple with the
same content; a sandbox gives back exact builtin types only. A value that is no plain data is told apart: the tests then
run as a whole, see `running_tests`.
"""

NAME = "_harness_value"

CODE = f"""
def _harness_plain(value):
    kind = type(value)
    if kind in (type(None), bool, int, float, str, complex, bytes):
        return value
    if issubclass(kind, dict):
        return dict([(_harness_plain(key), _harness_plain(item)) for key, item in dict.items(value)])
    if issubclass(kind, list):
        return [_harness_plain(item) for item in list.__iter__(value)]
    if issubclass(kind, tuple):
        return tuple([_harness_plain(item) for item in tuple.__iter__(value)])
    if issubclass(kind, frozenset):
        return frozenset([_harness_plain(item) for item in frozenset.__iter__(value)])
    if issubclass(kind, set):
        return set([_harness_plain(item) for item in set.__iter__(value)])
    for plain, exact in ((str, str.__str__), (int, int.__pos__), (float, float.__pos__)):
        if issubclass(kind, plain):
            return exact(value)
    raise LookupError

def {NAME}(value):
    try:
        return (True, _harness_plain(value))
    except LookupError:
        return (False, type(value).__name__)
"""
