import textwrap
from pathlib import Path

import pytest

import conventions

CORE = "backend/packages/hean-core/src/hean/core/thing.py"
RISK = "backend/packages/hean-risk/src/hean/risk/thing.py"
GATE = "backend/packages/hean-risk/src/hean/risk/gate.py"
APP = "backend/packages/hean-app/src/hean/app/thing.py"
TEST = "backend/packages/hean-core/tests/test_thing.py"


def messages(path: str, text: str) -> list[str]:
    """Judge a snippet as if it stood at this path."""
    return [finding.message for finding in conventions.check(path, textwrap.dedent(text))]


@pytest.mark.parametrize(
    "line",
    [
        "import time; x = time.time()",
        "import time as t; x = t.monotonic_ns()",
        "from time import perf_counter; x = perf_counter()",
        "from datetime import datetime; x = datetime.now(None)",
        "import datetime as dt; x = dt.datetime.utcnow()",
        "import random; x = random.random()",
        "from random import Random; x = Random()",
        "import os; x = os.urandom(4)",
        "import uuid; x = uuid.uuid4()",
        "from secrets import token_hex; x = token_hex()",
        "import numpy as np; x = np.random.default_rng()",
        "import numpy as np; x = np.random.default_rng(None)",
        "import numpy as np; x = np.random.rand(3)",
        "import threading; threading.Thread(target=print).start()",
        "import asyncio; asyncio.create_task(f())",
        "x = group.start_soon(f)",
        "x = sum(values)",
        "x = hash(name)",
        "for x in {1, 2}: pass",
        "x = [y for y in set(z)]",
        "x = list(set(z) | other)",
        "names: set[str]\nx = tuple(names)",
        "try: pass\nexcept Exception: pass",
        "try: pass\nexcept (ValueError, BaseException): x = 1",
        "try: pass\nexcept: pass",
    ],
)
def test_domain_code_is_refused(line: str) -> None:
    """Each way out of determinism is one finding in domain code."""
    assert len(messages(CORE, line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "import time; x = time.gmtime(0)",
        "import numpy as np; x = np.random.default_rng(7)",
        "from random import Random\ndef f(draw: Random): return draw.random()",
        "import random; x = random.Random(7)",
        "from numpy.random import Generator, Philox; x = Generator(Philox(key=3))",
        "x = sum(1 for y in z if y)",
        "from decimal import Decimal; x = sum(amounts, Decimal(0))",
        "import math; x = math.fsum(values)",
        "x = sorted(set(z))",
        "x = any(y > 1 for y in {1, 2})",
        "x = {y + 1 for y in set(z)}",
        "x = 3 in {1, 2}",
        "try: pass\nexcept Exception:\n    x = 1\n    raise",
        "def __hash__(self): return hash(self.key)",
    ],
)
def test_what_is_deterministic_passes(line: str) -> None:
    """Seeded generators, exact sums, sorted sets and re-raised errors need no escape."""
    assert messages(CORE, line) == []


def test_sets_kept_on_self_are_known() -> None:
    """An attribute annotated as a set is recognised where a method of its class iterates it."""
    text = """
        class Book:
            def __init__(self) -> None:
                self.names: set[str] = set()

            def all(self) -> list[str]:
                return [name for name in self.names]

        class Other:
            def all(self) -> list[str]:
                return [name for name in self.names]
    """
    assert [found.line for found in conventions.check(CORE, textwrap.dedent(text))] == [7]


def test_escape_excuses_its_line_only() -> None:
    """A reasoned escape silences the line it stands on, and no other."""
    text = "import time\nx = time.time()  # det-ok: start-up banner\ny = time.time()\n"
    assert [found.line for found in conventions.check(CORE, text)] == [3]


def test_escape_needs_its_reason() -> None:
    """An escape without a why is refused."""
    text = "import time\nx = time.time()  # det-ok\n"
    assert messages(CORE, text) == ["det-ok without a reason: write `# det-ok: why`"]


@pytest.mark.parametrize("path", [CORE, TEST])
def test_unused_escape_is_an_error(path: str) -> None:
    """An escape that excuses nothing is itself a finding."""
    assert messages(path, "x = 1  # det-ok: was needed once\n") == [
        "det-ok excuses nothing: remove it"
    ]


def test_escape_in_a_string_is_none() -> None:
    """Only comments are escapes, text that mentions one is not."""
    assert messages(CORE, 'x = "# det-ok: no comment"\n') == []


def test_seams_are_free() -> None:
    """The clock may read time, the runner may start tasks, the bus may catch all."""
    clock = CORE.replace("thing", "clock")
    assert messages(clock, "import time; x = time.time_ns()") == []
    runner = APP.replace("thing", "runner")
    assert messages(runner, "group.start_soon(f)\ntry: pass\nexcept Exception: pass") == []
    bus = CORE.replace("thing", "bus")
    assert messages(bus, "try: pass\nexcept Exception: pass") == []


def test_application_may_sum() -> None:
    """Sums and set order matter where decisions are made, not in reports."""
    assert messages(APP, "x = sum(values)\nfor y in {1, 2}: pass") == []


def test_order_requests_are_minted_at_the_gate() -> None:
    """Only the gate and tests construct an OrderRequest; an escape helps below hean/risk alone."""
    text = "from hean.core.events import OrderRequest as Order\nx = Order(y=1)"
    assert messages(GATE, text) == messages(TEST, text) == []
    assert len(messages(RISK, text)) == len(messages(APP, text)) == 1
    excused = text + "  # mint-ok: the gate hands it the approval"
    assert messages(RISK, excused) == []
    assert len(messages(APP, excused)) == 2


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("class OrderManager: pass", "manager"),
        ("def smart_size(): pass", "smart"),
        ("class SizerV2: pass", "v2"),
        ("def enhanced_size(): pass", "enhanced"),
    ],
)
def test_empty_words_are_refused(name: str, word: str) -> None:
    """Names that say nothing are refused, in classes and functions alike."""
    (message,) = messages(CORE, name)
    assert message.endswith(f"says {word}: say what it is")


def test_module_names_are_judged() -> None:
    """A module called utils is refused, the documented enhanced_grid is not."""
    assert len(messages(CORE.replace("thing", "utils"), "")) == 1
    assert messages(CORE.replace("thing", "enhanced_grid"), "class EnhancedGridState: pass") == []


def test_long_functions_are_refused() -> None:
    """61 lines are one too many, unless the def line says why."""
    body = "    x = 1\n" * 60
    assert messages(TEST, "def f() -> None:\n" + body) == ["f has 61 lines, 60 are the most"]
    assert messages(TEST, "def f() -> None:  # size-ok: one table\n" + body) == []
    assert messages(TEST, "def f() -> None:\n" + body[10:]) == []


def test_long_files_are_refused() -> None:
    """401 lines that are not blank are one too many, unless the first line says why."""
    assert messages(TEST, "x = 1\n\n" * 400) == []
    assert messages(TEST, "x = 1\n\n" * 401) == ["401 non-blank lines, 400 are the most"]
    assert messages(TEST, "# size-ok: generated\n" + "x = 1\n" * 401) == []


def test_broken_files_are_reported() -> None:
    """A file that does not parse is a finding, not a crash."""
    (message,) = messages(CORE, "def (:\n")
    assert message.startswith("does not parse")


def test_own_tools_keep_the_rules() -> None:
    """The tools obey what they enforce."""
    for path in Path(conventions.__file__).parent.glob("*.py"):
        assert conventions.check(f"tools/{path.name}", path.read_text(encoding="utf-8")) == []
