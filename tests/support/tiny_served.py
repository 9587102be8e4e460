"""Makes a small LLaVA-NeXT checkpoint with random weights and a whole processor, as `transformers serve` wants it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

SIDE = 28
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: "
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<image>"
    "{% endif %}{% endfor %}{% endif %}\n{% endfor %}assistant: "
)


def make(folder: Path) -> Path:
    """Writes the checkpoint; its answers are letters."""
    tokenizer = _tokenizer()
    vocabulary = tokenizer.get_vocab()
    common = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    make_config: Any = LlavaNextConfig  # its annotations leave out names that it takes
    config = make_config(
        text_config={
            "model_type": "llama",
            "vocab_size": len(vocabulary),
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            **common,
        },
        vision_config={"model_type": "clip_vision_model", "image_size": SIDE, "patch_size": 14, **common},
        image_token_id=vocabulary["<image>"],
        image_grid_pinpoints=[[SIDE, 2 * SIDE], [2 * SIDE, SIDE]],
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
    )
    torch.manual_seed(0)
    network: Any = LlavaNextForConditionalGeneration(config)
    silent = torch.ones(len(vocabulary), dtype=torch.bool)
    silent[[vocabulary[letter] for letter in "abcdefghijklmnopqrstuvwxyz"]] = False
    with torch.no_grad():
        network.lm_head.weight.normal_()
        network.lm_head.weight[silent] = 0
    end = vocabulary["<end>"]
    network.generation_config.update(eos_token_id=end, pad_token_id=end)
    network.save_pretrained(folder)
    processor = LlavaNextProcessor(
        image_processor=LlavaNextImageProcessorPil(
            size={"shortest_edge": SIDE},
            crop_size={"height": SIDE, "width": SIDE},
            image_grid_pinpoints=[[SIDE, 2 * SIDE], [2 * SIDE, SIDE]],
        ),
        tokenizer=PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>"),
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(folder)
    return folder


def _tokenizer() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.add_special_tokens(
        [AddedToken(marker, special=True, normalized=False) for marker in ("<image>", "<end>")]
    )
    return tokenizer
