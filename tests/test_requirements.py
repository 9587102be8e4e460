"""What is installed: pins inside their bounds, one lock for every system, a Space that gets the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = {
    "x86_64-unknown-linux-gnu": True,
    "aarch64-unknown-linux-gnu": False,
    "aarch64-apple-darwin": False,
    "x86_64-pc-windows-msvc": True,
}
"""System → whether decord has a wheel for it."""


def read(name: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-r")]


def pins(name: str, python: str = "3.12") -> dict[NormalizedName, str]:
    """Package → its one version, on some Python."""
    return versions(read(name), python)


def versions(found: list[Requirement], python: str) -> dict[NormalizedName, str]:
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    # What is only needed on another system counts too: all but the markers of Python's version.
    wanted = [r for r in found if not r.marker or "python" not in str(r.marker) or r.marker.evaluate(here)]
    return {canonicalize_name(r.name): s.version for r in wanted for s in r.specifier if s.operator == "=="}


def test_everything_but_torch_is_pinned() -> None:
    assert {canonicalize_name(r.name) for r in read("requirements.txt")} - set(pins("requirements.txt")) == {"torch"}


def test_every_pin_lies_inside_the_bounds() -> None:
    bounds = {canonicalize_name(r.name): r for r in read("requirements-bounds.txt")}
    assert bounds.keys() == {canonicalize_name(r.name) for r in read("requirements.txt")}
    outside = {name: v for name, v in pins("requirements.txt").items() if not bounds[name].specifier.contains(v)}
    assert not outside


def test_the_lock_holds_every_pin() -> None:
    lock = pins("requirements-lock.txt")
    named = pins("requirements.txt") | pins("requirements-dev.txt") | pins("requirements-scale.txt")
    assert {name: lock.get(name) for name in named} == named


def test_the_lock_leaves_torch_to_the_machine() -> None:
    assert not [name for name in pins("requirements-lock.txt") if name.startswith(("torch", "nvidia", "triton"))]


def test_opencv_and_its_headless_twin_are_equal() -> None:
    pinned = pins("requirements.txt")
    assert len({v for name, v in pinned.items() if name.startswith("opencv-")}) == 1


def test_a_space_runs_the_pinned_gradio() -> None:
    front = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1]
    gradio = pins("requirements.txt")[canonicalize_name("gradio")]
    assert f"sdk_version: {gradio}" in front.splitlines()


def resolve(*arguments: str) -> subprocess.CompletedProcess[str]:
    """uv's answer, wheels only."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "requirements.txt", "--only-binary", ":all:", *arguments]
    # PyAV's wheels for Apple Silicon begin at macOS 14.
    env = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT, env=env)
    if done.returncode and "Failed to fetch" in done.stderr and not os.environ.get("CI"):
        pytest.skip("no package index in reach; the lock was NOT resolved for other systems")
    return done


@pytest.mark.parametrize(("system", "decord"), SYSTEMS.items())
def test_the_lock_installs_from_wheels_alone(system: str, decord: bool) -> None:
    done = resolve("-c", "requirements-lock.txt", "--python-platform", system, "--python-version", "3.12")
    assert done.returncode == 0, done.stderr
    lines = (line.split("#")[0].strip() for line in done.stdout.splitlines())
    installed = versions([Requirement(line) for line in lines if line and not line.startswith("-r")], "3.12")
    assert ("decord" in installed) == decord
    lock = pins("requirements-lock.txt")
    assert {name: v for name, v in installed.items() if lock.get(name, v) != v} == {}
