"""Settings come from the environment, and wrong values are refused by name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sgv_demo.errors import SettingsError
from sgv_demo.settings import Settings

ROOT = Path(__file__).parents[1]


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


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SGV_PORT", "99999", "SGV_PORT can't be 99,999; choose a whole number from 1 to 65,535."),
        ("SGV_MAX_SECONDS", "nan", "SGV_MAX_SECONDS can't be nan; choose a number of 0 or more."),
        (
            "SGV_QUANTIZATION",
            "fp8",
            "SGV_QUANTIZATION='fp8' is not nf4, int8 or none; set it to a valid value or unset it.",
        ),
        ("SGV_PERMALINKS", "maybe", "SGV_PERMALINKS='maybe' is neither yes nor no; set it to 1 or 0."),
        ("SGV_MAX_QUEUE", "x", "SGV_MAX_QUEUE='x' is not a whole number; set it to a valid value or unset it."),
    ],
)
def test_a_variable_that_cannot_be_used_is_one_sentence(name: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({name: value})
    assert str(caught.value) == sentence


def test_a_text_that_is_too_long_is_refused_in_one_sentence() -> None:
    settings = Settings(max_text=5)
    assert settings.bounded("12345", "question") == "12345"
    with pytest.raises(SettingsError, match="This question has 6 characters; write 5 at most"):
        settings.bounded("123456", "question")


def test_the_environment_is_read_at_the_door_only() -> None:
    doors = ("app.py", "sgv_demo/cli/", "sgv_demo/evaluation/commands.py")
    for file in [ROOT / "app.py", *sorted((ROOT / "sgv_demo").rglob("*.py"))]:
        name = file.relative_to(ROOT).as_posix()
        reads = any(
            isinstance(n, ast.Attribute) and n.attr == "from_env" for n in ast.walk(ast.parse(file.read_text()))
        )
        assert not reads or name.startswith(doors), f"{name} reads the environment; let it be given the settings"
