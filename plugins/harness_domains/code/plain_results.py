"""Code that converts a candidate's return value to plain data. It runs in the sandbox, with the candidate.

The sandbox returns only exact builtin types, so a Counter, a defaultdict or a named tuple becomes the dict or tuple
with the same content, which is equal under `==`. For any other value the tests run as a whole; see `running_tests`.
"""

NAME = "_harness_value"

CODE = f"""
def _harness_plain(value):
    kind = type(value)
    if kind in (type(None), bool, int, float, str, complex, bytes):
        return value
    if kind is list:
        return [_harness_plain(item) for item in value]
    if kind is tuple:
        return tuple([_harness_plain(item) for item in value])
    if kind is dict:
        return {{_harness_plain(key): _harness_plain(item) for key, item in value.items()}}
    if kind is set:
        return set([_harness_plain(item) for item in value])
    for builtin in (dict, list, tuple, frozenset, set):
        if isinstance(value, builtin):
            parts = builtin.items(value) if builtin is dict else builtin.__iter__(value)
            return builtin([_harness_plain(part) for part in parts])
    for builtin, exact in ((str, str.__str__), (int, int.__pos__), (float, float.__pos__)):
        if isinstance(value, builtin):
            return exact(value)
    raise LookupError

def {NAME}(value):
    try:
        return (True, _harness_plain(value))
    except LookupError:
        return (False, type(value).__name__)
"""
