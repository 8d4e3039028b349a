"""The five packages fit together: `check` proves it, `affected BASE` prints the CI matrix.

usage: workspace.py check
       workspace.py affected BASE
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = "backend/packages"
PYTHONS = ("3.11", "3.12", "3.13")

# What may lie directly in each package's src/hean/: nothing else, and nothing less.
OWNED: Mapping[str, frozenset[str]] = {
    "hean-core": frozenset({"config.py", "core"}),
    "hean-risk": frozenset({"risk"}),
    "hean-portfolio": frozenset({"portfolio"}),
    "hean-strategies": frozenset({"strategies"}),
    "hean-app": frozenset({"main.py", "app"}),
}
BESIDE = ("README.md", "CHANGELOG.md", "changelog.d", "tests")
TOP_LEVEL = frozenset(
    {"pyproject.toml", "uv.lock", "backend", "tools", "tests", ".env.example", "README.md"}
    | {".github", ".ci", ".gitignore", ".python-version"}
)
# A change below these reaches no package's suite; any other path outside the packages reaches all.
DOCUMENTS = ("backend/docs/", "backend/mkdocs.yml", "README.md", ".github/CONTRIBUTING.md",
             ".github/SECURITY.md", ".github/CODEOWNERS")  # fmt: skip
# Modules that need no test file of their own, with any that declares and defines no function:
# façades, the `-m` entry, lists of settings (proved by the tests of what reads them).
UNTESTED = frozenset({"__init__.py", "__main__.py", "settings.py"})


@dataclass(frozen=True)
class Member:
    """One package of the workspace: its folder and its parsed pyproject."""

    path: Path
    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.data["project"]["name"])

    @property
    def version(self) -> str:
        return str(self.data["project"]["version"])

    @property
    def requirements(self) -> list[Requirement]:
        texts: list[str] = self.data["project"].get("dependencies", [])
        return [Requirement(text) for text in texts]

    @property
    def dev(self) -> list[str]:
        texts: list[str] = self.data.get("dependency-groups", {}).get("dev", [])
        return [str(Requirement(text)) for text in texts]


def members(root: Path) -> list[Member]:
    """Read every package below backend/packages, sorted by folder name."""
    found = sorted((root / PACKAGES).glob("*/pyproject.toml"))
    return [Member(path.parent, tomllib.loads(path.read_text())) for path in found]


def siblings_of(member: Member, everyone: Iterable[Member]) -> set[str]:
    """Name the workspace packages that this one depends on, however far away."""
    by_name = {canonicalize_name(each.name): each for each in everyone}
    reached: set[str] = set()
    waiting = [member]
    while waiting:
        for requirement in waiting.pop().requirements:
            other = by_name.get(canonicalize_name(requirement.name))
            if other is not None and other.name not in reached:
                reached.add(other.name)
                waiting.append(other)
    return reached


def _listed(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    return {path.name for path in folder.iterdir() if path.name != "__pycache__"}


def _namespace(member: Member) -> list[str]:
    """Report what lies directly in src/hean/ and should not, and what should and does not."""
    owned = OWNED.get(member.name)
    if owned is None:
        return [f"{member.name}: not a known package; say in tools/workspace.py what it owns"]
    problems = [
        f"{member.name}: foreign src/{name}" for name in _listed(member.path / "src") - {"hean"}
    ]
    found = _listed(member.path / "src" / "hean")
    for name in sorted(found - owned):
        why = {
            "__init__.py": " (it hides every other package of the namespace)",
            "py.typed": " (a namespace root has none)",
        }.get(name, " (leftover of another branch? git clean -Xdf backend)")
        problems.append(f"{member.name}: foreign src/hean/{name}{why}")
    return problems + [f"{member.name}: missing src/hean/{name}" for name in sorted(owned - found)]


def _folders(member: Member) -> list[str]:
    """Report folders of code without `__init__.py`, packages without py.typed, tests with one."""
    problems = [
        f"{member.name}: missing {name}" for name in BESIDE if not (member.path / name).exists()
    ]
    source = member.path / "src" / "hean"
    with_code = {path.parent for path in source.glob("*/**/*.py")}
    between = {up for folder in with_code for up in folder.parents if up.is_relative_to(source)}
    for folder in sorted((with_code | between) - {source}):
        if not (folder / "__init__.py").exists():
            problems.append(f"{member.name}: missing {folder.relative_to(member.path)}/__init__.py")
        if folder.parent == source and not (folder / "py.typed").exists():
            problems.append(f"{member.name}: missing {folder.relative_to(member.path)}/py.typed")
    return problems + [
        f"{member.name}: {path.relative_to(member.path)} makes tests of the same name collide"
        for path in sorted((member.path / "tests").rglob("__init__.py"))
    ]


def _decides(module: Path) -> bool:
    """Tell code from declarations: a module with no function in it has nothing to test alone."""
    try:
        tree = ast.parse(module.read_bytes())
    except SyntaxError:
        return True
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))


def _mirrors(member: Member) -> list[str]:
    """Report modules without a test file; same-named modules need tests/<folder>/test_<name>.py."""
    source = member.path / "src" / "hean"
    everything = [path for path in sorted(source.rglob("*.py")) if path.name not in UNTESTED]
    modules = [path for path in everything if _decides(path)]
    stems = Counter(path.stem for path in everything)
    tests = list((member.path / "tests").rglob("test_*.py"))
    problems: list[str] = []
    for module in modules:
        same = [test for test in tests if test.stem == f"test_{module.stem}"]
        if stems[module.stem] > 1:
            same = [test for test in same if test.parent.name == module.parent.name] + [
                test for test in tests if test.stem == f"test_{module.parent.name}_{module.stem}"
            ]
        if not same:
            where = module.relative_to(member.path / "src")
            problems.append(f"{member.name}: {where} has no tests/**/test_{module.stem}.py")
    return problems


def _ranges(everyone: list[Member]) -> list[str]:
    """Report sibling ranges that today's versions leave: uv itself ignores them."""
    by_name = {canonicalize_name(each.name): each for each in everyone}
    problems: list[str] = []
    for member in everyone:
        sources = member.data.get("tool", {}).get("uv", {}).get("sources", {})
        for requirement in member.requirements:
            other = by_name.get(canonicalize_name(requirement.name))
            if other is None:
                continue
            if not requirement.specifier.contains(other.version, prereleases=True):
                problems.append(
                    f"{member.name}: asks {requirement}, but {other.name} is {other.version}"
                )
            if sources.get(other.name) != {"workspace": True}:
                problems.append(f"{member.name}: tool.uv.sources.{other.name} is not the workspace")
    return problems


