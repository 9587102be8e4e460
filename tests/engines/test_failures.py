"""What goes wrong around models: each is named with its remedy, and nothing that was finished is lost."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants

from sgv_demo.engines import shelf as registry
from sgv_demo.engines.choosing import machine as surroundings
from sgv_demo.engines.local import hub, loading
from sgv_demo.engines.remote import engine as remote
from sgv_demo.engines.smolvlm import checkpoint as smol_checkpoint
from sgv_demo.engines.smolvlm import engine as smolvlm
from sgv_demo.errors import EngineError, OutOfMemoryError
from sgv_demo.events import Captioned, Failed, Finished
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.pipeline import analyze
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from tests.support import tiny_smolvlm
from tests.support.fault_server import serving
from tests.support.hub_server import Hub, serving_hub
from tests.support.video_files import write_clip

NAME = "someone/tiny-smolvlm2"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    torch.set_num_threads(2)
    return tiny_smolvlm.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def served(tiny, tmp_path, monkeypatch) -> Iterator[Hub]:
    """A hub with the tiny model, and an empty cache."""
    cache = str(tmp_path / "cache")
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.setattr(constants, name, cache, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with serving_hub(tiny, NAME) as found:
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", found.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield found


def test_a_download_is_told_and_used_and_not_made_twice(served) -> None:
    told: list[tuple[str, float | None]] = []
    engine = smolvlm.load(NAME, device="cpu", timeout=20, progress=lambda text, share: told.append((text, share)))
    assert engine.info.model == NAME
    texts = [text for text, _ in told]
    assert any(text.startswith(f"Downloading {NAME} (") for text in texts)
    assert f"Checking {NAME}" in texts
    before = len(served.sent)
    folder = hub.resolve_model(NAME, timeout=20)
    assert len(served.sent) == before
    assert surroundings.cached_folder(NAME) == folder
    assert surroundings.hub_answers(20)


def test_a_hub_that_went_away_does_not_matter_once_the_model_is_here(served, monkeypatch) -> None:
    folder = hub.resolve_model(NAME, timeout=20)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert hub.resolve_model(NAME, timeout=2) == folder


def test_a_download_that_breaks_off_is_named_and_repeats_only_what_is_missing(served) -> None:
    served.break_after = 50_000
    with pytest.raises(EngineError, match=r"tiny-smolvlm2 broke off \(.*; try again, what arrived whole is kept"):
        hub.resolve_model(NAME, timeout=20)
    assert surroundings.cached_folder(NAME) is None
    served.break_after = None
    folder = hub.resolve_model(NAME, timeout=20)
    assert surroundings.cached_folder(NAME) == folder
    names = [name for name, _ in served.sent]
    assert names.count("model.safetensors") > 1
    assert names.count("tokenizer.json") == 1
    assert not list(folder.parent.parent.glob("blobs/*.incomplete"))


def test_a_wrong_checksum_is_named_and_the_file_fetched_again(served) -> None:
    served.flip = True
    with pytest.raises(EngineError, match=r"model\.safetensors arrived damaged .*checksum.* load it again"):
        hub.resolve_model(NAME, timeout=20)
    assert surroundings.cached_folder(NAME) is None
    served.flip = False
    folder = hub.resolve_model(NAME, timeout=20)
    assert (folder / "model.safetensors").read_bytes() == served.files["model.safetensors"]


def test_a_disk_too_small_is_named_before_the_download(served, monkeypatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(EngineError, match=r"takes .* and the disk has 0 MB left; free some space, or set HF_HOME"):
        hub.resolve_model(NAME, timeout=20)
    assert not served.sent


def test_a_disk_that_fills_up_is_named(served, monkeypatch) -> None:
    download = hub.snapshot_download

    def full(*given: Any, dry_run: bool = False, **more: Any) -> Any:
        if dry_run:
            return download(*given, dry_run=True, **more)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub, "snapshot_download", full)
    with pytest.raises(EngineError, match=r"No space left on device\); free some disk space"):
        hub.resolve_model(NAME, timeout=20)


def test_a_model_that_the_hub_does_not_have(served) -> None:
    with pytest.raises(EngineError, match="nobody"):
        hub.resolve_model("nobody/nothing", timeout=20)


def test_a_log_in_page_instead_of_the_hub(served) -> None:
    served.portal = True
    with pytest.raises(EngineError, match="hub did not answer"):
        hub.resolve_model(NAME, timeout=20)


def test_a_gpu_that_is_full_at_loading_is_named(tiny, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(smol_checkpoint.SmolVLMForConditionalGeneration, "from_pretrained", full)
    with pytest.raises(OutOfMemoryError, match="more memory than cpu has; use nf4, fewer frames, or the measured"):
        smolvlm.load(str(tiny), device="cpu")


def test_too_little_memory_is_named_before_loading(tiny, monkeypatch) -> None:
    monkeypatch.setattr(loading, "free_memory", lambda device: 1000)
    with pytest.raises(OutOfMemoryError, match="0 MB are free"):
        smolvlm.load(str(tiny), device="cpu")


def test_the_app_lives_on_with_another_engine(served) -> None:
    served.flip = True
    with pytest.raises(EngineError):
        registry.load_captioner(Settings(engine="smolvlm2", captioner=NAME, hub_timeout=20))
    assert registry.load_captioner(Settings(engine="measured")).info.name == "measured"


@pytest.mark.parametrize("fault", ["cut", "500", "401"])
def test_a_server_gone_in_the_middle_loses_nothing_that_was_finished(fault: str, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("sgv_demo.engines.remote.servers.FIRST_WAIT", 0.01)
    video = write_clip(tmp_path / "clip.mp4", count=100)
    options = AnalysisOptions(SamplingOptions(every=2, keep_all=True, measure=False))
    store = Store(tmp_path / "store", 100)
    with serving("ok", "ok", fault) as faults:
        engine = remote.load(Settings(base_url=faults.url))
        first = list(analyze(video, engine, options, Settings(), store=store))
        assert len([event for event in first if isinstance(event, Captioned)]) == 2
        assert isinstance(first[-1], Failed)
        assert first[-1].failure.index == 2
        faults.plan[:] = ["ok"]
        asked = len(faults.requests)
        second = list(analyze(video, engine, options, Settings(), store=store))
        captions = [event for event in second if isinstance(event, Captioned)]
        assert [event.from_store for event in captions[:3]] == [True, True, False]
        assert isinstance(second[-1], Finished)
        assert len(faults.requests) - asked == len(captions) - 2 + 1
