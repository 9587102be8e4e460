"""What each command does, one function each; listed in `sgv_demo.cli.COMMANDS`. Heavy libraries are imported inside."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter

from sgv_demo.cli.flags import Asking, Only, Outputs, command, positive
from sgv_demo.cli.terminal import Terminal, json_for, loading, print_generation, printable, write_json
from sgv_demo.errors import VideoError
from sgv_demo.events import Analysis, Kept
from sgv_demo.formats.thumbnails import Pictures
from sgv_demo.languages import Language
from sgv_demo.options import AnalysisOptions, GenerationOptions, QuestionOptions, SamplingOptions
from sgv_demo.settings import Settings
from sgv_demo.times import clock, parse_seconds

LARGEST_PNG = 4096
"""Pixels: `frames` scales longer sides down unless asked not to; a PNG of 8192 x 8192 takes ten seconds to write."""

_SERVERS = ("base_url", "remote_model", "quantization", "dtype")
Video: TypeAlias = Annotated[Path, Parameter(help="A video file: whatever FFmpeg reads.")]
Reading: TypeAlias = Annotated[Settings, Only(())]
Sampling: TypeAlias = Annotated[Settings, Only(("clip_model",))]
Captioning: TypeAlias = Annotated[Settings, Only(("engine", "captioner", *_SERVERS, "clip_model"))]
Writing: TypeAlias = Annotated[Settings, Only(("engine", "captioner", *_SERVERS))]
Answering: TypeAlias = Annotated[Settings, Only(("engine", "answerer", *_SERVERS, "prompts", "vision"))]
Both: TypeAlias = Annotated[Settings, Only(("engine", "captioner", "answerer", *_SERVERS))]
Serving: TypeAlias = Annotated[
    Settings, Only(("engine", "captioner", "answerer", *_SERVERS, "prompts", "pool", "host", "port"))
]
Exporting: TypeAlias = Annotated[Settings, Only(("answerer",))]
Offering: TypeAlias = Annotated[
    Settings, Only(("captioner", "answerer", "quantization", "dtype", "vision", "host", "served_port"))
]
Json: TypeAlias = Annotated[Outputs, Only(("json",))]


def _times(_: Any, tokens: Any) -> list[float]:
    """Parses "0,1.5,0:03"."""
    return [parse_seconds(part) for part in tokens[0].value.split(",") if part.strip()]


@command
def frames(
    video: Video,
    /,
    *,
    at: Annotated[list[float], Parameter(help="Times in seconds, with commas between.", converter=_times, n_tokens=1)],
    out: Annotated[Path, Parameter(help="Folder for the PNGs, made when missing.")],
    exact: Annotated[bool, Parameter(help="The picture on display at each time, not one near it.")] = False,
    long_side: Annotated[
        int | None,
        Parameter(help=f"Pixels: scale down to this long side (default: {LARGEST_PNG} at most).", validator=positive),
    ] = None,
    settings: Reading,
) -> None:
    """Writes pictures at the wanted times and prints which came."""
    from PIL import Image

    from sgv_demo.video import open_video

    wanted = sorted(at)
    found: list[tuple[float, Path]] = []
    with open_video(video, settings) as reader:
        out.mkdir(parents=True, exist_ok=True)
        if long_side is None and max(reader.info.size) > LARGEST_PNG:
            long_side = LARGEST_PNG
            print(f"note: scaled down to {long_side} pixels; --long-side gives another size.", file=sys.stderr)
        for number, frame in enumerate(reader.near(wanted, long_side=long_side, exact=exact)):
            path = out / f"frame_{number:04d}_{frame.time:.3f}s.png"
            Image.fromarray(frame.image).save(path, compress_level=1)
            found.append((round(frame.time, 6), path))
        for note in reader.notes:
            print(f"note: {note}", file=sys.stderr)
    if not found:
        raise VideoError("The video has no picture at these times; choose times before its end.")
    if exact:
        pairs = list(zip(wanted, found, strict=False))
        if len(pairs) < len(wanted):
            print(f"note: {len(wanted) - len(pairs)} times lie after the end of the video.", file=sys.stderr)
    else:
        pairs = [(time, min(found, key=lambda f, t=time: abs(f[0] - t))) for time in wanted]
    write_json([{"wanted": time, "time": at, "file": str(path)} for time, (at, path) in pairs], "-")


@command
def keyframes(video: Video, /, *, sampling: SamplingOptions, settings: Sampling, out: Json) -> None:
    """Prints keyframes and what was measured between them."""
    from sgv_demo.formats.exports import evidence_phrases
    from sgv_demo.pipeline import find_keyframes

    analysis = Terminal(quiet=True).fold(find_keyframes(video, sampling, settings))
    write_json(json_for(analysis, captions=False), out.get("json"))
    if out.alone:
        return
    for mark in analysis.keyframes:
        similarity = "" if mark.similarity is None else f"  similarity {mark.similarity:.3f}"
        print(f"{mark.index:4d}  {mark.time:8.2f} s{similarity}")
    for evidence in analysis.evidence:
        phrases = printable(" · ".join(evidence_phrases(evidence)))
        print(f"{clock(evidence.start)} → {clock(evidence.end)}  {phrases}")


@command
def caption(
    video: Video,
    /,
    *,
    options: AnalysisOptions,
    settings: Captioning,
    out: Outputs,
    resume: Annotated[bool, Parameter(help="Keep the result on disk and go on with an earlier one.")] = False,
) -> None:
    """Captions a video; texts stream to standard output unless a result goes there."""
    from sgv_demo.engines.shelf import load_captioner
    from sgv_demo.formats.thumbnails import FEW, SIDE, small, stored
    from sgv_demo.pipeline import analyze, settle
    from sgv_demo.results.store import Store

    captioner = load_captioner(settings, progress=loading)
    language, options = options.generation.language, settle(options, captioner.info, settings)
    store = Store(settings.store_path, settings.store_megabytes) if resume else None
    terminal = Terminal(quiet=out.alone, label=captioner.info.label)
    events = analyze(video, captioner, options, settings, store=store)
    analysis = Analysis()
    pictures: dict[int, bytes] = {}
    try:
        for event in events:
            analysis = analysis.apply(event)
            if "html" in out and isinstance(event, Kept) and event.frame is not None:
                pictures[event.mark.index] = small(event.frame.image, SIDE if len(pictures) < FEW else SIDE // 2)
            terminal.show(event, analysis)
    finally:
        terminal.end()
        events.close()
        if analysis.captions:
            if "html" in out and store and not pictures:
                pictures = stored(store.folder(analysis.key), analysis.keyframes)
            _save(analysis, pictures, out, language)


@command
def summarize(
    captions: Annotated[Path, Parameter(help="Captions: what `caption --json` wrote, WebVTT, SRT, or one a line.")],
    /,
    *,
    how: GenerationOptions,
    settings: Writing,
    out: Json,
) -> None:
    """Sums up the captions of a file: a saved analysis, or whatever other tools write."""
    from sgv_demo.engines.shelf import load_captioner
    from sgv_demo.formats.captions_in import read_captions
    from sgv_demo.steps import summarize as run

    brought = read_captions(captions)
    for note in brought.notes:
        print(f"note: {note}", file=sys.stderr)
    captioner = load_captioner(settings, progress=loading)
    terminal = Terminal(quiet=out.alone, label=captioner.info.label)
    start = Analysis(captioner.info, captions=brought.captions)
    result = terminal.fold(run(brought.captions, captioner, how), start)
    record = {"summary": result.summary, "levels": result.summary_levels, "engine": asdict(captioner.info)}
    write_json(record, out.get("json"))


@command
def recaption(
    prompt: Annotated[str, Parameter(help="A short idea of a video.")],
    /,
    *,
    how: GenerationOptions,
    settings: Writing,
    out: Json,
) -> None:
    """Turns a short generation prompt into a detailed caption."""
    from sgv_demo.engines.shelf import load_captioner
    from sgv_demo.steps import recaption as run

    settings.bounded(prompt, "prompt")
    captioner = load_captioner(settings, progress=loading)
    text, trace = print_generation(run(prompt, captioner, how), quiet=out.alone)
    record = {
        "text": text,
        "engine": asdict(captioner.info),
        "prompt": trace.prompt,
        "token_ids": list(trace.token_ids),
    }
    write_json(record, out.get("json"))


@command
def ask(
    video: Video,
    question: Annotated[str, Parameter(help="What to ask about it.")],
    /,
    *,
    options: Annotated[QuestionOptions, Asking()],
    settings: Answering,
    out: Json,
) -> None:
    """Answers one question about a video."""
    from sgv_demo.asking import looked_at
    from sgv_demo.cli.conversation import Conversation

    settings.bounded(question, "question")
    conversation = Conversation(video, options, settings)
    turn, trace = conversation.ask(question, quiet=out.alone)
    frames = [{"index": index, "time": time} for index, time in looked_at(conversation.scene)]
    record = {
        "answer": turn.answer,
        "token_ids": list(trace.token_ids),
        "frames": frames,
        "prompt": trace.prompt,
        "engine": asdict(conversation.answerer.info),
        "finish": trace.finish,
        "note": trace.note,
    }
    write_json(record, out.get("json"))


@command
def chat(video: Video, /, *, options: Annotated[QuestionOptions, Asking()], settings: Answering) -> None:
    """A conversation about a video, in the terminal."""
    from sgv_demo.cli.conversation import Conversation

    Conversation(video, options, settings).run()


@command
def engines(
    *,
    json: Annotated[bool, Parameter(help="As JSON, with memory computed from the models' shapes.")] = False,
    settings: Both,
) -> None:
    """Lists engines and, where a model has them, its memory figures."""
    from sgv_demo.engines.shelf import describe_engines

    rows = describe_engines(settings)
    if json:
        write_json(rows, "-")
        return
    for row in rows:
        print(f"{row['name']:18} {row['label']}\n{'':18} {row['about']}\n{'':18} {row['how']}")
    chosen = next(row for row in rows if "why" in row)
    print(f"\n{chosen['why']}")


@command
def check() -> None:
    """Versions, devices, memory, and whether both models' code gives its known answers here."""
    from sgv_demo.engines.check import report

    for line in report():
        print(line, flush=True)


