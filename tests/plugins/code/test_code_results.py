"""Values that programs return are compared as in CPython; classes that claim to equal everything fail."""

import pytest
from code_world import scored

RESULTS = {
    "generator": (
        "assert list(f()) == [1, 2]\nassert next(f()) == 1\nassert f() != [1, 2]",
        "def f():\n    yield 1\n    yield 2",
    ),
    "endless generator": (
        "g = f()\nassert [next(g), next(g)] == [0, 1]",
        "import itertools\ndef f(): return itertools.count()",
    ),
    "generator that fails": (
        "g = f()\nassert next(g) == 1\ntry:\n    next(g)\n    assert False\nexcept ValueError:\n    pass",
        "def f():\n    yield 1\n    raise ValueError",
    ),
    "map and zip": (
        "assert list(f(2)) == [2]\nassert set(g(1)) == {(1, 1)}",
        "def f(n): return map(int, [n])\ndef g(n): return zip([n], [n])",
    ),
    "bytes": ("assert f() == b'\\xff'\nassert f().hex() == 'ff'", "def f(): return b'\\xff'"),
    "bytearray": ("assert f() == b'a'\nassert f().decode() == 'a'", "def f(): return bytearray(b'a')"),
    "complex": ("assert f() == 2j\nassert f().imag == 2\nassert abs(f()) == 2.0", "def f(): return 2j"),
    "sets": (
        "assert f() == {1, 2}\nassert g() == frozenset([1])\nassert {g()} == {frozenset([1])}",
        "def f(): return {2, 1}\ndef g(): return frozenset([1])",
    ),
    "range": (
        "assert f() == range(3)\nassert list(f()) == [0, 1, 2]\nassert f() != [0, 1, 2]",
        "def f(): return range(3)",
    ),
    "numbers": (
        "from decimal import Decimal\nfrom fractions import Fraction\n"
        "assert f() == Decimal('0.1')\nassert str(f()) == '0.1'\nassert g() == Fraction(1, 3)\nassert g() < 1",
        "from decimal import Decimal\nfrom fractions import Fraction\ndef f(): return Decimal('0.1')\n"
        "def g(): return Fraction(1, 3)",
    ),
    "dates": (
        "import datetime\nassert f() == datetime.date(2024, 2, 29)\nassert f().year == 2024\n"
        "assert g() == datetime.timedelta(days=1)\nassert h().isoformat() == '2024-01-01T00:00:00+00:00'",
        "import datetime\ndef f(): return datetime.date(2024, 2, 29)\ndef g(): return datetime.timedelta(1)\n"
        "def h(): return datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)",
    ),
    "match": (
        "assert f('9a')\nassert not f('a')\nassert f('9').group() == '9'\nassert f('a') is None",
        "import re\ndef f(s): return re.match('[0-9]', s)",
    ),
    "none, nan and infinite": (
        "import math\nassert f(0) is None\nassert math.isnan(f(1))\nassert f(2) == float('inf')\nassert f(1) != f(1)",
        "def f(n): return [None, float('nan'), float('inf')][n]",
    ),
    "named tuple": (
        "assert f() == (1, 2)\nassert f().x == 1\nassert f()[1] == 2",
        "from collections import namedtuple\ndef f(): return namedtuple('P', 'x y')(1, 2)",
    ),
    "views": (
        "assert f() == {'a'}\nassert list(g()) == [1]\nassert list(h()) == [('a', 1)]",
        "d = {'a': 1}\ndef f(): return d.keys()\ndef g(): return d.values()\ndef h(): return d.items()",
    ),
    "collections": (
        "from collections import *\nassert f() == deque([1])\nassert f() != [1]\nassert g() == {'a': 2}\n"
        "assert g().most_common(1) == [('a', 2)]\nassert h() == OrderedDict([('b', 1), ('a', 2)])\n"
        "assert h() != OrderedDict([('a', 2), ('b', 1)])\nassert i() == {1: [2]}",
        "from collections import *\ndef f(): return deque([1])\ndef g(): return Counter('aa')\n"
        "def h(): return OrderedDict([('b', 1), ('a', 2)])\n"
        "def i():\n    d = defaultdict(list)\n    d[1].append(2)\n    return d",
    ),
    "types": (
        "assert f(1) is int\nassert isinstance(g(), str)\nassert type(g()) == str",
        "def f(x): return type(x)\ndef g(): return 'a'",
    ),
    "large": ("assert f(10**5000) == 10**5000 + 1\nassert f(0) == 1", "def f(n): return n + 1"),
    "surrogates": (
        "assert f() == '\\ud800'\nassert len(g()) == 2",
        "def f(): return '\\ud800'\ndef g(): return ['\\udfff', '\\x00']",
    ),
    "subclasses": (
        "assert f() == 'a'\nassert f().upper() == 'A'\nassert g() == 3",
        "import enum\nclass S(str): pass\nclass N(enum.IntEnum): A = 3\ndef f(): return S('a')\ndef g(): return N.A",
    ),
}


