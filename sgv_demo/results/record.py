"""An `Analysis` or an event as plain JSON data and back: the one schema of exports, the store and the command line.

No local path ever gets into a record: a video is named by its file name alone.
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from sgv_demo.errors import StoreError
from sgv_demo.events import (
    Analysis,
    Captioned,
    Event,
    Failed,
    Finished,
    Kept,
    Measured,
    Noted,
    Opened,
    Sampled,
    Summarized,
)
from sgv_demo.types import (
    AnalysisOptions,
    Caption,
    EngineInfo,
    Evidence,
    Failure,
    KeyframeMark,
    Sample,
    TraceMark,
    VideoInfo,
)

Record = dict[str, Any]

_ENGINE = TypeAdapter(EngineInfo)
_OPTIONS = TypeAdapter(AnalysisOptions)
_SAMPLES = TypeAdapter(tuple[Sample, ...])
_MARKS = TypeAdapter(tuple[KeyframeMark, ...])
_EVIDENCE = TypeAdapter(tuple[Evidence, ...])
_CAPTIONS = TypeAdapter(tuple[Caption, ...])
_TRACE = TypeAdapter(TraceMark | None)
_FAILURE = TypeAdapter(Failure | None)


def video_record(info: VideoInfo) -> Record:
    """File name, seconds, pictures a second, pixels, codec."""
    width, height = info.size
    return {
        "file": info.path.name,
        "duration": info.duration,
        "fps": info.fps,
        "width": width,
        "height": height,
        "codec": info.codec,
        "has_audio": info.has_audio,
        "start": info.start,
        "notes": list(info.notes),
    }


def video_from_record(record: Record) -> VideoInfo:
    """Inverse of `video_record`; the path is the bare file name."""
    return VideoInfo(
        path=Path(Path(str(record.get("file", ""))).name),
        duration=float(record.get("duration") or 0.0),
        fps=float(record.get("fps") or 0.0),
        size=(int(record.get("width") or 0), int(record.get("height") or 0)),
        codec=str(record.get("codec", "")),
        has_audio=bool(record.get("has_audio", False)),
        start=float(record.get("start") or 0.0),
        notes=tuple(str(n) for n in record.get("notes", ())),
    )


def to_record(analysis: Analysis) -> Record:
    """The documented JSON of `keyframes` and `caption` (see the README's "Data")."""
    return {
        "video": video_record(analysis.video) if analysis.video else None,
        "engine": _ENGINE.dump_python(analysis.engine, mode="json"),
        "settings": _settings(analysis),
        "samples": _SAMPLES.dump_python(analysis.samples, mode="json"),
        "keyframes": _MARKS.dump_python(analysis.keyframes, mode="json"),
        "evidence": _EVIDENCE.dump_python(analysis.evidence, mode="json"),
        "captions": _CAPTIONS.dump_python(analysis.captions, mode="json"),
        "summary": analysis.summary,
        "summary_levels": analysis.summary_levels,
        "summary_trace": _TRACE.dump_python(analysis.summary_trace, mode="json"),
        "notes": list(analysis.notes),
        "failure": _FAILURE.dump_python(analysis.failure, mode="json"),
        "finished": analysis.finished,
        "seconds": analysis.seconds,
    }


def _settings(analysis: Analysis) -> Record:
    """The options; where something was sampled, with the threshold in force even if none was chosen."""
    settings = _OPTIONS.dump_python(analysis.options, mode="json")
    if analysis.samples:
        settings["sampling"]["threshold"] = analysis.options.sampling.threshold_in_force
    return settings


def _options(settings: object) -> AnalysisOptions:
    options = _OPTIONS.validate_python(settings or {})
    return replace(options, sampling=options.sampling.plain())


def from_record(record: object) -> Analysis:
    """Inverse of `to_record`; only "captions" is required.

    Raises:
        StoreError: the data isn't such a record.
    """
    if not isinstance(record, dict) or not isinstance(record.get("captions"), list):
        raise StoreError("This JSON holds no captions; give a file written by `caption --json` or the page's download.")
    data = cast(Record, record)
    try:
        return Analysis(
            engine=_ENGINE.validate_python(data.get("engine") or {"name": "unknown", "label": "Unknown engine"}),
            options=_options(data.get("settings")),
            video=video_from_record(data["video"]) if isinstance(data.get("video"), dict) else None,
            samples=_SAMPLES.validate_python(data.get("samples") or ()),
            keyframes=_MARKS.validate_python(data.get("keyframes") or ()),
            evidence=_EVIDENCE.validate_python(data.get("evidence") or ()),
            captions=_CAPTIONS.validate_python(data["captions"]),
            summary=str(data.get("summary") or ""),
            summary_levels=int(data.get("summary_levels") or 1),
            summary_trace=_TRACE.validate_python(data.get("summary_trace")),
            notes=tuple(str(n) for n in data.get("notes") or ()),
            failure=_FAILURE.validate_python(data.get("failure")),
            finished=bool(data.get("finished", True)),
            seconds=float(data.get("seconds") or 0.0),
        )
    except (ValidationError, TypeError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"This JSON isn't a result of this program ({reason}); export it again.") from error


def parse(text: str) -> Analysis:
    """`from_record` on JSON text.

    Raises:
        StoreError: no JSON, or not such a record.
    """
    try:
        record = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        reason = "nested too deeply" if isinstance(error, RecursionError) else getattr(error, "msg", str(error))
        raise StoreError(f"This is no JSON (line {line}: {reason}); export the result again.") from error
    return from_record(record)


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


_EVENTS: dict[str, TypeAdapter[Any]] = {
    "sampled": TypeAdapter(Sampled),
    "kept": TypeAdapter(KeyframeMark),
    "measured": TypeAdapter(Measured),
    "captioned": TypeAdapter(Caption),
    "summarized": TypeAdapter(Summarized),
    "noted": TypeAdapter(Noted),
    "failed": TypeAdapter(Failed),
    "finished": TypeAdapter(Finished),
}


def event_to_line(event: Event) -> str | None:
    """One line of a stored result's log, or None for an event that isn't kept (deltas, status)."""
    match event:
        case Opened(info):
            data: object = video_record(info)
            kind = "opened"
        case Kept(mark):
            kind, data = "kept", _EVENTS["kept"].dump_python(mark, mode="json")
        case Captioned(caption):
            kind, data = "captioned", _EVENTS["captioned"].dump_python(caption, mode="json")
        case _:
            kind = type(event).__name__.lower()
            if kind not in _EVENTS:
                return None
            data = _EVENTS[kind].dump_python(event, mode="json")
    return json.dumps({kind: data}, ensure_ascii=False, sort_keys=True)


def event_from_line(line: str) -> Event | None:
    """Inverse of `event_to_line`; None for a torn or foreign line."""
    try:
        record = json.loads(line)
        ((kind, data),) = record.items()
        match kind:
            case "opened":
                return Opened(video_from_record(data))
            case "kept":
                return Kept(_EVENTS["kept"].validate_python(data))
            case "captioned":
                return Captioned(_EVENTS["captioned"].validate_python(data), from_store=True)
            case _:
                return _EVENTS[kind].validate_python(data)
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError):
        return None
