"""The one definition of green.

usage: check.py                everything
       check.py repo           lock, ruff, contracts, pyright, workspace, conventions, uv pip check
       check.py package NAME   that package's tests, isolated and against its built wheel
       check.py lowest         all wheels with the lowest versions they allow (CI: may download)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from workspace import PACKAGES, ROOT, Member, members, siblings_of

AT_ONCE = 2
PROVE_INSTALLED = """
import sys, hean.{module} as tested
sys.exit(None if "site-packages" in tested.__file__ else f"not the wheel: {{tested.__file__}}")
"""


@dataclass(frozen=True)
class Step:
    """A name and the commands that must all succeed, in order; nothing of it touches the rest."""

    name: str
    commands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Result:
    """How a step ended: what its failing command printed, and the seconds it took."""

    step: Step
    ok: bool
    output: str
    seconds: float


def uv() -> str:
    """Find the uv that runs us, or the one on PATH; raises when there is none."""
    found = os.environ.get("UV") or shutil.which("uv")
    if not found:
        raise SystemExit("uv is missing: pip install uv")
    return found


def repo_steps() -> list[Step]:
    """List what is judged once for the whole repository, the slowest first."""
    lint = (uv(), "run", "--frozen", "--group", "lint")
    commands = {
        "pyright": (*lint, "pyright"),
        "lock": (uv(), "lock", "--check"),
        "ruff check": (*lint, "ruff", "check", "--output-format", "concise"),
        "ruff format": (*lint, "ruff", "format", "--check", "--output-format", "concise"),
        "import contracts": (*lint, "lint-imports", "--no-logo"),
        "workspace": (sys.executable, "tools/workspace.py", "check"),
        "conventions": (sys.executable, "tools/conventions.py"),
        "uv pip check": (uv(), "pip", "check"),
    }
    return [Step(name, (command,)) for name, command in commands.items()]


def isolated_step(name: str) -> Step:
    """Run a package's tests with only what the package itself declares."""
    command = (uv(), "run", "--isolated", "--frozen", "--package", name, "pytest", "-q")
    return Step(f"{name}: isolated suite", ((*command, f"{PACKAGES}/{name}"),))


def build_step(wheels: Path) -> Step:
    """Build every package's wheel into an emptied folder, so that no stale one is tested."""
    command = (uv(), "build", "--wheel", "--all-packages", "--clear", "--out-dir", str(wheels))
    return Step("build wheels", (command,))


def wheels_of(chosen: Iterable[Member], wheels: Path) -> list[str]:
    """Name the files that the build step leaves for these packages."""
    return [
        str(wheels / f"{each.name.replace('-', '_')}-{each.version}-py3-none-any.whl")
        for each in chosen
    ]


def wheel_step(member: Member, everyone: list[Member], scratch: Path) -> Step:
    """Install a package and its siblings as wheels, by path, and run its tests against them."""
    needed = siblings_of(member, everyone) | {member.name}
    wheels = wheels_of((each for each in everyone if each.name in needed), scratch / "wheels")
    home = scratch / member.name
    python = str(home / "venv" / "bin" / "python")
    locked = str(home / "requirements.txt")
    module = member.name.removeprefix("hean-")
    export = (uv(), "export", "--quiet", "--frozen", "--package", member.name)
    return Step(
        f"{member.name}: wheel suite",
        (
            (uv(), "venv", "--quiet", "--python", sys.executable, str(home / "venv")),
            (*export, "--no-emit-workspace", "--no-hashes", "--output-file", locked),
            (uv(), "pip", "install", "--quiet", "--python", python, "-r", locked, *wheels),
            (python, "-c", PROVE_INSTALLED.format(module=module)),
            (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{PACKAGES}/{member.name}"),
        ),
    )


def lowest_step(everyone: list[Member], scratch: Path) -> Step:
    """Run all tests on the lowest version of each dependency that our ranges allow."""
    home = scratch / "lowest"
    python, locked = str(home / "venv" / "bin" / "python"), str(home / "requirements.txt")
    projects = [f"{PACKAGES}/{each.path.name}/pyproject.toml" for each in everyone]
    unnamed = [f"--no-emit-package={each.name}" for each in everyone]
    compile_lowest = (uv(), "pip", "compile", "--quiet", "--no-sources", *unnamed, *projects)
    wheels = wheels_of(everyone, scratch / "wheels")
    tests = [f"{PACKAGES}/{each.path.name}" for each in everyone]
    dev = sorted({text for each in everyone for text in each.dev})
    links = ("--resolution", "lowest-direct", "--find-links", str(scratch / "wheels"))
    return Step(
        "all packages: lowest versions",
        (
            (uv(), "venv", "--quiet", "--python", sys.executable, str(home / "venv")),
            (*compile_lowest, *links, "--python", python, "--output-file", locked),
            (uv(), "pip", "install", "--quiet", "--python", python, "-r", locked, *wheels, *dev),
            (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests),
        ),
    )


def run(step: Step) -> Result:
    """Run one step to its first failing command and print how it ended."""
    started = time.perf_counter()
    output, ok = "", True
    for command in step.commands:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        )
        if done.returncode:
            output, ok = f"$ {' '.join(command)}\n{done.stdout}", False
            break
    result = Result(step, ok, output, time.perf_counter() - started)
    print(f"{'ok  ' if ok else 'FAIL'} {result.seconds:6.1f} s  {step.name}", flush=True)
    return result


def run_all(steps: Iterable[Step]) -> list[Result]:
    """Run independent steps, as many at once as the smallest machine has cores."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, steps))


def run_packages(
    chosen: Sequence[Member], everyone: list[Member], first: list[Step]
) -> list[Result]:
    """Run other steps, the build, then both suites of each package chosen."""
    with tempfile.TemporaryDirectory(prefix="hean-check-") as folder:
        scratch = Path(folder)
        build = run(build_step(scratch / "wheels"))
        steps = [*first, *(isolated_step(member.name) for member in chosen)]
        if build.ok:
            steps += [wheel_step(member, everyone, scratch) for member in chosen]
        return [build, *run_all(steps)]


def run_lowest(everyone: list[Member]) -> list[Result]:
    """Build the wheels and run them on the lowest versions."""
    with tempfile.TemporaryDirectory(prefix="hean-check-") as folder:
        build = run(build_step(Path(folder) / "wheels"))
        return [build, run(lowest_step(everyone, Path(folder)))] if build.ok else [build]


def report(results: Sequence[Result]) -> int:
    """Print what failed, each with its output, and a last line that sums up."""
    failed = [result for result in results if not result.ok]
    for result in failed:
        print(f"\n=== {result.step.name} ===\n{result.output.rstrip()}")
    names = ", ".join(result.step.name for result in failed)
    print(f"\n{len(failed)} of {len(results)} failed: {names}" if failed else "\nall green")
    return 1 if failed else 0


def main(words: list[str]) -> int:
    """Run what was asked for; 1 when something failed, 2 when not understood."""
    everyone = members(ROOT)
    match words:
        case []:
            return report(run_packages(everyone, everyone, repo_steps()))
        case ["repo"]:
            return report(run_all(repo_steps()))
        case ["lowest"]:
            return report(run_lowest(everyone))
        case ["package", name]:
            chosen = [member for member in everyone if member.name == name]
            if not chosen:
                known = ", ".join(member.name for member in everyone)
                print(f"no package {name!r}; there are {known}")
                return 2
            return report(run_packages(chosen, everyone, []))
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
