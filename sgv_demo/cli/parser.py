"""What the command line accepts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


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


def build_parser() -> argparse.ArgumentParser:
    """The parser; each command sets `command` to its name."""
    parser = argparse.ArgumentParser(
        prog="python -m sgv_demo", description="Keyframes, differential captions, summaries and answers for videos."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _frames(commands.add_parser("frames", help="pictures at given times, as PNG"))
    _keyframes(commands.add_parser("keyframes", help="keyframes and what was measured between them"))
    _caption(commands.add_parser("caption", help="captions and a summary"))
    _summarize(commands.add_parser("summarize", help="sum up the captions of a saved analysis"))
    _recaption(commands.add_parser("recaption", help="turn a short generation prompt into a detailed caption"))
    _ask(commands.add_parser("ask", help="answer one question about a video"))
    _chat(commands.add_parser("chat", help="a conversation about a video, in the terminal"))
    _engines(commands.add_parser("engines", help="which engines there are"))
    _quantize(commands.add_parser("quantize", help="save a checkpoint in 4 or 8 bit"))
    _serve(commands.add_parser("serve", help="start the page"))
    return parser


def _video(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO")


def _frames(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    parser.add_argument("--at", type=seconds_list, required=True, metavar="S,S,…", help="seconds")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--exact", action="store_true", help="the picture on display at each time, not one near it")
    parser.add_argument("--long-side", type=_positive(int), metavar="PX", help="scale down to this long side")


def _sampling(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("keyframes")
    group.add_argument("--every", type=_positive(float), default=2.0, metavar="S", help="seconds between samples")
    group.add_argument("--threshold", type=float, metavar="T", help="keep a sample less similar than this")
    group.add_argument("--similarity", choices=("histogram", "clip"), default="histogram")
    group.add_argument("--clip-model", metavar="MODEL", help="hub id or folder of the tower of --similarity clip")
    group.add_argument("--start", type=number, default=0.0, metavar="S")
    group.add_argument("--end", type=number, metavar="S")
    group.add_argument("--max", type=_positive(int), metavar="N", help="at most N keyframes, the most different")
    group.add_argument("--all", action="store_true", help="every sample is a keyframe")
    group.add_argument(
        "--sampling",
        choices=("times", "published"),
        default="times",
        help="published: the frame numbers of the published code, native size, no closing frame",
    )
    group.add_argument("--no-measure", action="store_true", help="measure no evidence between keyframes")
    group.add_argument("--no-text", action="store_true", help="read no text in the pictures")


def _model(parser: argparse.ArgumentParser, *roles: str) -> None:
    group = parser.add_argument_group("engine")
    group.add_argument("--engine", metavar="NAME", help="see `engines`")
    for role in roles:
        group.add_argument(f"--{role}", metavar="MODEL", help="hub id or folder")
    group.add_argument("--base-url", metavar="URL", help="OpenAI-compatible servers, separated by commas")
    group.add_argument("--model", dest="remote_model", metavar="NAME", help="what those servers call the model")
    group.add_argument("--quantization", choices=("nf4", "int8", "none"))
    group.add_argument("--dtype", choices=("auto", "bfloat16", "float16", "float32"))
    group.add_argument("--max-new-tokens", type=_positive(int), metavar="N")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="PATH|-", help="write the result as JSON; - is standard output")


def _keyframes(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    _sampling(parser)
    _json(parser)


def _caption(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    parser.add_argument("--mode", choices=("sliding", "fast"), default="sliding")
    _model(parser, "captioner")
    parser.add_argument("--beams", type=_positive(int), default=1, metavar="N", help="3 is the published decoding")
    _sampling(parser)
    _json(parser)
    for kind in ("vtt", "srt", "markdown", "csv"):
        parser.add_argument(f"--{kind}", type=Path, metavar="PATH")
    parser.add_argument("--html", type=Path, metavar="PATH", help="a report in one file, its pictures inside")
    parser.add_argument("--dataset", type=Path, metavar="PATH", help="append a record in the dataset's schema (JSONL)")
    parser.add_argument("--resume", action="store_true", help="keep the result on disk and go on with an earlier one")


def _summarize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("analysis", type=Path, metavar="ANALYSIS.json")
    _model(parser, "captioner")
    parser.add_argument("--beams", type=_positive(int), default=1, metavar="N")
    _json(parser)


def _recaption(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", metavar="PROMPT")
    _model(parser, "captioner")
    parser.add_argument("--beams", type=_positive(int), default=1, metavar="N")
    _json(parser)


def _ask(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    parser.add_argument("question", metavar="QUESTION")
    _asking(parser)
    _json(parser)


def _chat(parser: argparse.ArgumentParser) -> None:
    _video(parser)
    _asking(parser)


def _asking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--frames", type=_positive(int), metavar="N", help="pictures to look at, 1 to 64")
    parser.add_argument("--start", type=number, default=0.0, metavar="S")
    parser.add_argument("--end", type=number, metavar="S")
    parser.add_argument("--temperature", type=number, default=0.0, metavar="T", help="0 is greedy")
    parser.add_argument("--top-p", type=number, default=0.9, metavar="P")
    parser.add_argument("--sampling", choices=("times", "published"), default="times")
    parser.add_argument("--vision", choices=("anyres", "published"), default="anyres")
    _model(parser, "answerer")


def _engines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true")
    _model(parser, "captioner", "answerer")


def _quantize(parser: argparse.ArgumentParser) -> None:
    _model(parser, "captioner", "answerer")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="H")
    parser.add_argument("--port", type=_positive(int), metavar="P")
    _model(parser, "captioner", "answerer")
