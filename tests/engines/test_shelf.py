"""Names to engines, the reason that is shown, one network for two roles, the rows of the panel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sgv_demo.engines import shelf as registry
from sgv_demo.engines.choosing import machine as surroundings
from sgv_demo.engines.choosing.choose import Facts
from sgv_demo.engines.local import hub, loading, memory
from sgv_demo.engines.offers import ANSWERER_MODEL, CAPTIONER_MODEL, SHARECAPTIONER, SMOL_500M
from sgv_demo.engines.turns.one_gpu import TurnAnswerer, TurnCaptioner
from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.settings import Settings
from sgv_demo.ui.engines import rows as panel
from sgv_demo.ui.engines.rows import Loaded, engine_rows, settings_for
from tests.support import tiny_smolvlm
from tests.support.fault_server import serving

PAIR = frozenset((CAPTIONER_MODEL, ANSWERER_MODEL))


@pytest.fixture
def machine(monkeypatch):
    """Says what the machine has."""

    def say(facts: Facts) -> None:
        registry._facts.cache_clear()
        registry._turns.cache_clear()
        monkeypatch.setattr(registry, "gather", lambda settings: facts)
        monkeypatch.setattr(panel, "gather", lambda settings: facts)

    yield say
    registry._facts.cache_clear()
    registry._turns.cache_clear()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    torch.set_num_threads(2)
    return tiny_smolvlm.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (Settings(engine="measured"), ("measured", "measured")),
        (Settings(engine="official"), ("sharecaptioner", "sharegpt4video")),
        (Settings(engine="sharecaptioner"), ("sharecaptioner", "measured")),
        (Settings(engine="sharegpt4video"), ("measured", "sharegpt4video")),
        (Settings(engine="smolvlm2"), ("smolvlm2", "smolvlm2")),
        (Settings(engine="smolvlm2", captioner="a/b", answerer="a/b"), ("smolvlm2", "smolvlm2")),
        (Settings(engine="remote"), ("remote", "remote")),
        (Settings(base_url="http://a/v1"), ("remote", "remote")),
        (Settings(engine="measured", captioner="a/b"), ("sharecaptioner", "measured")),
        (Settings(), ("measured", "measured")),
    ],
)
def test_names(machine, settings: Settings, names: tuple[str, str]) -> None:
    machine(Facts(ram_free=10**10))
    assert (registry.captioner_name(settings), registry.answerer_name(settings)) == names
    assert registry.why(settings).endswith(".")


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(SettingsError, match="smolvlm2, remote, official or auto"):
        registry.captioner_name(Settings(engine="gpt"))


def test_both_roles_share_one_small_network(tiny) -> None:
    settings = Settings(engine="smolvlm2", captioner=str(tiny), answerer=str(tiny), dtype="float32")
    captioner = registry.load_captioner(settings)
    assert registry.load_answerer(settings) is captioner
    assert captioner.info.name == "smolvlm2"
    assert (memory.taken(captioner) or 0) >= 0


def test_an_unloaded_small_network_is_not_handed_out_again(tiny) -> None:
    from sgv_demo.engines.smolvlm import engine as smolvlm

    settings = Settings(engine="smolvlm2", captioner=str(tiny), answerer=str(tiny), dtype="float32")
    first = registry.load_captioner(settings)
    assert isinstance(first, smolvlm.SmolVLM)
    first.unload()
    second = registry.load_answerer(settings)
    assert isinstance(second, smolvlm.SmolVLM)
    assert second is not first
    assert second.loaded


def test_auto_loads_what_is_here_from_its_folder_without_asking_the_hub(machine, monkeypatch, tiny, tmp_path) -> None:
    folder = tmp_path / "models--HuggingFaceTB--SmolVLM2-500M-Video-Instruct" / "snapshots" / "0123abc"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tiny)
    machine(Facts(ram_free=10**10, here=frozenset((SMOL_500M.hub_id,))))
    monkeypatch.setattr(registry, "cached_folder", lambda hub_id: folder)
    monkeypatch.setattr(hub, "_ask_hub", lambda *_: pytest.fail("the hub was asked"))
    engine = registry.load_captioner(Settings())
    assert engine.info.model == SMOL_500M.hub_id


def test_remote_is_made_from_settings() -> None:
    with serving() as faults:
        settings = Settings(engine="remote", base_url=faults.url)
        assert registry.load_captioner(settings).info.name == "remote"
        assert registry.load_answerer(settings).info.model == "tiny"


def test_who_takes_turns(machine) -> None:
    machine(Facts(gpu="x", gpu_free=8_190_000_000, here=PAIR))
    assert registry.takes_turns(Settings())
    assert registry.takes_turns(Settings(engine="official"))
    assert not registry.takes_turns(Settings(engine="sharecaptioner"))
    machine(Facts(gpu="x", gpu_free=16_000_000_000, here=PAIR))
    assert not registry.takes_turns(Settings())
    machine(Facts(ram_free=8_000_000_000))
    assert not registry.takes_turns(Settings(engine="official"))
    machine(Facts(zero_gpu=True, space=True, hub=True))
    assert not registry.takes_turns(Settings(engine="official", zero_gpu=True))


def test_two_that_take_turns_are_wrapped(machine, monkeypatch, tiny) -> None:
    from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
    from sgv_demo.engines.sharegpt4video import engine as sharegpt4video
    from sgv_demo.engines.smolvlm import engine as smolvlm

    made = []

    def load(model: str, **options: object) -> smolvlm.SmolVLM:
        made.append((model, options["quantization"]))
        return smolvlm.load(str(tiny), dtype="float32", device="cpu")

    monkeypatch.setattr(sharecaptioner, "load", load)
    monkeypatch.setattr(sharegpt4video, "load", load)
    machine(Facts(gpu="x", gpu_free=8_190_000_000))
    settings = Settings(engine="official")
    assert isinstance(registry.load_captioner(settings), TurnCaptioner)
    assert isinstance(registry.load_answerer(settings), TurnAnswerer)
    assert made == [(CAPTIONER_MODEL, "nf4"), (ANSWERER_MODEL, "nf4")]


def test_an_apple_gpu_gets_no_quantization(monkeypatch) -> None:
    monkeypatch.setattr(registry.sys, "platform", "darwin")
    monkeypatch.setattr(registry.platform, "machine", lambda: "arm64")
    assert registry.precision(Settings()) == "none"
    monkeypatch.setattr(registry.sys, "platform", "linux")
    assert registry.precision(Settings()) == "nf4"


def rows_by_key(settings: Settings, loaded: Loaded | None = None):
    return {row.key: row for row in engine_rows(settings, loaded)}


BIG = f"sharecaptioner:{CAPTIONER_MODEL}"
SMALL = f"smolvlm2:{SMOL_500M.hub_id}"


def test_rows_say_what_a_person_wants_to_know(machine) -> None:
    machine(Facts(ram_free=10**10, here=frozenset((SMOL_500M.hub_id,))))
    rows = rows_by_key(Settings())
    assert len(rows) == 7
    big, small = rows[BIG], rows[SMALL]
    assert (big.state, big.download) == ("to download", SHARECAPTIONER.download)
    assert big.detail == "17.2 GB to download"
    assert (small.state, small.download, small.chosen) == ("available", 0, True)
    assert (small.there, small.place) == (10**10, "memory")
    assert not rows["measured"].chosen
    assert rows["measured"].state == "ready"
    assert rows["remote"].state == "not set up"
    assert rows["remote"].detail == "Start the page with --base-url or SGV_BASE_URL."
    assert all(row.licence and row.label and row.about and row.roles for row in rows.values())


def test_rows_follow_loading(machine) -> None:
    machine(Facts(ram_free=10**10))
    busy = rows_by_key(Settings(), Loaded(stages={BIG: ("Downloading x (1.0 GB of 17.4 GB)", 0.06)}))[BIG]
    assert (busy.state, busy.detail) == ("downloading", "Downloading x (1.0 GB of 17.4 GB) 6%")
    loading_row = rows_by_key(Settings(), Loaded(stages={BIG: ("Loading x", None)}))[BIG]
    assert (loading_row.state, loading_row.detail) == ("loading", "Loading x")
    failed = rows_by_key(Settings(), Loaded(failures={BIG: "No room."}))[BIG]
    assert (failed.state, failed.detail) == ("failed", "No room.")

    class Engine:
        pass

    engine = memory.measured(Engine)
    ready = rows_by_key(Settings(), Loaded({BIG: engine}, failures={BIG: "No room."}))[BIG]
    assert (ready.state, ready.taken) == ("ready", memory.taken(engine))


def test_what_does_not_fit_says_so(machine) -> None:
    machine(Facts(gpu="x", gpu_free=6_000_000_000))
    row = rows_by_key(Settings())[BIG]
    assert (row.state, row.place) == ("too large", "GPU")
    assert row.detail == "needs 7.7 GB, 6.0 GB are free"


def test_zero_gpu_is_never_too_small(machine) -> None:
    machine(Facts(zero_gpu=True, space=True, hub=True))
    assert rows_by_key(Settings(zero_gpu=True))[BIG].state == "to download"


def test_settings_of_a_row_mean_its_engine(machine) -> None:
    machine(Facts(ram_free=10**10))
    rows = rows_by_key(Settings())
    small = settings_for(rows[SMALL], Settings())
    assert (small.engine, small.captioner, small.answerer) == ("smolvlm2", SMOL_500M.hub_id, SMOL_500M.hub_id)
    big = settings_for(rows[BIG], Settings())
    assert (registry.captioner_name(big), registry.answerer_name(big)) == ("sharecaptioner", "measured")
    assert settings_for(rows["measured"], replace(Settings(), captioner="x/y")).captioner == ""


def test_a_choice_stays_while_models_fill_the_memory(monkeypatch) -> None:
    registry._facts.cache_clear()
    free = iter((16_000_000_000, 1_000_000_000))
    monkeypatch.setattr(registry, "gather", lambda settings: Facts(gpu="x", gpu_free=next(free), here=PAIR))
    before = registry.plan(Settings())
    assert registry.plan(Settings(port=1)) == before
    registry._facts.cache_clear()


def test_a_hub_that_is_gone_and_a_model_that_is_not_here(monkeypatch) -> None:
    monkeypatch.setattr(hub.HfApi, "model_info", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(EngineError, match="hub did not answer"):
        registry.load_captioner(Settings(engine="smolvlm2", captioner="nobody/nothing-at-all"))


def test_memory_taken_is_measured(monkeypatch) -> None:
    class Engine:
        pass

    assert memory.in_use() > 1_000_000
    readings = iter((100, 350, 350, 300))  # real ones would depend on what earlier tests happen to free meanwhile
    monkeypatch.setattr(memory, "in_use", lambda: next(readings))
    assert memory.taken(memory.measured(Engine)) == 250
    assert memory.taken(memory.measured(Engine)) == 0
    assert memory.taken(Engine()) is None


def test_cached_folder_reads_the_hubs_layout(monkeypatch, tmp_path, tiny) -> None:
    snapshot = tmp_path / "models--a--b" / "snapshots" / "abc123"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(tiny)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: str(snapshot / "config.json"))
    assert surroundings.cached_folder("a/b") == snapshot
    assert loading.model_label(str(snapshot)) == "a/b"
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    assert surroundings.cached_folder("a/b") is None


def test_the_command_line_names_servers_and_models(monkeypatch) -> None:
    from sgv_demo.cli import main

    def load(settings: Settings, **_: object) -> None:
        found.append(settings)
        raise SettingsError("enough")

    found: list[Settings] = []
    monkeypatch.setattr("sgv_demo.engines.shelf.load_captioner", load)
    line = "caption a.mp4 --engine remote --base-url http://a/v1,http://b/v1 --model big"
    assert main(line.split()) == 1
    (settings,) = found
    assert (settings.engine, settings.base_url, settings.remote_model) == ("remote", "http://a/v1,http://b/v1", "big")


def test_engines_says_what_was_chosen_and_why(capsys) -> None:
    from sgv_demo.cli import main

    assert main(["engines", "--engine", "smolvlm2"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("SmolVLM2, a small general model: as the settings say.")