def _tables(root: Path, everyone: list[Member]) -> list[str]:
    """Report members whose build or dev tables differ from the rest."""
    data = tomllib.loads((root / "pyproject.toml").read_text())
    groups: Mapping[str, list[str]] = data.get("dependency-groups", {})
    here = {str(Requirement(text)) for text in groups.get("dev", [])}
    problems: list[str] = []
    for member in everyone:
        missing = sorted(set(member.dev) - here)
        if missing:
            problems.append(f"{member.name}: its dev group has {missing}, the root's has not")
        if not member.dev:
            problems.append(f"{member.name}: no dev group; its isolated suite would use any pytest")
        backend = member.data.get("tool", {}).get("uv", {}).get("build-backend")
        first = everyone[0].data
        if member.data.get("build-system") != first.get("build-system") or backend != first.get(
            "tool", {}
        ).get("uv", {}).get("build-backend"):
            problems.append(f"{member.name}: build tables differ from {everyone[0].name}'s")
    absent = sorted(OWNED.keys() - {member.name for member in everyone})
    return problems + [f"{PACKAGES}: {name} is missing" for name in absent]


def _top_level(names: Iterable[str]) -> list[str]:
    """Report what stands at the top and should not, and the reverse."""
    found = set(names)
    return [f"top level: foreign {name}" for name in sorted(found - TOP_LEVEL)] + [
        f"top level: missing {name}" for name in sorted(TOP_LEVEL - found)
    ]


def _git(root: Path, *words: str) -> str | None:
    """Ask git; None where it is absent, this is no checkout, or it refuses."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def problems_of(root: Path) -> list[str]:
    """List everything in which the packages do not fit together."""
    everyone = members(root)
    if not everyone:
        return [f"{PACKAGES}: no packages"]
    problems = _tables(root, everyone) + _ranges(everyone)
    for member in everyone:
        problems += _namespace(member) + _folders(member) + _mirrors(member)
    listed = _git(root, "ls-files", "-z")
    if listed is None:
        print("no git checkout: the top level is not judged")
        return problems
    return problems + _top_level({path.split("/")[0] for path in listed.split("\0") if path})


def affected(changed: Iterable[str], everyone: list[Member]) -> list[str]:
    """Name the packages a change can break: those touched and all that depend on them."""
    by_folder = {member.path.name: member.name for member in everyone}
    touched: set[str] = set()
    for path in changed:
        parts = path.split("/")
        if path.startswith(f"{PACKAGES}/") and len(parts) > 3 and parts[2] in by_folder:
            touched.add(by_folder[parts[2]])
        elif not path.startswith(DOCUMENTS):
            return [member.name for member in everyone]
    return [
        member.name
        for member in everyone
        if member.name in touched or siblings_of(member, everyone) & touched
    ]


def matrix(root: Path, base: str) -> str:
    """Write the CI matrix for what changed since `base`; an unknown base means everything."""
    everyone = members(root)
    changed = _git(root, "diff", "--name-only", "-z", f"{base}...HEAD", "--")
    names = [member.name for member in everyone]
    if changed is not None:
        names = affected([path for path in changed.split("\0") if path], everyone)
    return json.dumps({"package": names, "python": PYTHONS})


def main(words: list[str]) -> int:
    """Run one of the two commands; 1 when something does not fit, 2 when not understood."""
    match words:
        case ["check"]:
            problems = problems_of(ROOT)
            for problem in problems:
                print(problem)
            print(f"workspace: {len(problems)} problem(s)" if problems else "workspace: fits")
            return 1 if problems else 0
        case ["affected", base]:
            print(matrix(ROOT, base))
            return 0
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
