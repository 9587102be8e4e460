"""Clips and settings that several tests share."""

from __future__ import annotations

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
