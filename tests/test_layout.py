import importlib
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTED = (
    "hean/config.py",
    "hean/main.py",
    "hean/core/bus.py",
    "hean/core/bus_dlq.py",
    "hean/core/inflight_tracker.py",
    "hean/risk/risk_sentinel.py",
    "hean/risk/position_sizer.py",
    "hean/portfolio/strategy_capital_allocator.py",
    "hean/strategies/__init__.py",
)


def source_of(path: str) -> list[Path]:
    """Find a module's files below all packages."""
    return list((ROOT / "backend" / "packages").glob(f"*/src/{path}"))


@pytest.mark.parametrize("path", DOCUMENTED)
def test_documented_modules_exist_once(path: str) -> None:
    """Each documented module path is a file of exactly one package."""
    assert len(source_of(path)) == 1


@pytest.mark.parametrize("path", DOCUMENTED)
def test_documented_modules_are_found(path: str) -> None:
    """Each documented module can be found by its import name."""
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert importlib.util.find_spec(name) is not None


def test_hean_is_a_namespace() -> None:
    """No package owns the root: `hean` has no file and spans all five source folders."""
    hean = importlib.import_module("hean")
    assert getattr(hean, "__file__", None) is None
    folders = {Path(folder).resolve() for folder in hean.__path__}
    assert folders >= {path.resolve() for path in (ROOT / "backend/packages").glob("*/src/hean")}


@pytest.mark.parametrize("name", ["__init__.py", "__init__.pyi", "py.typed"])
def test_the_root_holds_no_marker(name: str) -> None:
    """A single marker at the root would hide every other package, or promise types it has not."""
    assert source_of(f"hean/{name}") == []


@pytest.mark.parametrize("name", ["TradingSystem", "main"])
def test_the_composition_is_public(name: str) -> None:
    """`hean.main` offers the composition and its entry."""
    assert hasattr(importlib.import_module("hean.main"), name)
