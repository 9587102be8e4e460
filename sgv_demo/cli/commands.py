"""What each command does. Heavy libraries are imported by the command that needs them."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from sgv_demo.cli.terminal import Terminal, json_for, loading, print_generation, printable, to_stdout, write_json
from sgv_demo.errors import VideoError
from sgv_demo.events import Analysis, Kept
from sgv_demo.formats.thumbnails import Pictures
from sgv_demo.settings import Settings
from sgv_demo.types import AnalysisOptions, GenerationOptions, SamplingOptions

LARGEST_PNG = 4096
"""Pixels: `frames` scales longer sides down unless asked not to; a PNG of 8192 x 8192 takes ten seconds to write."""


def settings_for(args: Namespace) -> Settings:
    """Environment first, then what the command line says."""
    settings = Settings.from_env()
    models = ("engine", "captioner", "answerer", "quantization", "dtype", "vision", "clip_model")
    names = (*models, "base_url", "remote_model", "host", "port")
    given = {name: value for name in names if (value := getattr(args, name, None)) is not None}
    return replace(settings, **given)


def sampling_for(args: Namespace) -> SamplingOptions:
    """Keyframe options of `keyframes` and `caption`."""
    return SamplingOptions(
        every=args.every,
        similarity=args.similarity,
        threshold=args.threshold,
        start=args.start,
        end=args.end,
        maximum=args.max,
        keep_all=args.all,
        published=args.sampling == "published",
        measure=not args.no_measure,
        read_text=not args.no_text,
    )


def generation_for(args: Namespace, default_tokens: int = 2048) -> GenerationOptions:
    """Decoding options; what a command doesn't offer stays at its default."""
    return GenerationOptions(
        beams=getattr(args, "beams", 1),
        max_new_tokens=args.max_new_tokens or default_tokens,
        temperature=getattr(args, "temperature", 0.0),
        top_p=getattr(args, "top_p", 1.0),
    )


def frames(args: Namespace) -> None:
    """Writes pictures at the wanted times and prints which came."""
    from PIL import Image

    from sgv_demo.video.reader import open_video

    wanted = sorted(args.at)
    found: list[tuple[float, Path]] = []
    with open_video(args.video, settings_for(args)) as reader:
        args.out.mkdir(parents=True, exist_ok=True)
        long_side = args.long_side
        if long_side is None and max(reader.info.size) > LARGEST_PNG:
            long_side = LARGEST_PNG
            print(f"note: scaled down to {long_side} pixels; --long-side gives another size.", file=sys.stderr)
        for number, frame in enumerate(reader.near(wanted, long_side=long_side, exact=args.exact)):
            path = args.out / f"frame_{number:04d}_{frame.time:.3f}s.png"
            Image.fromarray(frame.image).save(path, compress_level=1)
            found.append((round(frame.time, 6), path))
        for note in reader.notes:
            print(f"note: {note}", file=sys.stderr)
    if not found:
        raise VideoError("The video has no picture at these times; choose times before its end.")
    if args.exact:
        pairs = list(zip(wanted, found, strict=False))
        if len(pairs) < len(wanted):
            print(f"note: {len(wanted) - len(pairs)} times lie after the end of the video.", file=sys.stderr)
    else:
        pairs = [(time, min(found, key=lambda f, t=time: abs(f[0] - t))) for time in wanted]
    write_json([{"wanted": time, "time": at, "file": str(path)} for time, (at, path) in pairs], "-")


def keyframes(args: Namespace) -> None:
    """Prints keyframes and what was measured between them."""
    from sgv_demo.formats.exports import clock, evidence_phrases
    from sgv_demo.pipeline import find_keyframes

    sampling = sampling_for(args)
    terminal = Terminal(quiet=True)
    analysis = terminal.fold(find_keyframes(args.video, sampling, settings_for(args)))
    write_json(json_for(analysis, captions=False), args.json)
    if args.json == "-":
        return
    for mark in analysis.keyframes:
        similarity = "" if mark.similarity is None else f"  similarity {mark.similarity:.3f}"
        print(f"{mark.index:4d}  {mark.time:8.2f} s{similarity}")
    for evidence in analysis.evidence:
        phrases = printable(" · ".join(evidence_phrases(evidence)))
        print(f"{clock(evidence.start)} → {clock(evidence.end)}  {phrases}")


