import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import workspace

MEMBER = """
[project]
name = "{name}"
version = "0.1.0"
dependencies = [{dependencies}]
[dependency-groups]
dev = ["pytest>=9"]
[build-system]
requires = ["uv_build>=0.10,<1"]
[tool.uv.sources]
{sources}
"""
NEEDS = {
    "hean-core": (),
    "hean-risk": ("hean-core",),
    "hean-portfolio": ("hean-core",),
    "hean-strategies": ("hean-core",),
    "hean-app": ("hean-core", "hean-risk", "hean-portfolio", "hean-strategies"),
}


def write(path: Path, text: str = "") -> None:
    """Create a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write a small workspace in which everything fits, outside any git checkout."""
    write(tmp_path / "pyproject.toml", '[dependency-groups]\ndev = ["pytest>=9", "hypothesis"]\n')
    for name, needs in NEEDS.items():
        home = tmp_path / workspace.PACKAGES / name
        dependencies = ", ".join(f'"{each}>=0.1,<0.2"' for each in needs)
        sources = "\n".join(f"{each} = {{ workspace = true }}" for each in needs)
        text = MEMBER.format(name=name, dependencies=dependencies, sources=sources)
        write(home / "pyproject.toml", text)
        for beside in (
            "README.md",
            "CHANGELOG.md",
            "changelog.d/.gitignore",
            "tests/test_thing.py",
        ):
            write(home / beside)
        for owned in workspace.OWNED[name]:
            where = home / "src" / "hean" / owned
            if owned.endswith(".py"):
                write(where)
                continue
            write(where / "__init__.py")
            write(where / "py.typed")
            write(where / "thing.py", "def f() -> None: ...\n")
    return tmp_path


def core(root: Path) -> Path:
    """Return the folder of hean-core."""
    return root / workspace.PACKAGES / "hean-core"


def test_a_sound_workspace_has_no_problems(root: Path) -> None:
    """Nothing is reported where everything fits."""
    assert workspace.problems_of(root) == []


Break = Callable[[Path], object]
BREAKS: list[tuple[Break, str]] = [
    (lambda home: write(home / "src/hean/__init__.py"), "foreign src/hean/__init__.py"),
    (lambda home: write(home / "src/hean/py.typed"), "foreign src/hean/py.typed"),
    (lambda home: write(home / "src/hean/risk/extra.py"), "foreign src/hean/risk"),
    (lambda home: write(home / "src/other/__init__.py"), "foreign src/other"),
    (lambda home: (home / "src/hean/config.py").unlink(), "missing src/hean/config.py"),
    (lambda home: (home / "src/hean/core/py.typed").unlink(), "missing src/hean/core/py.typed"),
    (
        lambda home: write(home / "src/hean/core/events/market.py"),
        "missing src/hean/core/events/__init__.py",
    ),
    (lambda home: write(home / "tests/events/__init__.py"), "tests of the same name collide"),
    (lambda home: (home / "README.md").unlink(), "missing README.md"),
    (lambda home: shutil.rmtree(home / "changelog.d"), "missing changelog.d"),
    (
        lambda home: write(home / "src/hean/core/bus.py", "def f() -> None: ...\n"),
        "hean/core/bus.py has no tests/**/test_bus.py",
    ),
]


@pytest.mark.parametrize(("broken", "message"), BREAKS, ids=[message for _, message in BREAKS])
def test_each_misfit_is_reported(root: Path, broken: Break, message: str) -> None:
    """Whatever is foreign, missing or hidden in a package is named."""
    broken(core(root))
    assert any(message in problem for problem in workspace.problems_of(root))


def test_compiled_leftovers_are_no_foreign_files(root: Path) -> None:
    """Bytecode beside the bare modules is ignored, a ghost package made of it is not."""
    write(core(root) / "src/hean/__pycache__/config.pyc")
    assert workspace.problems_of(root) == []
    write(core(root) / "src/hean/ghost/__pycache__/x.pyc")
    assert any("foreign src/hean/ghost" in problem for problem in workspace.problems_of(root))


def test_declarations_need_no_test_of_their_own(root: Path) -> None:
    """A module that defines no function, a list of settings for one, is exempt."""
    write(core(root) / "src/hean/core/kinds.py", "class Kind:\n    name: str\n")
    assert workspace.problems_of(root) == []


def test_modules_of_one_name_need_a_test_each(root: Path) -> None:
    """Two modules called thing.py are not both covered by one test_thing.py."""
    write(core(root) / "src/hean/core/events/__init__.py")
    write(core(root) / "src/hean/core/events/thing.py", "def f() -> None: ...\n")
    assert len(workspace.problems_of(root)) == 2
    write(core(root) / "tests/events/test_thing.py")
    write(core(root) / "tests/core/test_thing.py")
    assert workspace.problems_of(root) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version = "0.1.0"', 'version = "0.2.0"', "hean-core is 0.2.0"),
        ("pytest>=9", "pytest>=8", "the root's has not"),
        ("uv_build>=0.10", "uv_build>=0.11", "build tables differ"),
        ('dev = ["pytest>=9"]', "dev = []", "no dev group"),
    ],
)
def test_tables_must_agree(root: Path, old: str, new: str, message: str) -> None:
    """Ranges that a version leaves, dev tools the root lacks and odd build tables are named."""
    path = core(root) / "pyproject.toml"
    path.write_text(path.read_text().replace(old, new))
    assert any(message in problem for problem in workspace.problems_of(root))


def test_siblings_come_from_the_workspace(root: Path) -> None:
    """A sibling that would be fetched from an index is named."""
    path = root / workspace.PACKAGES / "hean-risk" / "pyproject.toml"
    path.write_text(path.read_text().replace("{ workspace = true }", '{ path = "x" }'))
    expected = "hean-risk: tool.uv.sources.hean-core is not the workspace"
    assert expected in workspace.problems_of(root)


@pytest.mark.skipif(shutil.which("git") is None, reason="asks git what is tracked")
def test_top_level_is_judged_on_what_git_lists(root: Path) -> None:
    """A tracked file that does not belong at the top is named, as is each that is absent."""
    write(root / "notes.txt")
    write(root / "untracked.txt")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "pyproject.toml", "backend", "notes.txt"], cwd=root, check=True)
    problems = workspace.problems_of(root)
    assert "top level: foreign notes.txt" in problems
    assert "top level: missing README.md" in problems
    assert not any("untracked" in problem for problem in problems)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["backend/packages/hean-risk/src/hean/risk/gate.py"], {"hean-risk", "hean-app"}),
        (["backend/packages/hean-core/tests/test_bus.py"], set(NEEDS)),
        (["backend/packages/hean-app/README.md"], {"hean-app"}),
        (["backend/docs/index.md", "README.md", "backend/mkdocs.yml"], set[str]()),
        (["tools/check.py"], set(NEEDS)),
        (["backend/packages/hean-app/README.md", "uv.lock"], set(NEEDS)),
        ([], set[str]()),
    ],
)
def test_affected_pulls_in_dependents(root: Path, paths: list[str], names: set[str]) -> None:
    """A package pulls in what depends on it, documents nothing, and any other file everything."""
    assert set(workspace.affected(paths, workspace.members(root))) == names


def test_unknown_base_means_everything(root: Path) -> None:
    """Where git cannot compare, the matrix holds every package."""
    answer = json.loads(workspace.matrix(root, "0000000"))
    assert set(answer["package"]) == set(NEEDS)
    assert answer["python"] == list(workspace.PYTHONS)


def test_unknown_commands_are_refused() -> None:
    """A command that is not understood is exit code 2."""
    assert workspace.main(["verify"]) == 2