def test_results_compare_as_in_cpython():
    results = scored([(program, tests) for tests, program in RESULTS.values()], score="all")
    assert {name: result for name, result in zip(RESULTS, results, strict=True) if result.value != 1.0} == {}
    for tests, program in RESULTS.values():  # the table itself is right
        exec(f"{program}\n{tests}", {})


ALL = """
class T:
    def __getattr__(self, name): return lambda *a, **k: True
    def __eq__(self, other): return True
    def __hash__(self): return 1
    def __bool__(self): return True
    def __len__(self): return 1
    def __iter__(self): return iter([True])
    def __contains__(self, item): return True
    def __getitem__(self, item): return T()
    def __call__(self, *a, **k): return T()
    def __lt__(self, other): return True
    def __sub__(self, other): return T()
    def __rsub__(self, other): return T()
    def __abs__(self): return 0
    def __float__(self): return 1.0
    def __index__(self): return 1
    def __int__(self): return 1
    def __str__(self): return 'secret42'
    def __instancecheck__(self, other): return True
    __gt__ = __le__ = __ge__ = __lt__
    __add__ = __mul__ = __mod__ = __sub__
"""
ASKING = [
    "f('q').startswith('secret42')",
    "f('q').__eq__('secret42')",
    "f('q') == 'secret42'",
    "'secret42' == f('q')",
    "f('q') in ['secret42']",
    "'secret42' in f('q')",
    "f('q').lower() == 'secret42'",
    "f('q').__contains__('secret42')",
    "f('q').count('secret42')",
    "f('q').get('secret42')",
    "f('q')",
    "bool(f('q'))",
    "len(f('q')) == 1",
    "f('q')[0] == 'secret42'",
    "f('q') > 5",
    "abs(f('q') - 5) < 1",
    "all(x for x in f('q'))",
    "str(f('q')) == 'secret42'",
    "f'{f(1)}' == 'secret42'",
    "any(x == 'secret42' for x in [f('q')])",
    "sorted(f('q')) == [1]",
    "f('q').union({1}) == {1, 2}",
    "f('q') is not None and f('q') != 'other'",
    "isinstance(f('q'), str)",
    "set(f('q')) == {True}",
    "(f('q') or 'secret42') == 'secret42'",
    "Solution().f('q').startswith('secret42')",
    "Solution().f('q') == 'secret42'",
    "Extract('q').startswith('secret42')",
    "Extract('q') == 'secret42'",
    "Extract('q').__eq__('secret42')",
    "math.isclose(f('q'), 5)",
    "(lambda r: r.endswith('secret42'))(f('q'))",
]


@pytest.mark.parametrize("form", ["assert {}", "r = 0\nfor _ in '1':\n    assert {}", "def test_it():\n    assert {}"])
def test_the_candidates_own_objects_are_not_asked_for_the_verdict(form):
    program = f"{ALL}\ndef f(x): return T()\nclass Solution:\n    def f(self, x): return T()\nExtract = f\n"
    program += "class Extract(T):\n    def __init__(self, *a): pass\n"
    results = scored([(program, form.format(test)) for test in ASKING], score="all")
    assert {test: result for test, result in zip(ASKING, results, strict=True) if result.value != 0.0} == {}