def caption(args: Namespace) -> None:
    """Captions a video; texts stream to standard output unless JSON goes there."""
    from sgv_demo.engines.shelf import load_captioner
    from sgv_demo.formats.thumbnails import FEW, SIDE, small, stored
    from sgv_demo.pipeline import analyze, fitted
    from sgv_demo.results.store import Store

    settings = settings_for(args)
    captioner = load_captioner(settings, progress=loading)
    options = fitted(AnalysisOptions(sampling_for(args), args.mode, generation_for(args)), captioner.info)
    store = Store(settings.store_path, settings.store_megabytes) if args.resume else None
    terminal = Terminal(quiet=to_stdout(args), label=captioner.info.label)
    events = analyze(args.video, captioner, options, settings, store=store)
    analysis = Analysis()
    pictures: dict[int, bytes] = {}
    try:
        for event in events:
            analysis = analysis.apply(event)
            if args.html and isinstance(event, Kept) and event.frame is not None:
                pictures[event.mark.index] = small(event.frame.image, SIDE if len(pictures) < FEW else SIDE // 2)
            terminal.show(event, analysis)
    finally:
        terminal.end()
        events.close()
        if analysis.captions:
            if args.html and store and not pictures:
                pictures = stored(store.folder(analysis.key), analysis.keyframes)
            _save(analysis, pictures, args)


def summarize(args: Namespace) -> None:
    """Sums up the captions of a file written by `caption --json`."""
    from sgv_demo.engines.shelf import load_captioner
    from sgv_demo.results.record import parse
    from sgv_demo.steps import summarize as run

    earlier = parse(args.analysis.read_text(encoding="utf-8"))
    captioner = load_captioner(settings_for(args), progress=loading)
    terminal = Terminal(quiet=args.json == "-", label=captioner.info.label)
    start = replace(earlier, engine=captioner.info, summary="", failure=None)
    result = terminal.fold(run(earlier.captions, captioner, generation_for(args)), start)
    write_json(
        {"summary": result.summary, "levels": result.summary_levels, "engine": asdict(captioner.info)}, args.json
    )


def recaption(args: Namespace) -> None:
    """Turns a short generation prompt into a detailed caption."""
    from sgv_demo.engines.shelf import load_captioner
    from sgv_demo.steps import recaption as run

    captioner = load_captioner(settings_for(args), progress=loading)
    text, trace = print_generation(run(args.prompt, captioner, generation_for(args)), quiet=args.json == "-")
    record = {
        "text": text,
        "engine": asdict(captioner.info),
        "prompt": trace.prompt,
        "token_ids": list(trace.token_ids),
    }
    write_json(record, args.json)


def ask(args: Namespace) -> None:
    """Answers one question about a video."""
    from sgv_demo.asking import looked_at
    from sgv_demo.cli.conversation import Conversation

    conversation = Conversation(args.video, args, settings_for(args), generation_for(args, 1024))
    turn, trace = conversation.ask(args.question, quiet=args.json == "-")
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
    write_json(record, args.json)


def chat(args: Namespace) -> None:
    """A conversation in the terminal."""
    from sgv_demo.cli.conversation import Conversation

    Conversation(args.video, args, settings_for(args), generation_for(args, 1024)).run()


def engines(args: Namespace) -> None:
    """Lists engines and, where a model has them, its memory figures."""
    from sgv_demo.engines.shelf import describe_engines

    rows = describe_engines(settings_for(args))
    if args.json:
        write_json(rows, "-")
        return
    for row in rows:
        print(f"{row['name']:18} {row['label']}\n{'':18} {row['about']}\n{'':18} {row['how']}")
    chosen = next(row for row in rows if "why" in row)
    print(f"\n{chosen['why']}")


def quantize(args: Namespace) -> None:
    """Saves a checkpoint with its weights in 4 or 8 bit."""
    from sgv_demo.engines.shelf import save_quantized

    save_quantized(settings_for(args), args.out, progress=loading)
    print(f"saved to {args.out}")


def serve(args: Namespace) -> None:
    """Starts the page and stays."""
    from sgv_demo.ui.serve import serve as run

    run(settings_for(args))


def _save(analysis: Analysis, pictures: Pictures, args: Namespace) -> None:
    """Every file that was asked for; a dataset file is added to, the others are replaced."""
    from sgv_demo.dataset.record import append
    from sgv_demo.formats.table import FORMATS
    from sgv_demo.results.review import NONE

    for form in FORMATS:
        target = getattr(args, form.name)
        if target is None:
            continue
        if str(target) == "-":
            sys.stdout.write(form.make(analysis, NONE, pictures))
        elif form.name == "dataset":
            append(target, analysis)
        else:
            Path(target).write_text(form.make(analysis, NONE, pictures), encoding="utf-8", newline="")


COMMANDS: dict[str, Callable[[Namespace], None]] = {
    "frames": frames,
    "keyframes": keyframes,
    "caption": caption,
    "summarize": summarize,
    "recaption": recaption,
    "ask": ask,
    "chat": chat,
    "engines": engines,
    "quantize": quantize,
    "serve": serve,
}
