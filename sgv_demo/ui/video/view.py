"""Facts of the file and what a run would cost, as HTML: pure."""

from __future__ import annotations

from markupsafe import Markup

from sgv_demo.formats.markup import counted, macros
from sgv_demo.options import AnalysisOptions
from sgv_demo.times import clock
from sgv_demo.types import VideoInfo
from sgv_demo.ui.parts import between


def facts(info: VideoInfo) -> Markup:
    """What the probe found, as a definition list, and its notes."""
    width, height = info.size
    rows = (
        ("Length", clock(info.duration), f"({info.duration:.1f} s)"),
        ("Picture", f"{width}×{height}", ""),
        ("Rate", f"{info.fps:.4g} fps", ""),
        ("Codec", info.codec, ""),
        ("Sound", "yes" if info.has_audio else "no", ""),
    )
    return macros("video").facts(info.name, rows, info.notes)


def estimate(samples: int, seconds: tuple[float, float] | None) -> Markup:
    """How much a run would be, before it is started."""
    about = f", about {between(*seconds)}" if seconds else ""
    return macros("video").estimate(f"{counted(samples, 'sample')} to look at{about}")


def chosen(options: AnalysisOptions) -> Markup:
    """What is set under "Options", in one line; `options` are settled."""
    sampling = options.sampling
    parts = ["One caption for all keyframes" if options.at_once else "One caption for each pair"]
    parts.append(f"a sample every {sampling.every:g} s")
    by = "CLIP" if sampling.similarity == "clip" else "colour histogram"
    parts.append("every sample kept" if sampling.keep_all else f"threshold {sampling.threshold_in_force:g} ({by})")
    if sampling.start or sampling.end is not None:
        end = "end" if sampling.end is None else clock(sampling.end)
        parts.append(f"from {clock(sampling.start)} to {end}")
    if sampling.maximum:
        parts.append(f"at most {counted(sampling.maximum, 'keyframe')}")
    if options.generation.beams > 1:
        parts.append(f"{options.generation.beams} beams")
    return macros("video").estimate(" · ".join(parts))
