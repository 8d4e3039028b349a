"""Prepare the release of one package: gate, version, changelog, sibling ranges, lock, commit.

usage: release.py PACKAGE [--bump patch|minor|major] [--dry-run]

Without --bump the smallest legal step is taken. The tag is set after review, on the merged commit.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

from packaging.requirements import Requirement
from packaging.version import Version

import api_gate
from api_gate import Step
from workspace import ROOT, Member, members

KINDS = {"breaking": "Breaking", "added": "Added", "changed": "Changed", "fixed": "Fixed"}
STEPS: tuple[Step, ...] = get_args(Step)
FRAGMENT = re.compile(r"^(?P<id>.+)\.(?P<kind>[a-z]+)\.md$")


@dataclass(frozen=True)
class Fragment:
    """One change told to users: its kind, its text and the file that holds it."""

    kind: str
    text: str
    path: Path


def fragments(member: Member) -> list[Fragment]:
    """Read a package's changelog.d; a file of no known kind is refused, or it would be lost."""
    found: list[Fragment] = []
    for path in sorted((member.path / "changelog.d").glob("*.md")):
        named = FRAGMENT.match(path.name)
        text = path.read_text().strip()
        if named is None or named["kind"] not in KINDS or not text:
            raise SystemExit(f"{path}: write <change>.{{{','.join(KINDS)}}}.md, with a text")
        found.append(Fragment(named["kind"], text, path))
    return found


def section(version: str, day: date, changes: list[Fragment]) -> str:
    """Write one version's part of the changelog, kinds in their order."""
    lines = [f"## {version} ({day.isoformat()})", ""]
    for kind, title in KINDS.items():
        texts = [change.text for change in changes if change.kind == kind]
        if texts:
            lines += [f"### {title}", ""]
            lines += ["- " + text.replace("\n", "\n  ") for text in texts] + [""]
    return "\n".join(lines)


def insert(changelog: str, new: str) -> str:
    """Put a section above the newest one."""
    head, mark, rest = changelog.partition("\n## ")
    return f"{head.rstrip()}\n\n{new.rstrip()}\n" + (f"{mark}{rest}" if mark else "")


def next_version(version: str, step: Step) -> str:
    """Take a version one step up."""
    now = Version(version)
    match step:
        case "major":
            return f"{now.major + 1}.0.0"
        case "minor":
            return f"{now.major}.{now.minor + 1}.0"
        case "patch":
            return f"{now.major}.{now.minor}.{now.micro + 1}"


def smallest_step(member: Member, verdict: api_gate.Verdict, changes: list[Fragment]) -> Step:
    """Name the step that gate and fragments together demand."""
    if any(change.kind == "breaking" for change in changes) and not verdict.breaks:
        return "minor" if Version(member.version).major == 0 else "major"
    return verdict.step(member.version)


def new_range(version: str) -> str:
    """Give the range in which a sibling's version does not break: `>=0.4,<0.5`."""
    now = Version(version)
    if now.major:
        return f">={now.major}.{now.minor},<{now.major + 1}"
    return f">=0.{now.minor},<0.{now.minor + 1}"


def widen(pyproject: str, name: str, version: str) -> str:
    """Rewrite the range on one sibling where the version leaves it, and nothing else."""

    def fitted(found: re.Match[str]) -> str:
        if Requirement(found[1]).specifier.contains(version):
            return found[0]
        return f'"{name}{new_range(version)}"'

    return re.sub(rf'"({re.escape(name)}(?![\w-])[^"]*)"', fitted, pyproject)


def write_changelog(member: Member, version: str, changes: list[Fragment]) -> None:
    """Move the fragments into CHANGELOG.md, dated today in UTC."""
    path = member.path / "CHANGELOG.md"
    new = section(version, datetime.now(UTC).date(), changes)
    path.write_text(insert(path.read_text(), new))
    for change in changes:
        change.path.unlink()


def write_ranges(released: Member, version: str, everyone: list[Member]) -> list[Member]:
    """Let the siblings accept the new version, each with a fragment that says so."""
    changed: list[Member] = []
    for member in everyone:
        path = member.path / "pyproject.toml"
        before = path.read_text()
        after = widen(before, released.name, version)
        if member.name != released.name and after != before:
            path.write_text(after)
            note = member.path / "changelog.d" / f"{released.name}-{version}.changed.md"
            note.write_text(f"Works with {released.name} {version}.\n")
            changed.append(member)
    return changed


def prepare(root: Path, member: Member, version: str, changes: list[Fragment]) -> None:
    """Write version, changelog, ranges and lock, and commit exactly those."""
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"

    def run(*words: str) -> None:
        subprocess.run(words, cwd=root, check=True)

    run(uv, "version", "--package", member.name, "--frozen", version)
    write_changelog(member, version, changes)
    others = write_ranges(member, version, members(root))
    run(uv, "lock")
    paths = [member.path / "CHANGELOG.md", root / "uv.lock"]
    for home in (member.path, *(other.path for other in others)):
        paths += [home / "pyproject.toml", home / "changelog.d"]
    run("git", "add", "--", *map(str, paths))
    run("git", "commit", "-m", f"Release {member.name} {version}", "--", *map(str, paths))


def main(words: list[str]) -> int:
    """Release one package, or with --dry-run only say what would be written."""
    parser = argparse.ArgumentParser(description="Prepare the release of one package.")
    parser.add_argument("package")
    parser.add_argument("--bump", choices=STEPS)
    parser.add_argument("--dry-run", action="store_true")
    asked = parser.parse_args(words)
    member = next((each for each in members(ROOT) if each.name == asked.package), None)
    if member is None:
        parser.error(f"no package {asked.package!r}")
    changes = fragments(member)
    if not changes:
        print(f"{member.name}: changelog.d is empty, nothing to release")
        return 1
    allowed = api_gate.waivers(ROOT)
    verdict = api_gate.judge(ROOT, member, allowed)
    if not api_gate.passes(member, verdict, allowed):
        return 1
    smallest = smallest_step(member, verdict, changes)
    step: Step = asked.bump or smallest
    if STEPS.index(step) < STEPS.index(smallest):
        print(f"{member.name}: a {step} step is too small, {smallest} is the least")
        return 1
    version = next_version(member.version, step)
    print(f"{member.name}: {member.version} -> {version} ({step})")
    if asked.dry_run:
        print(section(version, datetime.now(UTC).date(), changes))
        return 0
    prepare(ROOT, member, version, changes)
    print(f"after the merge: git tag {member.name}-v{version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
