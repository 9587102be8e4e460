"""An `Analysis` or an event as plain JSON data and back: the one schema of exports, the store and the command line.

No local path ever gets into a record: a video is named by its file name alone. Whatever is written can be read: half
a character (a lone surrogate) is written as U+FFFD, and a number that JSON has no word for as the nearest that it has.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite, isnan
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from sgv_demo.errors import StoreError
from sgv_demo.events import (
    Analysis,
    Begun,
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
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.types import Caption, EngineInfo, Evidence, Failure, KeyframeMark, Sample, TraceMark, VideoInfo

Record = dict[str, Any]

_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST_INTEGER = 2**63 - 1

_ENGINE = TypeAdapter(EngineInfo)
_OPTIONS = TypeAdapter(AnalysisOptions)
_SAMPLES = TypeAdapter(tuple[Sample, ...])
_MARKS = TypeAdapter(tuple[KeyframeMark, ...])
_EVIDENCE = TypeAdapter(tuple[Evidence, ...])
_CAPTION = TypeAdapter(Caption)
_TRACE = TypeAdapter(TraceMark | None)
_FAILURE = TypeAdapter(Failure | None)


def video_record(info: VideoInfo) -> Record:
    """File name, seconds, pictures a second, pixels, codec."""
    width, height = info.size
    return {
        "file": info.name,
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
    record = {
        "video": video_record(analysis.video) if analysis.video else None,
        "engine": _ENGINE.dump_python(analysis.engine, mode="json"),
        "settings": _settings(analysis),
        "samples": _SAMPLES.dump_python(analysis.samples, mode="json"),
        "keyframes": _MARKS.dump_python(analysis.keyframes, mode="json"),
        "evidence": _EVIDENCE.dump_python(analysis.evidence, mode="json"),
        "captions": [_CAPTION.dump_python(caption, mode="json") for caption in analysis.captions],
        "summary": analysis.summary,
        "summary_levels": analysis.summary_levels,
        "summary_trace": _TRACE.dump_python(analysis.summary_trace, mode="json"),
        "notes": list(analysis.notes),
        "failure": _FAILURE.dump_python(analysis.failure, mode="json"),
        "finished": analysis.finished,
        "seconds": analysis.seconds,
    }
    return _writable(record)


def _writable(value: Any) -> Any:
    """JSON data without what can't be written or read again."""
    match value:
        case str():
            return _joined(value) if _SURROGATE.search(value) else value
        case bool() | None:
            return value
        case int():
            return max(-_LARGEST_INTEGER, min(_LARGEST_INTEGER, value))
        case float():
            return 0.0 if isnan(value) else max(-sys.float_info.max, min(sys.float_info.max, value)) + 0.0  # no -0.0
        case Mapping():
            return {_writable(name): _writable(item) for name, item in value.items()}
        case list() | tuple():
            return [_writable(item) for item in value]
    return value


def _joined(text: str) -> str:
    """Two halves of a character as one, a lone half as U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _settings(analysis: Analysis) -> Record:
    """The options; where something was sampled, with the threshold in force even if none was chosen."""
    settings = _OPTIONS.dump_python(analysis.options, mode="json")
    if analysis.samples:
        settings["sampling"]["threshold"] = analysis.options.sampling.threshold_in_force
    return settings


def _options(settings: object) -> AnalysisOptions:
    if isinstance(settings, dict) and isinstance(settings.get("sampling"), dict):
        settings = settings | {"sampling": SamplingOptions.older(settings["sampling"])}
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
            captions=tuple(map(_caption, data["captions"])),
            summary=str(data.get("summary") or ""),
            summary_levels=int(1 if (levels := data.get("summary_levels")) is None else levels),
            summary_trace=_trace(data.get("summary_trace")),
            notes=tuple(str(n) for n in data.get("notes") or ()),
            failure=_FAILURE.validate_python(data.get("failure")),
            finished=bool(data.get("finished", True)),
            seconds=float(data.get("seconds") or 0.0),
        )
    except (ValidationError, TypeError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"This JSON isn't a result of this program ({reason}); export it again.") from error


def _caption(data: object) -> Caption:
    record = {**data, "trace": _trace(data.get("trace"))} if isinstance(data, dict) else data
    return _CAPTION.validate_python(record)


def _trace(data: object) -> TraceMark | None:
    """Older versions wrote null where a server had told no number."""
    told = {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data
    return _TRACE.validate_python(told)


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


_MARK = TypeAdapter(KeyframeMark)
_EVENTS: dict[str, TypeAdapter[Any]] = {
    "begun": TypeAdapter(Begun),
    "sampled": TypeAdapter(Sampled),
    "measured": TypeAdapter(Measured),
    "noted": TypeAdapter(Noted),
    "failed": TypeAdapter(Failed),
    "finished": TypeAdapter(Finished),
}


def event_to_line(event: Event) -> str | None:
    """One line of a stored result's log, or None for an event that isn't kept (deltas, status)."""
    kind = type(event).__name__.lower()
    match event:
        case Opened(info):
            data: object = video_record(info)
        case Kept(mark):
            data = _MARK.dump_python(mark, mode="json")
        case Captioned(caption):
            data = _CAPTION.dump_python(caption, mode="json")
        case Summarized(text, levels, trace):
            data = {"text": text, "levels": levels, "trace": _TRACE.dump_python(trace, mode="json")}
        case _:
            if kind not in _EVENTS:
                return None
            data = _EVENTS[kind].dump_python(event, mode="json")
    return json.dumps({kind: _writable(data)}, ensure_ascii=False, sort_keys=True)


def event_from_line(line: str) -> Event | None:
    """Inverse of `event_to_line`; None for a torn or foreign line."""
    try:
        record = json.loads(line)
        ((kind, data),) = record.items()
        match kind:
            case "opened":
                return Opened(video_from_record(data))
            case "kept":
                return Kept(_MARK.validate_python(data))
            case "captioned":
                return Captioned(_caption(data), from_store=True)
            case "summarized":
                return Summarized(str(data["text"]), int(data.get("levels", 1)), _trace(data.get("trace")))
            case _:
                return _EVENTS[kind].validate_python(data)
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError):
        return None
