"""What is chosen on which machine, the arithmetic of "fits" at its edges, and what is found out about a machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from sgv_demo.engines import offers as catalog
from sgv_demo.engines.choosing import choose as choosing
from sgv_demo.engines.choosing import machine as surroundings
from sgv_demo.engines.choosing.choose import MARGIN, Facts, choose, fits, needed, take_turns
from sgv_demo.engines.offers import ANSWERER_MODEL, CAPTIONER_MODEL, OFFICIAL, SHARECAPTIONER, SHAREGPT4VIDEO, SMOL
from sgv_demo.errors import SettingsError
from sgv_demo.settings import Settings

GIB = 1 << 30
PAIR = frozenset((CAPTIONER_MODEL, ANSWERER_MODEL))
SMALL = frozenset(model.hub_id for model in SMOL)
CONTEXT = 400_000_000
"""Bytes that CUDA itself takes on a card before anything is free."""


def card(gib: float) -> int:
    return round(gib * GIB) - CONTEXT


@pytest.mark.parametrize(
    ("facts", "captioner", "answerer", "swap", "says"),
    [
        (Facts(gpu="24 GB", gpu_free=card(24), here=PAIR), "sharecaptioner", "sharegpt4video", False, "both kept"),
        (Facts(gpu="16 GB", gpu_free=card(16), here=PAIR), "sharecaptioner", "sharegpt4video", False, "both kept"),
        (Facts(gpu="12 GB", gpu_free=card(12), here=PAIR), "sharecaptioner", "sharegpt4video", True, "taking turns"),
        (Facts(gpu="8 GB", gpu_free=card(8), here=PAIR), "sharecaptioner", "sharegpt4video", True, "taking turns"),
        (Facts(gpu="6 GB", gpu_free=card(6), here=PAIR | SMALL), "smolvlm2", "smolvlm2", False, "needs 7.9 GB"),
        (Facts(gpu="6 GB", gpu_free=card(6), here=PAIR), "measured", "measured", False, "needs 7.9 GB"),
        (Facts(gpu="24 GB", gpu_free=card(24), hub=True), "measured", "measured", False, "--engine official"),
        (Facts(gpu="24 GB", gpu_free=card(24)), "measured", "measured", False, "hub does not answer"),
        (Facts(gpu="24 GB", gpu_free=card(24), here=SMALL), "smolvlm2", "smolvlm2", False, "must be fetched"),
        (
            Facts(gpu="24 GB", gpu_free=card(24), hub=True, space=True),
            "sharecaptioner",
            "sharegpt4video",
            False,
            "kept",
        ),
        (
            Facts(gpu="A", gpu_free=card(24), here=frozenset((CAPTIONER_MODEL,))),
            "sharecaptioner",
            "measured",
            False,
            "",
        ),
        (
            Facts(gpu="A", gpu_free=card(24), here=frozenset((ANSWERER_MODEL,))),
            "measured",
            "sharegpt4video",
            False,
            "",
        ),
        (Facts(zero_gpu=True, space=True, hub=True), "sharecaptioner", "sharegpt4video", False, "ZeroGPU"),
        (Facts(mps_free=40 * GIB, here=PAIR), "sharecaptioner", "sharegpt4video", False, "16 bit"),
        (Facts(mps_free=24 * GIB, here=PAIR), "sharecaptioner", "sharegpt4video", True, "16 bit"),
        (Facts(mps_free=12 * GIB, here=PAIR | SMALL), "smolvlm2", "smolvlm2", False, "needs"),
        (Facts(ram_free=8 * GIB, here=SMALL), "smolvlm2", "smolvlm2", False, "no GPU"),
        (Facts(ram_free=64 * GIB, here=PAIR), "measured", "measured", False, "no GPU"),
        (Facts(ram_free=64 * GIB, hub=True), "measured", "measured", False, "no GPU"),
        (Facts(ram_free=16 * GIB, hub=True, space=True), "smolvlm2", "smolvlm2", False, "no GPU"),
        (Facts(ram_free=1 * GIB, here=SMALL), "measured", "measured", False, "no GPU"),
        (Facts(ram_free=8 * GIB, trouble="its driver is too old"), "measured", "measured", False, "driver is too old"),
    ],
)
def test_choice(facts: Facts, captioner: str, answerer: str, swap: bool, says: str) -> None:
    plan = choose(facts)
    assert (plan.captioner.engine, plan.answerer.engine, "taking turns" in plan.why) == (captioner, answerer, swap)
    assert says in plan.why
    assert plan.why.endswith(".")
    assert "\n" not in plan.why


def test_the_reason_names_what_was_chosen() -> None:
    assert choose(Facts(ram_free=8 * GIB)).why.startswith("Measured, no language model: ")
    assert choose(Facts(ram_free=8 * GIB, here=SMALL)).why.startswith("SmolVLM2 500M: ")
    both = choose(Facts(gpu="T4", gpu_free=card(16), here=PAIR)).why
    assert both == (
        "ShareCaptioner-Video 7B and ShareGPT4Video 8B in 4 bit (nf4), both kept in memory: T4 with 16.8 GB free."
    )


@pytest.mark.parametrize("model", catalog.OFFICIAL, ids=lambda model: model.engine)
@pytest.mark.parametrize("quantization", ["nf4", "int8", "none"])
def test_fits_to_the_byte(model: catalog.Model, quantization: str) -> None:
    edge = needed(model, quantization, "cuda") + MARGIN
    assert fits(model, quantization, edge)
    assert not fits(model, quantization, edge - 1)


def test_both_stay_to_the_byte() -> None:
    edge = 6_840_000_000 + 6_350_000_000 + 850_000_000 + MARGIN
    for free, in_turns in ((edge, False), (edge - 1, True)):
        facts = Facts(gpu="x", gpu_free=free, here=PAIR)
        assert take_turns(facts, OFFICIAL, "nf4") is in_turns
        assert ("taking turns" in choose(facts).why) is in_turns
        assert not take_turns(facts, OFFICIAL[:1], "nf4")


def test_one_that_fits_alone_is_taken_and_the_other_is_not() -> None:
    edge = needed(SHARECAPTIONER, "nf4", "cuda") + MARGIN
    plan = choose(Facts(gpu="x", gpu_free=edge - 1, here=PAIR))
    assert (plan.captioner.engine, plan.answerer.engine) == ("measured", "sharegpt4video")


def test_what_the_big_one_takes_is_not_there_for_a_small_one() -> None:
    edge = needed(SHARECAPTIONER, "nf4", "cuda") + MARGIN
    here = frozenset((CAPTIONER_MODEL,)) | SMALL
    assert choose(Facts(gpu="x", gpu_free=edge, here=here)).answerer.engine == "measured"
    small = needed(catalog.SMOL_256M, "none", "cuda")
    assert choose(Facts(gpu="x", gpu_free=edge + small, here=here)).answerer.model is catalog.SMOL_256M


def test_where_nothing_is_here_the_best_is_fetched_and_not_the_smallest() -> None:
    assert choose(Facts(ram_free=16 * GIB, hub=True, space=True)).captioner.model is catalog.SMOL_500M
    assert choose(Facts(ram_free=16 * GIB, space=True)).captioner.engine == "measured"


def test_a_cpu_takes_a_small_one_and_a_gpu_the_largest_that_fits() -> None:
    cpu = choose(Facts(ram_free=32 * GIB, here=SMALL)).captioner.model
    gpu = choose(Facts(gpu="x", gpu_free=card(8) - 10**9, here=SMALL)).captioner.model
    assert cpu is catalog.SMOL_500M
    assert gpu is catalog.SMOL_2B


def test_what_is_here_comes_before_a_better_one_that_would_be_fetched() -> None:
    facts = Facts(ram_free=32 * GIB, here=frozenset((catalog.SMOL_256M.hub_id,)), hub=True, space=True)
    pick = choose(facts).captioner
    assert pick.model is catalog.SMOL_256M
    assert pick.download == 0


def test_a_download_is_announced_in_a_space_and_never_made_elsewhere() -> None:
    assert choose(Facts(zero_gpu=True, space=True, hub=True)).captioner.download == SHARECAPTIONER.download
    for facts in (Facts(gpu="x", gpu_free=card(80), hub=True), Facts(mps_free=card(80), hub=True)):
        assert choose(facts).captioner.download == choose(facts).answerer.download == 0


def test_the_catalog_says_what_the_networks_say() -> None:
    from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
    from sgv_demo.engines.sharegpt4video import engine as sharegpt4video
    from sgv_demo.engines.smolvlm import engine as smolvlm

    figures = sharecaptioner.figures()
    for kind, size in SHARECAPTIONER.weights.items():
        assert figures["weights_bytes"][kind] == pytest.approx(size, rel=0.005)
    working = figures["fast_nf4_bytes"] - figures["weights_bytes"]["nf4"]
    assert working == pytest.approx(SHARECAPTIONER.working, rel=0.02)
    figures = sharegpt4video.figures()
    for kind, size in SHAREGPT4VIDEO.weights.items():
        assert figures["weights_bytes"][kind] == pytest.approx(size, rel=0.005)
    working = figures["nf4_bytes"] - figures["weights_bytes"]["nf4"]
    assert working == pytest.approx(SHAREGPT4VIDEO.working, rel=0.02)
    for model in SMOL:
        assert smolvlm.figures(model.hub_id)["weights_bytes"] == model.weights["none"]


def test_deciding_loads_no_model_library() -> None:
    code = (
        "import sys; from sgv_demo.engines.choosing import choose, machine; from sgv_demo.settings import Settings;"
        "machine.seems_nvidia = lambda: False;"
        "choose.choose(machine.gather(Settings()));"
        "print([name for name in ('torch', 'transformers', 'gradio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def write(folder, **files: object) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(json.dumps(content))


def test_a_partial_download_does_not_count_as_here(tmp_path) -> None:
    table = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    write(tmp_path, config__json={}, model__safetensors__index__json=table, one__safetensors={})
    assert not surroundings.is_complete(tmp_path)
    write(tmp_path, two__safetensors={})
    assert surroundings.is_complete(tmp_path)
    (tmp_path / "config.json").unlink()
    assert not surroundings.is_complete(tmp_path)


@pytest.mark.parametrize("index", ["{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}'])
def test_a_damaged_index_does_not_count_as_here(tmp_path, index: str) -> None:
    write(tmp_path, config__json={})
    (tmp_path / "model.safetensors.index.json").write_text(index)
    assert not surroundings.is_complete(tmp_path)


def test_a_broken_link_of_the_cache_does_not_count_as_here(tmp_path) -> None:
    write(tmp_path, config__json={})
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "blobs" / "missing")
    assert not surroundings.is_complete(tmp_path)


def test_a_hanging_hub_is_given_up_in_time() -> None:
    began = time.monotonic()
    assert not surroundings.within(lambda: bool(time.sleep(30)) or True, 0.2)
    assert time.monotonic() - began < 5
    assert surroundings.within(lambda: True, 5)


def test_an_offline_hub_is_not_asked(monkeypatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    surroundings._hub_answers.cache_clear()
    assert not surroundings.hub_answers(0.1)
    surroundings._hub_answers.cache_clear()


def test_zero_gpu_never_looks_at_cuda(monkeypatch) -> None:
    def refuse() -> tuple[str, int, str]:
        raise AssertionError("CUDA was started in the parent")

    monkeypatch.setattr(surroundings, "seems_nvidia", lambda: True)
    monkeypatch.setattr(surroundings, "cuda", refuse)
    monkeypatch.setattr(surroundings, "hub_answers", lambda timeout: True)
    facts = surroundings.gather(Settings(zero_gpu=True))
    assert facts.zero_gpu
    assert facts.space


def test_a_container_limit_counts(tmp_path) -> None:
    (tmp_path / "memory.max").write_text("2000\n")
    (tmp_path / "memory.current").write_text("500\n")
    assert surroundings._container_free(tmp_path) == 1500
    (tmp_path / "memory.max").write_text("max\n")
    assert surroundings._container_free(tmp_path) is None
    assert surroundings._container_free(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("The NVIDIA driver on your system is too old (found version 11040). Please update", "update the driver"),
        ("Found no NVIDIA driver on your system.", "nvidia-smi"),
        ("No CUDA GPUs are available", "nvidia-smi"),
        ("CUDA error: out of memory\nCUDA kernel errors might", "memory is full"),
        ("", "does not start"),
    ],
)
def test_cuda_trouble_names_a_remedy(message: str, says: str) -> None:
    assert says in surroundings.cuda_trouble(message)


def test_a_torch_without_cuda_is_named_where_there_is_a_gpu(monkeypatch) -> None:
    import torch

    monkeypatch.setattr(torch.version, "cuda", None)
    assert "without CUDA" in surroundings.cuda()[2]


def test_an_old_driver_is_named(monkeypatch) -> None:
    import torch

    def init() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")

    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "init", init)
    name, free, trouble = surroundings.cuda()
    assert (name, free) == ("", 0)
    assert "driver is too old" in choose(Facts(trouble=trouble)).why
    assert choosing.choose(Facts(trouble=trouble)).captioner == choosing.MEASURED


def test_a_space_and_zero_gpu_are_known_from_the_environment() -> None:
    found = Settings.from_env({"SPACE_ID": "a/b", "SPACES_ZERO_GPU": "true"})
    assert found.space
    assert found.zero_gpu
    assert not Settings.from_env({"SPACES_ZERO_GPU": "0"}).zero_gpu
    assert not Settings.from_env({"SGV_ZERO_GPU": "no", "SPACES_ZERO_GPU": "1"}).zero_gpu
    assert Settings.from_env({"SGV_VISITOR_URLS": "yes"}).visitor_urls
    with pytest.raises(SettingsError, match="SGV_VISITOR_URLS='maybe' is neither yes nor no"):
        Settings.from_env({"SGV_VISITOR_URLS": "maybe"})
