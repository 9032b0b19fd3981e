"""Code that makes plain data of what a candidate returned, run with it in the sandbox.

Test data compare with `==`, by which a Counter, a defaultdict or a named tuple equals the dict or the tuple with the
same content; a sandbox gives back exact builtin types only. What is of no such type is left as it is, and refused
there.
"""

NAME = "_harness_plain"

CODE = f"""
def {NAME}(value):
    kind = type(value)
    if kind in (type(None), bool, int, float, str):
        return value
    if isinstance(value, dict):
        return dict([({NAME}(key), {NAME}(item)) for key, item in dict.items(value)])
    if isinstance(value, list):
        return [{NAME}(item) for item in list.__iter__(value)]
    if isinstance(value, tuple):
        return tuple([{NAME}(item) for item in tuple.__iter__(value)])
    if isinstance(value, frozenset):
        return set(frozenset.__iter__(value))
    if isinstance(value, set):
        return set(set.__iter__(value))
    return value
"""
