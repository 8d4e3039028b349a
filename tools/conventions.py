"""House rules read from the syntax tree: what the linters cannot know about this system.

usage: conventions.py [FILE ...]      (no file: all of backend/packages, tests and tools)

A line may be excused by a visible comment with its reason, `# det-ok: why` (clock, chance, tasks,
sums, sets, blind excepts), `# mint-ok: why` (below hean/risk only) or `# size-ok: why` (on the
`def` line, or on a file's first line). An escape that excuses nothing is an error itself.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE = 400
LONGEST_FUNCTION = 60

CLOCK_SEAM = ("hean/core/clock.py",)
TASK_SEAM = ("hean/app/runner.py", "hean/app/replay/sweep.py")
BLIND_SEAM = ("hean/core/bus.py", "hean/app/runner.py")
MINT_SEAM = ("hean/risk/gate.py", "hean/core/testing.py")

_CLOCK_FUNCTIONS = ("time", "perf_counter", "monotonic", "process_time", "thread_time")
CLOCKS = {f"time.{name}{unit}" for name in _CLOCK_FUNCTIONS for unit in ("", "_ns")} | {
    "time.sleep",
    "time.localtime",
    "time.ctime",
    "time.clock_gettime",
    "time.clock_gettime_ns",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "anyio.current_time",
}
CHANCE = ("random.", "secrets.", "uuid.", "os.urandom", "os.getrandom")
_GENERATORS = ("default_rng", "Philox", "PCG64", "PCG64DXSM", "SFC64", "MT19937", "SeedSequence")
SEEDED = {"random.Random", *(f"numpy.random.{name}" for name in _GENERATORS)}
TYPES = {"numpy.random.Generator", "numpy.random.BitGenerator"}
STARTS = {
    "threading.Thread",
    "threading.Timer",
    "_thread.start_new_thread",
    "multiprocessing.Process",
    "multiprocessing.Pool",
    "concurrent.futures.ThreadPoolExecutor",
    "concurrent.futures.ProcessPoolExecutor",
    "joblib.Parallel",
    "asyncio.create_task",
    "asyncio.ensure_future",
    "asyncio.TaskGroup",
    "asyncio.gather",
    "asyncio.to_thread",
    "anyio.create_task_group",
    "anyio.to_thread.run_sync",
    "anyio.from_thread.start_blocking_portal",
}
START_METHODS = {"start_soon", "create_task", "run_in_executor"}
UNORDERED_USE = {"sorted", "len", "min", "max", "any", "all", "set", "frozenset"}
BANNED_WORDS = {"utils", "util", "common", "helper", "helpers", "manager", "managers"} | {
    "smart",
    "enhanced",
    "v2",
}
DOCUMENTED = re.compile("enhanced_?grid", re.IGNORECASE)
WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")
ESCAPE = re.compile(r"\b(det|mint|size)-ok\b(?::\s*(\S.*))?")

Function = ast.FunctionDef | ast.AsyncFunctionDef
BODIES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Loop = ast.For | ast.AsyncFor | ast.comprehension


@dataclass(frozen=True, order=True)
class Finding:
    """One breach: where it is and which rule it breaks."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Hit:
    """A breach before escapes: the lines on which an escape of this kind would excuse it."""

    first: int
    last: int
    message: str
    escape: str | None = "det"


