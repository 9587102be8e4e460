"""Clips and settings that several tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sgv_demo.settings import Settings
from tests.support.shots import texture, write_shots


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s at 12 fps, four seconds of one picture, then four of another: a cut at 4.0 s."""
    shots = [texture(1, (220, 60, 40)), texture(2, (30, 120, 200))]
    return write_shots(tmp_path_factory.mktemp("clips") / "two shots.mp4", shots, each=48, rate=12)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Defaults with a store of the test's own."""
    return Settings(store_dir=tmp_path / "store")


@pytest.fixture(autouse=True)
def ordinary_priority() -> Iterator[None]:
    """Undoes what SVT-AV1's encoder does when root runs it: it leaves its thread at real-time priority, and a process
    that is started next inherits that and, when it is busy, holds a core against everything else."""
    yield
    if hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
