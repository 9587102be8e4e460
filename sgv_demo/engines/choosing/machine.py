"""Gathers `Facts` about this machine. A model library is imported only where a GPU seems to exist."""

from __future__ import annotations

import json
import logging
import platform
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import lru_cache
from pathlib import Path

from sgv_demo.engines.choosing.choose import Facts
from sgv_demo.engines.offers import MODELS
from sgv_demo.settings import Settings

log = logging.getLogger(__name__)

NVIDIA_SIGNS = ("/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version")
"""Files that exist where there is an NVIDIA driver (the second under WSL)."""
HUB_MINUTE = 60.0
"""Seconds for which an answer about the hub is believed."""


def gather(settings: Settings) -> Facts:
    """What is there now. Takes seconds where a GPU is looked at, and up to `hub_timeout` where the hub matters."""
    here = frozenset(hub_id for hub_id in wanted_ids() if cached_folder(hub_id))
    space = settings.space or settings.zero_gpu
    gpu, gpu_free, trouble, apple = "", 0, "", 0
    if not settings.zero_gpu:  # there CUDA must not start in this process, and its figures would be made up
        gpu, gpu_free, trouble = cuda() if seems_nvidia() else ("", 0, "")
        apple = 0 if gpu else mps_free()
    # Without a GPU and outside a Space nothing would be fetched, so nobody waits for the hub.
    hub = hub_answers(settings.hub_timeout) if space or gpu or apple else False
    return Facts(gpu, gpu_free, apple, ram_free(), here, hub, space, settings.zero_gpu, trouble)


def wanted_ids() -> list[str]:
    """Every hub id of the catalog."""
    return [model.hub_id for model in MODELS]


def cached_folder(hub_id: str) -> Path | None:
    """The local snapshot of a model whose files are all there; None for none or for a download that broke off."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, "config.json")
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder is not None and is_complete(folder) else None


def is_complete(folder: Path) -> bool:
    """Whether a folder has a config and all weights that its index names; nothing is read but JSON."""
    if not (folder / "config.json").is_file():
        return False
    for stem in ("model.safetensors", "pytorch_model.bin"):
        if (folder / stem).is_file():
            return True
        index = folder / f"{stem}.index.json"
        if index.is_file():
            try:
                names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            except (ValueError, KeyError, TypeError, AttributeError):
                return False
            return bool(names) and all((folder / str(name)).is_file() for name in names)
    return False


def ram_free() -> int:
    """Bytes of memory that can still be taken, a container's limit respected."""
    import psutil

    free = psutil.virtual_memory().available
    return min(free, _container_free(Path("/sys/fs/cgroup")) or free)


def _container_free(root: Path) -> int | None:
    try:
        limit = (root / "memory.max").read_text().strip()
        used = int((root / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return max(int(limit) - used, 1) if limit.isdigit() else None


def seems_nvidia() -> bool:
    """Whether there are signs of an NVIDIA driver, found without loading anything."""
    return any(Path(sign).exists() for sign in NVIDIA_SIGNS) or shutil.which("nvidia-smi") is not None


def cuda() -> tuple[str, int, str]:
    """(name, free bytes, "") of the first CUDA device, or ("", 0, why not)."""
    import torch

    if torch.version.cuda is None:
        return "", 0, "this PyTorch was built without CUDA; install the CUDA build"
    try:
        torch.cuda.init()
        return torch.cuda.get_device_name(0), torch.cuda.mem_get_info(0)[0], ""
    except (RuntimeError, AssertionError) as error:
        log.warning("CUDA can't be used: %s", error)
        return "", 0, cuda_trouble(str(error))


def cuda_trouble(message: str) -> str:
    """PyTorch's complaint in short, with the remedy."""
    if "too old" in message:
        return "its driver is too old for this PyTorch; update the driver, or install a PyTorch for an older CUDA"
    if "no NVIDIA" in message or "No CUDA GPUs" in message:
        return "no NVIDIA GPU answers; check nvidia-smi"
    if "out of memory" in message:
        return "its memory is full; close other programs"
    return (message.strip() or "CUDA does not start").splitlines()[0].rstrip(".")[:160]


def mps_free() -> int:
    """Bytes that Metal recommends to use on an Apple GPU, less what is used; 0 elsewhere."""
    if sys.platform != "darwin" or platform.machine() != "arm64":
        return 0
    import torch

    if not torch.backends.mps.is_available():
        return 0
    return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()


def hub_answers(timeout: float) -> bool:
    """Whether the model hub answers within `timeout` seconds; believed for a minute."""
    return _hub_answers(timeout, int(time.monotonic() / HUB_MINUTE))


@lru_cache(maxsize=1)
def _hub_answers(timeout: float, _minute: int) -> bool:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    return within(lambda: _fetch(constants.ENDPOINT, timeout), timeout)


def _fetch(address: str, timeout: float) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=timeout):
            return True
    except urllib.error.HTTPError:
        return True  # it answered
    except (OSError, ValueError):
        return False


def within(ask: Callable[[], bool], seconds: float) -> bool:
    """What `ask` says, or False when it takes longer. A daemon thread: name resolution knows no timeout."""
    answer: Future[bool] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
            answer.set_exception(error)

    threading.Thread(target=run, name="hub", daemon=True).start()
    try:
        return answer.result(seconds)
    except FutureTimeoutError:
        return False