@dataclass
class Source:
    """One parsed file: its place, its tree, what its names were imported as, its escapes."""

    path: str
    text: str
    tree: ast.Module
    names: dict[str, str] = field(default_factory=dict[str, str])
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict[ast.AST, ast.AST])
    escapes: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])

    @classmethod
    def read(cls, path: str, text: str) -> Source:
        source = cls(path, text, ast.parse(text))
        for node in ast.walk(source.tree):
            source.parents.update((child, node) for child in ast.iter_child_nodes(node))
            if isinstance(node, ast.Import):
                for name in node.names:
                    top = name.name.split(".")[0]
                    source.names[name.asname or top] = name.name if name.asname else top
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    source.names[name.asname or name.name] = f"{node.module or ''}.{name.name}"
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            found = ESCAPE.search(token.string) if token.type == tokenize.COMMENT else None
            if found:
                source.escapes[token.start[0]] = (found[1], found[2] or "")
        return source

    @property
    def module(self) -> str:
        """The path below src/, `hean/core/bus.py`, or the whole path where there is no src."""
        return self.path.rpartition("/src/")[2]

    @property
    def shipped(self) -> bool:
        return "/src/" in self.path

    @property
    def domain(self) -> bool:
        return self.shipped and not self.module.startswith(("hean/app/", "hean/main.py"))

    def dotted(self, node: ast.AST) -> str:
        """Spell a name as it was imported (`np.random.x` is `numpy.random.x`), or nothing."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, "")
        if isinstance(node, ast.Attribute):
            before = self.dotted(node.value)
            return f"{before}.{node.attr}" if before else ""
        return ""


def _at(node: ast.expr, message: str, escape: str | None = "det") -> Hit:
    return Hit(node.lineno, node.end_lineno or node.lineno, message, escape)


def _builtin(source: Source, node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names and node.id not in source.names


def _clock_and_chance(source: Source) -> Iterator[Hit]:
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        name = source.dotted(node)
        if name in CLOCKS and source.module not in CLOCK_SEAM:
            yield _at(node, f"wall clock {name}: kernel time comes with the event")
        elif name in SEEDED:
            call = source.parents.get(node)
            if isinstance(call, ast.Call) and call.func is node and not _seed(call):
                yield _at(node, f"{name} without a seed")
        elif name.startswith(CHANCE):
            yield _at(node, f"random source {name}: draws come from a seeded generator")
        elif name.startswith("numpy.random.") and name not in TYPES:
            yield _at(node, f"{name} draws from numpy's global state")


def _seed(call: ast.Call) -> bool:
    given = [*call.args, *(word.value for word in call.keywords)]
    return any(not (isinstance(arg, ast.Constant) and arg.value is None) for arg in given)


def _task_starts(source: Source) -> Iterator[Hit]:
    if source.module in TASK_SEAM:
        return
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        name = source.dotted(node.func)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in STARTS or method in START_METHODS:
            yield _at(node.func, f"starts a thread or task: {name or method}")


def _blind_excepts(source: Source) -> Iterator[Hit]:
    if source.module in BLIND_SEAM:
        return
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        blind = node.type is None or any(
            isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}
            for kind in kinds
        )
        raised = any(isinstance(line, ast.Raise) and line.exc is None for line in node.body)
        if blind and not raised:
            yield Hit(node.lineno, node.lineno, "blind except: name what you expect, or re-raise")


def _float_sums(source: Source) -> Iterator[Hit]:
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        if _builtin(source, node.func, {"hash"}) and not _inside_hash(source, node):
            yield _at(node, "hash() differs between runs")
        if not _builtin(source, node.func, {"sum"}):
            continue
        what = node.args[0] if node.args else None
        counts = isinstance(what, ast.GeneratorExp) and isinstance(what.elt, ast.Constant)
        starts = [*node.args[1:], *(word.value for word in node.keywords)]
        exact = any(
            isinstance(start, ast.Call) and source.dotted(start.func) == "decimal.Decimal"
            for start in starts
        )
        if not counts and not exact:
            yield _at(node, "sum() adds floats differently from 3.12 on: a loop or math.fsum")


def _inside_hash(source: Source, node: ast.AST) -> bool:
    above = source.parents.get(node)
    while above is not None and not isinstance(above, Function):
        above = source.parents.get(above)
    return above is not None and above.name == "__hash__"


def _is_set(source: Source, node: ast.AST, known: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(
            func=ast.Attribute(value=inner, attr="union" | "intersection" | "difference")
        ):
            return _is_set(source, inner, known)
        case ast.Call():
            return _builtin(source, node.func, {"set", "frozenset"})
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            return _is_set(source, node.left, known) or _is_set(source, node.right, known)
        case ast.Name() | ast.Attribute():
            return ast.unparse(node) in known
        case _:
            return False


def _known_sets(source: Source) -> dict[ast.AST, set[str]]:
    """Names annotated or assigned as sets, by their function (`self.x`: by the class)."""
    known: dict[ast.AST, set[str]] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            kind = ast.unparse(node.annotation).partition("[")[0]
            is_set = kind in {"set", "frozenset", "AbstractSet", "MutableSet"}
            targets = [node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)]
        elif isinstance(node, ast.Assign):
            is_set = _is_set(source, node.value, set())
            targets = [ast.unparse(target) for target in node.targets]
        else:
            continue
        for target in targets if is_set else []:
            of_self = target.startswith("self.")
            scope = _scope(source, node, (ast.ClassDef,) if of_self else BODIES)
            known.setdefault(scope, set()).add(target)
            if isinstance(scope, ast.ClassDef) and "." not in target:
                known[scope].add(f"self.{target}")
    return known


def _scope(source: Source, node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> ast.AST:
    above = source.parents.get(node)
    while above is not None and not isinstance(above, kinds):
        above = source.parents.get(above)
    return above or source.tree


def _set_order(source: Source) -> Iterator[Hit]:
    known = _known_sets(source)
    for node in ast.walk(source.tree):
        if isinstance(node, Loop):
            taken, user = node.iter, source.parents.get(node)
        elif isinstance(node, ast.Call) and _builtin(
            source, node.func, {"list", "tuple", "enumerate", "iter", "zip", "map", "next"}
        ):
            taken, user = (node.args or [node])[-1], node
        else:
            continue
        inner, outer = _scope(source, node, BODIES), _scope(source, node, (ast.ClassDef,))
        names = known.get(inner, set()) | known.get(outer, set()) | known.get(source.tree, set())
        around = source.parents.get(user) if user is not None else None
        free = isinstance(user, ast.SetComp) or (
            isinstance(around, ast.Call)
            and _builtin(source, around.func, UNORDERED_USE)
            and not isinstance(node, ast.For | ast.AsyncFor)
        )
        if not free and _is_set(source, taken, names):
            yield _at(taken, "iterates a set, whose order differs between runs: sort it first")


def _mints(source: Source) -> Iterator[Hit]:
    if source.module in MINT_SEAM:
        return
    escape = "mint" if source.module.startswith("hean/risk/") else None
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            name = source.dotted(node.func) or ast.unparse(node.func)
            if name.split(".")[-1] == "OrderRequest":
                yield _at(node, "mints an OrderRequest: only hean/risk/gate.py may", escape)


def _words(source: Source) -> Iterator[Hit]:
    named = [(1, part.removesuffix(".py")) for part in source.module.split("/")]
    named += [
        (node.lineno, node.name)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("test_")
    ]
    for line, name in named:
        words = {word.lower() for word in WORD.findall(DOCUMENTED.sub("", name))}
        for word in sorted(words & BANNED_WORDS):
            yield Hit(line, line, f"the name {name} says {word}: say what it is", None)


def _sizes(source: Source) -> Iterator[Hit]:
    full = [line for line in source.text.splitlines() if line.strip()]
    if len(full) > LONGEST_FILE:
        yield Hit(1, 1, f"{len(full)} non-blank lines, {LONGEST_FILE} are the most", "size")
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                message = f"{node.name} has {length} lines, {LONGEST_FUNCTION} are the most"
                yield Hit(node.lineno, max(node.lineno, node.body[0].lineno - 1), message, "size")


def _hits(source: Source) -> Iterator[Hit]:
    yield from _words(source)
    yield from _sizes(source)
    if source.shipped:
        yield from _mints(source)
        yield from _clock_and_chance(source)
        yield from _task_starts(source)
        yield from _blind_excepts(source)
    if source.domain:
        yield from _float_sums(source)
        yield from _set_order(source)


def check(path: str, text: str) -> list[Finding]:
    """Judge one file, given by its path below the repository's root."""
    try:
        source = Source.read(path, text)
    except (SyntaxError, ValueError) as error:
        return [Finding(path, getattr(error, "lineno", None) or 1, f"does not parse: {error}")]
    found: set[Finding] = set()
    used: set[int] = set()
    for hit in _hits(source):
        escapes = [
            line
            for line in range(hit.first, hit.last + 1)
            if source.escapes.get(line, ("", ""))[0] == hit.escape
        ]
        used.update(escapes)
        if not escapes:
            found.add(Finding(path, hit.first, hit.message))
    for line, (kind, why) in source.escapes.items():
        if line not in used:
            found.add(Finding(path, line, f"{kind}-ok excuses nothing: remove it"))
        elif not why:
            found.add(Finding(path, line, f"{kind}-ok without a reason: write `# {kind}-ok: why`"))
    return sorted(found)


def files(root: Path) -> list[Path]:
    """Every Python file that is judged."""
    places = ("backend/packages/*/src", "backend/packages/*/tests", "tests", "tools")
    return sorted(
        path for place in places for folder in root.glob(place) for path in folder.rglob("*.py")
    )


def main(words: list[str]) -> int:
    """Judge the files named, or all; 1 when a rule is broken."""
    chosen = [Path(word).resolve() for word in words] or files(ROOT)
    findings: list[Finding] = []
    for path in chosen:
        findings += check(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    for finding in findings:
        print(finding)
    print(f"conventions: {len(chosen)} files, {len(findings)} finding(s)")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