@command
def quantize(*, out: Annotated[Path, Parameter(help="Folder for the checkpoint.")], settings: Both) -> None:
    """Saves a checkpoint with its weights in 4 or 8 bit."""
    from sgv_demo.engines.shelf import save_quantized

    save_quantized(settings, out, progress=loading)
    print(f"saved to {out}")


@command
def export(
    *,
    out: Annotated[Path, Parameter(help="A new folder for the checkpoint.")],
    format: Annotated[Literal["hf"], Parameter(help="hf: the layout of the Hub's LLaVA models (default: hf).")] = "hf",
    dtype: Annotated[
        Literal["auto", "bfloat16", "float16", "float32"],
        Parameter(help="Number format of the weights; auto: as is (default: auto)."),
    ] = "auto",
    view: Annotated[
        Literal["anyres", "base"],
        Parameter(
            help="anyres: LLaVA-NeXT, all tiles, as trained; base: plain LLaVA, the whole picture, as published "
            "(default: anyres)."
        ),
    ] = "anyres",
    settings: Exporting,
) -> None:
    """Writes ShareGPT4Video-8B (--answerer) in the layout that vLLM and stock transformers serve."""
    from sgv_demo.engines.shelf import export_answerer

    export_answerer(settings, out, dtype=dtype, view=view, progress=loading)
    print(f"saved to {out}; its README.md says how to serve it")


@command
def serve(*, settings: Serving) -> None:
    """Starts the page and stays."""
    from sgv_demo.ui.serve import serve as run

    run(settings)


@command
def serve_model(*, settings: Offering) -> None:
    """Serves a native model to OpenAI clients and to `--engine remote` of other machines; SGV_SERVED_KEY is its key."""
    from sgv_demo.serving.run import serve as run

    run(settings, progress=loading)


def _save(analysis: Analysis, pictures: Pictures, out: Outputs, language: Language) -> None:
    """Every file that was asked for; a dataset file is added to, the others are replaced."""
    from sgv_demo.dataset.record import append
    from sgv_demo.formats.table import FORMATS, Beside
    from sgv_demo.results.review import NONE

    beside = Beside(pictures, language)

    for form in FORMATS:
        target = out.get(form.name)
        if target is None:
            continue
        if target == "-":
            sys.stdout.write(form.make(analysis, NONE, beside))
        elif form.name == "dataset":
            append(Path(target), analysis)
        else:
            Path(target).write_text(form.make(analysis, NONE, beside), encoding="utf-8", newline="")
