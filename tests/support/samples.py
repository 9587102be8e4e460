"""One analysis with everything in it, for tests of what reads analyses."""

from __future__ import annotations

from pathlib import Path

from sgv_demo.events import Analysis
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.types import (
    CameraMove,
    Caption,
    ColourChange,
    EngineInfo,
    Evidence,
    KeyframeMark,
    Look,
    Moving,
    Sample,
    TraceMark,
    VideoInfo,
)

ENGINE = EngineInfo("scripted", "Scripted, for tests", model="tiny", quantization="nf4", dtype="bfloat16")
LOOK = Look(0.5, 0.2, 300.0, (("sky blue", 0.5), ("tan", 0.2)), "centre", ("EXIT",))
EVIDENCE = Evidence(
    start=0.0,
    end=2.0,
    camera=("pan right",),
    moves=(CameraMove("pan right", 0.0, 2.0, 0.4, "frame widths"),),
    cuts=(1.25,),
    light=0.12,
    colour=ColourChange("tan", "sky blue", 0.4),
    moving=(Moving("upper right", "left", 0.2, 0.05),),
    text_appeared=("EXIT",),
    text_gone=("START",),
    similarity=0.81,
)


def analysis(**changes: object) -> Analysis:
    """A finished run over a 4 s clip with a first caption and two pairs."""
    marks = tuple(
        KeyframeMark(i, 2.0 * i, None if i == 0 else 0.8, 2.0 * i, LOOK, f"keyframes/{i:04d}.jpg") for i in range(3)
    )
    captions = (
        Caption(0, 0.0, 0.0, "A street at noon.", look=LOOK),
        Caption(
            1, 0.0, 2.0, "The camera pans right & a <sign> shows.", EVIDENCE, 2.0, LOOK, TraceMark("ask", 7, 90, 1.5)
        ),
        Caption(2, 2.0, 4.0, "Line one\n\nline two --> end", Evidence(2.0, 4.0, ("static",)), 4.0, LOOK),
    )
    base = Analysis(
        engine=ENGINE,
        options=AnalysisOptions(SamplingOptions(similarity="histogram")),
        video=VideoInfo(
            Path("/home/someone/secret/my *clip*.mp4"), 4.0, 25.0, (640, 360), "h264", True, 0.0, ("note",)
        ),
        samples=(Sample(0.0, None, True), Sample(2.0, 0.8, True), Sample(4.0, 0.8, True)),
        keyframes=marks,
        evidence=(EVIDENCE, Evidence(2.0, 4.0, ("static",))),
        captions=captions,
        summary="A street; a sign appears.",
        notes=("3 damaged pictures were skipped.",),
        finished=True,
        seconds=3.5,
    )
    from dataclasses import replace

    return replace(base, **changes)  # pyright: ignore[reportArgumentType]
