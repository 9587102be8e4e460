"""Writes a loaded, quantized network back to disk in the published layout, so that the next start is quick."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from sgv_demo.engines.sharegpt4video.config import Setup, write_preprocessing
from sgv_demo.engines.sharegpt4video.network import Network
from sgv_demo.errors import EngineError

TOWER = "vision_tower"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json")


def save_checkpoint(network: Network, setup: Setup, out: Path) -> None:
    """Saves weights as they are in memory, the tower's with them, and all that loading needs beside.

    Raises:
        EngineError: `out` isn't empty, can't be written, or the network isn't quantized.
    """
    quantization: Any = getattr(network.config, "quantization_config", None)
    if quantization is None:
        raise EngineError("These weights aren't quantized, so there is nothing to save; load them in nf4 or int8.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise EngineError(f"{out.name} is there already; name a new folder.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        network.save_pretrained(out)
        for name in TOKENIZER_FILES:
            if (setup.folder / name).is_file():
                shutil.copyfile(setup.folder / name, out / name)
        setup.vision.save_pretrained(out / TOWER)
        write_preprocessing(setup.preprocessing, out / TOWER)
        how = quantization if isinstance(quantization, dict) else quantization.to_dict()
        changed = {"quantization_config": how, "mm_vision_tower": TOWER, "unfreeze_mm_vision_tower": True}
        text = json.dumps({**setup.raw, **changed}, indent=1, default=str)
        (out / "config.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise EngineError(f"{out.name} can't be written: {error.strerror or error}.") from error
