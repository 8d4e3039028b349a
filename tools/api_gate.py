"""The public names and events of each package against its last release: the smallest legal step.

usage: api_gate.py [PACKAGE ...]      (no package: all)

A break must be declared by a `changelog.d/*.breaking.md` fragment of that package or excused in
tools/api_waivers.toml (`[[waiver]]` with package, match and reason). A waiver that matches nothing
is an error, so that none outlives its release. Before the first tag there is nothing to compare.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from packaging.version import Version

from workspace import OWNED, ROOT, Member, members

Step = Literal["patch", "minor", "major"]
SCHEMA = "src/hean/core/events/events.schema.json"
WAIVERS = "tools/api_waivers.toml"


@dataclass(frozen=True)
class Waiver:
    """A break that was looked at and let through, and why."""

    package: str
    match: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What stands between a package and its last tag: breaks not waived, waivers used."""

    package: str
    tag: str | None
    breaks: tuple[str, ...] = ()
    waived: tuple[Waiver, ...] = ()

    def step(self, version: str) -> Step:
        """Name the smallest legal step: in 0.x a break needs a minor, later a major."""
        if not self.breaks:
            return "patch"
        return "minor" if Version(version).major == 0 else "major"


def git(root: Path, *words: str) -> str:
    """Run git and return what it printed; raises when it fails."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


def last_tag(root: Path, package: str) -> str | None:
    """Name the newest release tag of one package, `hean-core-v0.4.0`."""
    tags = git(root, "tag", "--list", f"{package}-v*", "--sort=-version:refname").split()
    return tags[0] if tags else None


def _held(root: Path, tag: str, path: str) -> bool:
    """Whether a tag held a file or folder; what is new since then can break nobody."""
    return bool(git(root, "ls-tree", "--name-only", tag, "--", path).strip())


def griffe(root: Path, member: Member, tag: str) -> list[str]:
    """List the breaks that griffe sees in the package's public modules since a tag."""
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    command = [uv, "run", "--frozen", "--group", "release", "griffecli", "check", "--no-color"]
    source = (member.path / "src").relative_to(root).as_posix()
    found: list[str] = []
    for name in sorted(OWNED[member.name]):
        module = f"hean.{name.removesuffix('.py')}"
        if not _held(root, tag, f"{source}/hean/{name}"):
            continue
        if not (root / source / "hean" / name).exists():
            found.append(f"{module} is gone")
            continue
        done = subprocess.run(
            [*command, "--format", "oneline", "--against", tag, "--search", source, module],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        if done.returncode not in (0, 1) or any("Traceback" in line for line in lines):
            raise SystemExit(
                f"griffe failed on {module} against {tag}:\n{done.stderr or done.stdout}"
            )
        found += lines if done.returncode else []
    return found


def schema_breaks(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """List what readers of old events or writers of old fields would trip over."""
    found: list[str] = []
    old, new = before.get("$defs", {}), after.get("$defs", {})
    for name in sorted(old):
        if name not in new:
            found.append(f"event schema: {name} is gone")
            continue
        fields, kept = old[name].get("properties", {}), new[name].get("properties", {})
        found += [f"event schema: {name}.{field} is gone" for field in fields if field not in kept]
        found += [
            f"event schema: {name}.{field} changed its type"
            for field in fields
            if field in kept and _shape(fields[field]) != _shape(kept[field])
        ]
        required = set(new[name].get("required", [])) - set(old[name].get("required", []))
        found += [f"event schema: {name}.{field} is now required" for field in sorted(required)]
        lost = [
            value for value in old[name].get("enum", []) if value not in new[name].get("enum", [])
        ]
        found += [f"event schema: {name} lost the value {value}" for value in lost]
    return found


def _shape(field: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out a field's words: descriptions, titles and defaults may change freely."""
    return {
        key: value for key, value in field.items() if key not in ("description", "title", "default")
    }


def _schema_since(root: Path, member: Member, tag: str) -> list[str]:
    path = member.path / SCHEMA
    inside = path.relative_to(root).as_posix()
    if not _held(root, tag, inside):
        return []
    if not path.exists():
        return ["event schema: the file is gone"]
    return schema_breaks(
        json.loads(git(root, "show", f"{tag}:{inside}")), json.loads(path.read_text())
    )


def waivers(root: Path) -> list[Waiver]:
    """Read the waivers; one without a reason is refused."""
    path = root / WAIVERS
    data: dict[str, list[dict[str, str]]] = tomllib.loads(path.read_text()) if path.exists() else {}
    rows = data.get("waiver", [])
    read = [Waiver(row["package"], row["match"], row.get("reason", "")) for row in rows]
    for waiver in read:
        if not waiver.reason.strip() or not waiver.match.strip():
            raise SystemExit(f"{WAIVERS}: {waiver} lacks its match or its reason")
    return read


def judge(root: Path, member: Member, allowed: list[Waiver]) -> Verdict:
    """Compare one package with its last tag."""
    tag = last_tag(root, member.name)
    if tag is None:
        return Verdict(member.name, None)
    return weigh(
        member.name, tag, griffe(root, member, tag) + _schema_since(root, member, tag), allowed
    )


def weigh(package: str, tag: str, found: list[str], allowed: list[Waiver]) -> Verdict:
    """Set the waived breaks apart from the rest."""
    own = [waiver for waiver in allowed if waiver.package == package]
    used = tuple(waiver for waiver in own if any(waiver.match in line for line in found))
    rest = tuple(line for line in found if not any(waiver.match in line for waiver in used))
    return Verdict(package, tag, rest, used)


def declared(member: Member) -> bool:
    """Whether a fragment tells the users of this package about a break."""
    return any((member.path / "changelog.d").glob("*.breaking.md"))


def passes(member: Member, verdict: Verdict, allowed: list[Waiver]) -> bool:
    """Print a verdict; false on a break that no fragment declares, or an unused waiver."""
    if verdict.tag is None:
        print(f"{member.name}: no tag yet, nothing to compare")
    else:
        step = verdict.step(member.version)
        print(f"{member.name}: since {verdict.tag} the smallest legal step is {step}")
    for line in verdict.breaks:
        print(f"  breaks: {line}")
    silent = bool(verdict.breaks) and not declared(member)
    if silent:
        print("  no changelog.d/*.breaking.md says so")
    own = [waiver for waiver in allowed if waiver.package == member.name]
    unused = [waiver for waiver in own if waiver not in verdict.waived]
    for waiver in unused:
        print(f"  unused waiver: {waiver.match}")
    return not silent and not unused


def main(words: list[str]) -> int:
    """Judge the packages named, or all; 1 when one does not pass, 2 when there is none such."""
    everyone = members(ROOT)
    unknown = sorted(set(words) - {member.name for member in everyone})
    if unknown:
        print(f"no package {', '.join(unknown)}")
        return 2
    allowed = waivers(ROOT)
    chosen = [member for member in everyone if not words or member.name in words]
    passed = [passes(member, judge(ROOT, member, allowed), allowed) for member in chosen]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
