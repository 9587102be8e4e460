"""What the command line accepts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

MOST_FRAMES = 64
"""As in `sgv_demo.asking`, which takes long to import."""
OUTPUTS = ("json", "vtt", "srt", "markdown", "csv", "html", "dataset")
"""Options that name a file to be written, or - for standard output."""


def seconds_list(text: str) -> list[float]:
    """Parses "0,1.5,3"."""
    return [number(part) for part in text.split(",") if part.strip()]


def number(text: str) -> float:
    """A finite number that isn't negative."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of zero or more")
    return value


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not more than zero")
        return value

    parse.__name__ = kind.__name__
    return parse


def _within(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    parse.__name__ = "int"
    return parse


def build_parser() -> argparse.ArgumentParser:
    """The parser; each command sets `command` to its name."""
    parser = argparse.ArgumentParser(
        prog="python -m sgv_demo", description="Keyframes, differential captions, summaries and answers for videos."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (fill, about) in _COMMANDS.items():
        fill(commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}."))
    return parser


def _video(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO", help="a video file: whatever FFmpeg reads")


def _frames(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    parser.add_argument("--at", type=seconds_list, required=True, metavar="S,S,…", help="seconds")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the PNGs, made when missing")
    parser.add_argument("--exact", action="store_true", help="the picture on display at each time, not one near it")
    parser.add_argument(
        "--long-side", type=_positive(int), metavar="PX", help="scale down to this long side (default: 4096 at most)"
    )


def _range(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    group.add_argument("--start", type=number, default=0.0, metavar="S", help="where to begin, in seconds (default: 0)")
    group.add_argument("--end", type=number, metavar="S", help="where to end, in seconds (default: the video's end)")


def _sampling(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("keyframes")
    group.add_argument(
        "--every", type=_positive(float), default=2.0, metavar="S", help="seconds between samples (default: 2)"
    )
    group.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="keep a sample less similar than this to the last kept, 0 to 1 (default: 0.87 of histogram, 0.93 of clip)",
    )
    group.add_argument(
        "--similarity",
        choices=("histogram", "clip"),
        default="histogram",
        help="what samples are compared by; clip needs its weights (default: histogram)",
    )
    group.add_argument(
        "--clip-model",
        metavar="MODEL",
        help="hub id or folder of the tower of --similarity clip (default: openai/clip-vit-large-patch14-336)",
    )
    _range(group)
    group.add_argument(
        "--max", type=_positive(int), metavar="N", help="at most N keyframes, the most different (default: no limit)"
    )
    group.add_argument("--all", action="store_true", help="every sample is a keyframe")
    group.add_argument(
        "--sampling",
        choices=("times", "published"),
        default="times",
        help="published: the frame numbers of the published code, native size, no closing frame (default: times)",
    )
    group.add_argument("--no-measure", action="store_true", help="measure no evidence between keyframes")
    group.add_argument("--no-text", action="store_true", help="read no text in the pictures")


def _model(parser: argparse.ArgumentParser, *roles: str, tokens: int = 2048) -> None:
    group = parser.add_argument_group("engine", "SGV_… variables change these defaults (see sgv_demo/settings.py).")
    group.add_argument("--engine", metavar="NAME", help="see `engines` (default: auto, what this machine can run)")
    for role in roles:
        group.add_argument(f"--{role}", metavar="MODEL", help="hub id or folder (default: the engine's own)")
    group.add_argument(
        "--base-url", metavar="URL", help="OpenAI-compatible servers, separated by commas (default: none)"
    )
    group.add_argument(
        "--model",
        dest="remote_model",
        metavar="NAME",
        help="what those servers call the model (default: the first that they list)",
    )
    group.add_argument("--quantization", choices=("nf4", "int8", "none"), help="bits of the weights (default: nf4)")
    group.add_argument(
        "--dtype", choices=("auto", "bfloat16", "float16", "float32"), help="number format (default: auto)"
    )
    if tokens:
        group.add_argument(
            "--max-new-tokens", type=_positive(int), metavar="N", help=f"tokens at most for a text (default: {tokens})"
        )


def _beams(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--beams", type=_positive(int), default=1, metavar="N", help="3 is the published decoding (default: 1, streams)"
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="PATH|-", help="write the result as JSON; - is standard output")


def _keyframes(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    _sampling(parser)
    _json(parser)


def _caption(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    parser.add_argument(
        "--mode",
        choices=("sliding", "fast"),
        default="sliding",
        help="sliding: a caption for each pair of keyframes; fast: one for all (default: sliding)",
    )
    _model(parser, "captioner")
    _beams(parser)
    _sampling(parser)
    _json(parser)
    for kind, about in (
        ("vtt", "subtitles as WebVTT"),
        ("srt", "subtitles as SubRip"),
        ("markdown", "a report in Markdown"),
        ("csv", "a table, one row for each caption"),
        ("html", "a report in one file, its pictures inside"),
        ("dataset", "append a record in the dataset's schema (JSONL)"),
    ):
        parser.add_argument(f"--{kind}", type=Path, metavar="PATH|-", help=about)
    parser.add_argument("--resume", action="store_true", help="keep the result on disk and go on with an earlier one")


def _summarize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("analysis", type=Path, metavar="ANALYSIS.json", help="a file written by `caption --json`")
    _model(parser, "captioner")
    _beams(parser)
    _json(parser)


def _recaption(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", metavar="PROMPT", help="a short idea of a video")
    _model(parser, "captioner")
    _beams(parser)
    _json(parser)


def _ask(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    parser.add_argument("question", metavar="QUESTION", help="what to ask about it")
    _asking(parser)
    _json(parser)


def _chat(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    _asking(parser)


def _asking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--frames", type=_within(1, MOST_FRAMES), metavar="N", help="pictures to look at, 1 to 64 (default: 16)"
    )
    _range(parser)
    parser.add_argument("--temperature", type=number, default=0.0, metavar="T", help="0 is greedy (default: 0)")
    parser.add_argument(
        "--top-p",
        type=number,
        default=0.9,
        metavar="P",
        help="share of the likeliest words to draw from, with a temperature (default: 0.9)",
    )
    parser.add_argument(
        "--sampling",
        choices=("times", "published"),
        default="times",
        help="published: the frame numbers of the published code (default: times)",
    )
    parser.add_argument(
        "--vision",
        choices=("anyres", "published"),
        help="what the model sees: all tiles, as trained, or the base view alone (default: anyres)",
    )
    _model(parser, "answerer", tokens=1024)


def _engines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON, with memory computed from the models' shapes")
    _model(parser, "captioner", "answerer", tokens=0)


def _quantize(parser: argparse.ArgumentParser) -> None:
    _model(parser, "captioner", "answerer", tokens=0)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the checkpoint")


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="H", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=_within(1, 65535), metavar="P", help="the next free one is taken when in use (default: 7860)"
    )
    _model(parser, "captioner", "answerer", tokens=0)


_COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], str]] = {
    "frames": (_frames, "pictures at given times, as PNG"),
    "keyframes": (_keyframes, "keyframes and what was measured between them"),
    "caption": (_caption, "captions and a summary"),
    "summarize": (_summarize, "sum up the captions of a saved analysis"),
    "recaption": (_recaption, "turn a short generation prompt into a detailed caption"),
    "ask": (_ask, "answer one question about a video"),
    "chat": (_chat, "a conversation about a video, in the terminal"),
    "engines": (_engines, "which engines there are"),
    "quantize": (_quantize, "save a checkpoint in 4 or 8 bit"),
    "serve": (_serve, "start the page"),
}
