"""Every prompt that the models were trained with, word for word, as pure functions of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sgv_demo.engines.compose import GRID_LONG_SIDE
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
class Wording:
    """What stands around a first question, where it is put in another way than on the page."""

    system: str = ANSWERER_SYSTEM
    preface: str = ANSWERER_PREFACE
    """Between the picture's line and the question, blanks included."""
    begun: str = ""
    """How the answer begins; the model goes on from there."""
    longest_side: int | None = GRID_LONG_SIDE
    """Pixels: a longer grid is scaled down to it; None shows the grid as large as it comes."""


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


def answerer_prompt(
    question: str, history: Sequence[Turn], picture: bool, wording: Wording | None = None
) -> list[Piece]:
    """The Llama-3 conversation that ShareGPT4Video-8B was trained on, up to where its answer begins.

    Args:
        question: the new question, as typed.
        history: earlier turns, oldest first; `Turn.token_ids` are taken for the answer's tokens as they are.
        picture: whether there is one. It and the preface stand once, in the first user turn: the published demo
            repeats both at every turn, which shows the model a tile as a second picture and then crashes.
        wording: what stands around the question; None is the page's.
    """
    wording = wording or Wording()
    pieces = [_marker("<|begin_of_text|>"), *_header("system"), Piece("\n\n" + wording.system), _marker("<|eot_id|>")]
    for i, turn in enumerate((*history, Turn(question, ""))):
        pieces += _header("user")
        if picture and i == 0:
            pieces += [Piece("\n\n"), IMAGE, Piece("\n" + wording.preface + turn.question)]
        else:
            pieces.append(Piece("\n\n" + turn.question))
        pieces += [_marker("<|eot_id|>"), *_header("assistant")]
        if i == len(history):
            pieces.append(Piece("\n\n" + wording.begun))
        elif turn.token_ids:
            pieces += [Piece("\n\n"), Piece(turn.answer, ids=turn.token_ids), _marker("<|eot_id|>")]
        else:
            pieces += [Piece("\n\n" + turn.answer), _marker("<|eot_id|>")]
    return pieces


def _marker(text: str) -> Piece:
    return Piece(text, marker=True)


def _header(role: str) -> list[Piece]:
    return [_marker("<|start_header_id|>"), Piece(role), _marker("<|end_header_id|>")]


PLAIN_DESCRIBE = "This is the first frame of a video. Describe in detail what it shows: subjects, setting, light, text."
"""General models were not trained on the four roles: these prompts, to `plain_recaption`, are this project's own."""

PLAIN_OVERVIEW = "Describe this video in detail, in the order in which things happen."


def plain_sheet(times: Sequence[float]) -> str:
    """All keyframes in one picture (the paper's "frame concatenation"), in words of our own; `times` in seconds."""
    listed = ", ".join(f"{time:.1f}" for time in times)
    return (
        f"The picture holds {len(times)} frames of one video, row by row in the order of time, taken at these seconds: "
        f"{listed}. {PLAIN_OVERVIEW}"
    )


def plain_difference(previous: str, numbers: tuple[int, int], times: tuple[float, float]) -> str:
    """What changed between two frames: as the paper had GPT-4V annotate, in words of our own.

    Args:
        previous: the differential caption just before; empty for none.
        numbers: of the two keyframes, counted from 1.
        times: of the two, seconds.
    """
    before = f"What was written of the step before: {previous}\n" if previous else ""
    first, second = (f"{number} at {plain_clock(time)}" for number, time in zip(numbers, times, strict=True))
    return (
        f"{before}These are two consecutive frames of the video, frame {first} and frame {second}. Describe what"
        " changed from the first to the second: movements, things that appear or disappear, the camera."
    )


def plain_summary(captions: Sequence[tuple[float, float, str]]) -> str:
    """Clip summary from (start, end, text) of each caption; seconds."""
    lines = "".join(f"{plain_clock(start)} to {plain_clock(end)}: {text}\n" for start, end, text in captions)
    return f"These are descriptions of the parts of one video, in order:\n{lines}Write one summary of the whole video."


def plain_recaption(text: str) -> str:
    """From a short idea to a detailed caption."""
    return f"Write a detailed description, in one paragraph, of a video that shows this: {text}"


def plain_clock(seconds: float) -> str:
    """MM:SS, as the processor of SmolVLM2 writes frame times."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def smol_prompt(text: str, times: Sequence[float], duration: float, history: Sequence[Turn] = ()) -> list[Piece]:
    """SmolVLM2's conversation up to where its answer begins; the format of its processor in transformers 5.23.

    Args:
        text: the new question.
        times: seconds of each picture; one alone is shown as a picture, more as a video with its times.
        duration: seconds of the video.
        history: earlier turns, oldest first; the pictures stand in the first.
    """
    pieces = [_marker("<|im_start|>")]
    for i, turn in enumerate((*history, Turn(text, ""))):
        pieces += [*_smol_user(times if i == 0 else (), duration), Piece(turn.question), _marker("<end_of_utterance>")]
        pieces.append(Piece("\nAssistant:" if i == len(history) else f"\nAssistant: {turn.answer}"))
        if i < len(history):
            pieces += [_marker("<end_of_utterance>"), Piece("\n")]
    return pieces


def _smol_user(times: Sequence[float], duration: float) -> list[Piece]:
    if len(times) < 2:
        return [Piece("User:"), IMAGE] if times else [Piece("User: ")]
    hours, rest = divmod(int(duration), 3600)
    length = f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
    series = f"the following series of {_number(len(times))} frames from a {length} [H:MM:SS] video"
    pieces = [Piece(f"User: You are provided {series}.\n")]
    for time in times:
        pieces += [Piece(f"\nFrame from {plain_clock(time)}:"), IMAGE]
    return [*pieces, Piece("\n\n")]


# fmt: off
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_TENS = (
    "-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)
# fmt: on


def _number(count: int) -> str:
    """0 to 99 in words."""
    if count < 20:
        return _ONES[count]
    return _TENS[count // 10] + (f"-{_ONES[count % 10]}" if count % 10 else "")
