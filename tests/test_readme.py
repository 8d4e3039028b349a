import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE_PAGES = sorted(ROOT.glob("backend/packages/*/README.md"))
COMMANDS = ("uv run hean-app", "uv run pytest")


def test_it_fits_one_screen() -> None:
    """The README is at most 80 lines."""
    assert len(README.splitlines()) <= 80


def test_it_has_no_ornament() -> None:
    """The README has neither images (badges are) nor emoji."""
    assert "![" not in README
    assert "<img" not in README
    assert [mark for mark in README if ord(mark) >= 0x1F000 or 0x2600 <= ord(mark) < 0x27C0] == []


def test_it_states_the_two_commands_and_their_need() -> None:
    """The README names uv as the one need, and exactly the two commands that do all set-up."""
    assert "Needs: `pip install uv`" in README
    block = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert tuple(line.partition("#")[0].strip() for line in block[1].splitlines()) == COMMANDS


def test_the_commands_exist() -> None:
    """`hean-app` is a script of the package the workspace depends on; CI runs the test command."""
    root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    app = tomllib.loads((ROOT / "backend/packages/hean-app/pyproject.toml").read_text("utf-8"))
    assert "hean-app" in root["project"]["dependencies"]
    assert app["project"]["scripts"]["hean-app"] == "hean.app.cli:main"
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "uv run pytest" in ci


def test_it_says_how_live_is_armed_and_how_to_stop() -> None:
    """Paper by default, both switches of live, what is missing, and Ctrl-C are all said."""
    for words in ("Paper by default", "TRADING_MODE=live", "LIVE_CONFIRM=<account uid>"):
        assert words in README
    assert "The live venue is not part of this version yet" in README
    assert "Ctrl-C" in README


def test_every_package_has_its_row() -> None:
    """The package table names each package of the workspace, with all its columns."""
    assert "| package | owns | consumes | emits | may import |" in README
    for folder in sorted((ROOT / "backend" / "packages").glob("*/pyproject.toml")):
        row = f"| [{folder.parent.name}](backend/packages/{folder.parent.name}/README.md) |"
        (line,) = [line for line in README.splitlines() if line.startswith(row)]
        assert line.count("|") == 6


def test_links_resolve() -> None:
    """Every relative link in the README, the guides and the packages' READMEs leads to a file."""
    pages = [ROOT / "README.md", *ROOT.glob(".github/*.md"), *ROOT.glob("backend/docs/**/*.md")]
    pages += PACKAGE_PAGES
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("page", PACKAGE_PAGES, ids=[page.parent.name for page in PACKAGE_PAGES])
def test_package_examples_run(page: Path) -> None:
    """Each package's README tells its events and settings, and its example runs as printed."""
    text = page.read_text(encoding="utf-8")
    for heading in ("## Events", "## Settings", "## Example"):
        assert heading in text
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(example, str(page), "exec"), {"__name__": "example"})
