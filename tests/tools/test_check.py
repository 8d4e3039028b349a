from pathlib import Path

import pytest

import check
from workspace import ROOT, members


def step(name: str, *commands: str) -> check.Step:
    """Build a step of shell commands."""
    return check.Step(name, tuple(("sh", "-c", command) for command in commands))


def test_step_stops_at_its_first_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """A step fails with the output of the command that failed, and runs none after it."""
    result = check.run(step("three", "echo one", "echo two; exit 3", "echo three"))
    assert not result.ok
    assert "two" in result.output
    assert "three" not in result.output
    assert capsys.readouterr().out.startswith("FAIL")


def test_all_steps_run_and_failures_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """One failing step hides no other; the last line names it and the exit code is 1."""
    results = check.run_all([step("bad", "echo broken >&2; exit 1"), step("good", "true")])
    assert check.report(results) == 1
    out = capsys.readouterr().out
    assert "broken" in out
    assert out.rstrip().endswith("1 of 2 failed: bad")


def test_green_is_exit_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """When nothing failed the exit code is 0 and the last line says so."""
    assert check.report(check.run_all([step("good", "true")])) == 0
    assert capsys.readouterr().out.rstrip().endswith("all green")


def test_repo_judges_everything_listed() -> None:
    """The repo part holds each gate that the documents promise."""
    assert {each.name for each in check.repo_steps()} == {
        "pyright",
        "lock",
        "ruff check",
        "ruff format",
        "import contracts",
        "workspace",
        "conventions",
        "uv pip check",
    }


def test_wheel_suite_installs_siblings_by_path(tmp_path: Path) -> None:
    """The wheel suite of the app installs all five wheels by path, that of core only its own."""
    everyone = members(ROOT)
    for name, count in (("hean-app", 5), ("hean-core", 1)):
        member = next(each for each in everyone if each.name == name)
        install = check.wheel_step(member, everyone, tmp_path).commands[2]
        assert sum(word.endswith(".whl") for word in install) == count


def test_uv_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The uv that started us is the one our steps use."""
    monkeypatch.setenv("UV", "/opt/uv")
    assert check.uv() == "/opt/uv"


@pytest.mark.parametrize("words", [["package", "hean-nothing"], ["repository"]])
def test_unknown_requests_are_refused(words: list[str]) -> None:
    """A misspelt package or command is exit code 2, not an empty success."""
    assert check.main(words) == 2
