"""Every prompt that the models were trained with, word for word, as pure functions of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sgv_demo.types import Turn

START_OF_TURN = "[UNUSED_TOKEN_146]"
END_OF_TURN = "[UNUSED_TOKEN_145]"
"""ShareCaptioner-Video's turn markers (InternLM2 also knows them as <|im_start|> and <|im_end|>)."""

FIRST_FRAME = "This is the first frame of a video, describe it in detail."
"""Sliding captions, the first keyframe. All these prompts: captioner/app.py of commit 7e02ee6, typos included."""

KEY_FRAMES = "Here are a few key frames of a video, discribe this video in detail."
"""Fast captions: all keyframes in one column."""


def captioner_prompt(question: str) -> str:
    """The text of one turn, without the beginning-of-text token; a picture goes between that token and this text."""
    return f"{START_OF_TURN}user\n{question}{END_OF_TURN}\n{START_OF_TURN}assistant\n"


def pair(before: tuple[int, float], after: tuple[int, float], previous: str) -> str:
    """Sliding captions, two neighbouring keyframes.

    Args:
        before: number, counted from 0, and seconds of the earlier keyframe.
        after: of the later one.
        previous: the caption just before, trimmed.
    """
    frames = " and ".join(f"Video frame {index} at {time:.2f} Second(s)" for index, time in (before, after))
    return f"Here are the {frames} of a video, describe what happend between them. What happend before is: {previous}"


def summary(captions: Sequence[tuple[int, float, str]]) -> str:
    """Clip summary: (number, counted from 0; seconds; text) of each caption. The prompt counts frames from 1."""
    lines = [f"Video frame {index + 1} at {time:.2f} Second(s) description: {text}\n" for index, time, text in captions]
    return "Summarize the following per frame descriptions:\n" + "".join(lines)


def recaption(text: str) -> str:
    """From a short generation prompt to a caption like those that the model was trained to write."""
    return f"Translate this brief generation prompt into a detailed caption: {text}"


ANSWERER_SYSTEM = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user"
    " provides, and assist the user with a variety of tasks using natural language."
)
"""ShareGPT4Video-8B's system text (`llava_llama_3` conversation of the published code, commit 7e02ee6)."""

ANSWERER_PREFACE = (
    "The provided image arranges keyframes from a video in a grid view, keyframes are separated with white bands."
    " Answer concisely with overall content and context of the video, highlighting any significant events, characters,"
    " or objects that appear throughout the frames."
)
"""Stands between the picture and the first question, with no space after it (run.py and app.py of commit 7e02ee6)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a prompt."""

    text: str
    marker: bool = False
    """True for the template's own control tokens; the same characters typed by a user stay text."""
    ids: tuple[int, ...] = ()
    """The text's tokens where they are known already: an answer as it was generated."""


IMAGE = Piece("<image>", marker=True)
"""Where the picture goes."""


def answerer_prompt(question: str, history: Sequence[Turn], picture: bool) -> list[Piece]:
    """The Llama-3 conversation that ShareGPT4Video-8B was trained on, up to where its answer begins.

    Args:
        question: the new question, as typed.
        history: earlier turns, oldest first; `Turn.token_ids` are taken for the answer's tokens as they are.
        picture: whether there is one. It and the preface stand once, in the first user turn: the published demo
            repeats both at every turn, which shows the model a tile as a second picture and then crashes.
    """
    pieces = [_marker("<|begin_of_text|>"), *_header("system"), Piece("\n\n" + ANSWERER_SYSTEM), _marker("<|eot_id|>")]
    for i, turn in enumerate((*history, Turn(question, ""))):
        pieces += _header("user")
        if picture and i == 0:
            pieces += [Piece("\n\n"), IMAGE, Piece("\n" + ANSWERER_PREFACE + turn.question)]
        else:
            pieces.append(Piece("\n\n" + turn.question))
        pieces += [_marker("<|eot_id|>"), *_header("assistant")]
        if i == len(history):
            pieces.append(Piece("\n\n"))
        elif turn.token_ids:
            pieces += [Piece("\n\n"), Piece(turn.answer, ids=turn.token_ids), _marker("<|eot_id|>")]
        else:
            pieces += [Piece("\n\n" + turn.answer), _marker("<|eot_id|>")]
    return pieces


def _marker(text: str) -> Piece:
    return Piece(text, marker=True)


def _header(role: str) -> list[Piece]:
    return [_marker("<|start_header_id|>"), Piece(role), _marker("<|end_header_id|>")]
