"""Makes a small SmolVLM2 checkpoint with random weights in the published layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

SIDE = 32
MARKERS = (
    "<|im_start|>",
    "<end_of_utterance>",
    "<fake_token_around_image>",
    "<image>",
    "<global-img>",
    "<row_1_col_1>",
)


def make(folder: Path, *, seed: int = 0, positions: int = 2048) -> Path:
    """Writes the checkpoint into `folder`; its answers are letters, and it never ends one by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = tokenizer.get_vocab()
    ids = {marker: vocabulary[marker] for marker in MARKERS}
    end = ids["<end_of_utterance>"]
    _write(folder / "tokenizer_config.json", {"eos_token": "<end_of_utterance>", "bos_token": "<|im_start|>"})
    _write(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "SmolVLMImageProcessor",
            "do_convert_rgb": True,
            "do_image_splitting": True,
            "do_pad": True,
            "size": {"longest_edge": 4 * SIDE},
            "max_image_size": {"longest_edge": SIDE},
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
        },
    )
    torch.manual_seed(seed)
    network: Any = SmolVLMForConditionalGeneration(_config(ids["<image>"], end, tokenizer.get_vocab_size(), positions))
    letters = [tokenizer.token_to_id(letter) for letter in "abcdefghijklmnopqrstuvwxyz"]
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.ndim > 1:
                value.normal_(0, 0.6 if "connector" in name or "embed" in name else 0.3)
        silent = torch.ones(network.lm_head.weight.shape[0], dtype=torch.bool)
        silent[letters] = False
        network.lm_head.weight[silent] = 0
    network.generation_config.update(eos_token_id=end, bos_token_id=ids["<|im_start|>"], pad_token_id=end)
    network.save_pretrained(folder)
    return folder


def _config(image: int, end: int, vocabulary: int, positions: int) -> SmolVLMConfig:
    common = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return SmolVLMConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": vocabulary,
            "num_key_value_heads": 2,
            "max_position_embeddings": positions,
            "eos_token_id": end,
            "pad_token_id": end,
            **common,
        },
        vision_config={"model_type": "smolvlm_vision", "image_size": SIDE, "patch_size": 8, **common},
        image_token_id=image,
        scale_factor=2,
        tie_word_embeddings=False,
    )


def _tokenizer() -> Tokenizer:
    """One token for each byte, after them the markers."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in MARKERS])
    return tokenizer


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
