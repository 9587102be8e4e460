"""Settings come from the environment, and wrong values are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sgv_demo.errors import SettingsError
from sgv_demo.settings import Settings


def test_defaults_without_an_environment() -> None:
    assert Settings.from_env({}) == Settings()


def test_variables_override_fields_with_their_types() -> None:
    settings = Settings.from_env(
        {"SGV_MAX_SECONDS": "90.5", "SGV_PORT": "8001", "SGV_STORE_DIR": "~/x", "SGV_ENGINE": " "}
    )
    assert (settings.max_seconds, settings.port, settings.store_dir) == (90.5, 8001, Path("~/x"))
    assert settings.engine == Settings().engine
    assert settings.store_path == Path.home() / "x"


@pytest.mark.parametrize(("name", "value"), [("SGV_PORT", "many"), ("SGV_MAX_SECONDS", "-1")])
def test_wrong_values_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({name: value})


def test_a_space_listens_on_every_address_unless_told_otherwise() -> None:
    assert Settings.from_env({"SPACE_ID": "a/b"}).host == "0.0.0.0"
    assert Settings.from_env({"SPACE_ID": "a/b", "SGV_HOST": "127.0.0.1"}).host == "127.0.0.1"
