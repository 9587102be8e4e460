"""Videos a minute of a pool: the published way against `annotate` in one process and on Ray; the same texts.

Published, restated: one video after another, every frame decoded, the published network one step at a time. Ours: a
video's samples alone are decoded, videos side by side, their steps batched. Thirty clips of 10 s, a random captioner of
6 layers × 512 in float32, 24 new tokens a text. Then memory from 30 to 300 videos.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import psutil

from benchmarks.captioner import Published, PublishedLora
from benchmarks.synthetic import Camera, Clip
from sgv_demo.annotation import inputs
from sgv_demo.annotation.pool import Pool
from sgv_demo.annotation.run import Part, Threads, annotate, annotated
from sgv_demo.engines.measured.engine import MeasuredCaptioner
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharecaptioner.network import PartialLora
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.settings import Settings
from tests.support.tiny_captioner import tiny_config, write_checkpoint

CLIPS, MANY = 30, 300
GOAL = 5.0
OPTIONS = AnalysisOptions(
    SamplingOptions(every=2, read_text=False, measure=False), generation=GenerationOptions(max_new_tokens=24)
)
SETTINGS = Settings()


def main() -> None:
    """Prints videos a minute, the ratios, and memory.

    Raises:
        SystemExit: the texts differ.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        clips, model = root / "clips", write_checkpoint(root / "model", tiny_config(width=512, layers=6))
        clips.mkdir()
        for number in range(CLIPS):
            _write(clips / f"{number:03}.mp4", number)
        engine: Any = sharecaptioner.load(str(model), quantization="none", dtype="float32", device="cpu")
        ours, spent = _timed(lambda: _annotated(clips, root / "ours", engine))
        rows = [("annotate, 8 side by side", spent)]
        ray, on_ray = _timed(lambda: _on_ray(clips, root / "ray", model))
        rows.append(("annotate --ray, 2 workers, start included", on_ray))
        published, slow = _timed(lambda: _published(clips, engine))
        print(f"published way                              {60 * CLIPS / slow:6.1f} videos a minute")
        for what, seconds in rows:
            print(f"{what:42} {60 * CLIPS / seconds:6.1f} videos a minute: {slow / seconds:.2f} times (goal {GOAL:g})")
        print("texts equal" if ours == published == ray else "texts DIFFERENT")
        _handing_out(clips)
        _memory(clips, root / "many")
        if not ours == published == ray:
            raise SystemExit(1)


def _write(path: Path, seed: int) -> None:
    clip = Clip(Camera(pan=0.1), seed=seed, size=(320, 180), seconds=10, rate=24)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=24, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for frame in clip.frames():
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, "rgb24")))
        out.mux(stream.encode(None))


def _timed(work: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


def _annotated(clips: Path, out: Path, engine: Any, at_once: int = 8) -> dict[str, Any]:
    with Pool(out, {}) as pool:
        count = inputs.write_manifest(inputs.videos(clips), out)
        workers = Threads(engine, OPTIONS, SETTINGS, at_once)
        annotate(Part().of(inputs.manifest(out), pool), count, pool, workers)
    return _texts(out)


def _on_ray(clips: Path, out: Path, model: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "sgv_demo", "annotate", str(clips), "--out", str(out), "--ray", "auto"]
    command += ["--actors", "2", "--at-once", "4", "--engine", "official", "--captioner", str(model)]
    command += ["--quantization", "none", "--dtype", "float32", "--no-text", "--no-measure", "--max-new-tokens", "24"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    return _texts(out)


def _published(clips: Path, engine: Any) -> dict[str, Any]:
    network = engine._network
    network.__class__ = Published
    for module in network.modules():
        if type(module) is PartialLora:
            module.__class__ = PublishedLora
    found: dict[str, Any] = {}
    for video in inputs.videos(clips):
        with av.open(video.address) as container:
            for frame in container.decode(video=0):
                frame.to_ndarray(format="rgb24")
        found[video.name] = annotated(video, engine, OPTIONS, SETTINGS).record["captions"]
    return found


def _texts(out: Path) -> dict[str, Any]:
    rows = [json.loads(line) for line in (out / "annotations.jsonl").read_text(encoding="utf-8").splitlines()]
    return {row["video_path"]: row["captions"] for row in rows}


def _handing_out(clips: Path) -> None:
    """What Ray adds to a video once it has started: by one actor, and by one thread of this process."""
    from sgv_demo.annotation.on_ray import Cluster

    found = list(inputs.videos(clips))
    seconds = []
    for workers in (
        Threads(MeasuredCaptioner(), OPTIONS, SETTINGS, 1),
        Cluster("auto", Settings(engine="measured"), OPTIONS, actors=1, gpus=0, each=1),
    ):
        workers.submit(found[0]).result()  # whatever is made at the first one
        began = time.monotonic()
        for video in found:
            workers.submit(video).result()
        seconds.append(time.monotonic() - began)
        workers.stop()
    alone, ray = (1000 * spent / len(found) for spent in seconds)
    print(f"offline engine, one after another: {alone:.0f} ms a video, on Ray {ray:.0f} ms (goal: at most 50 more)")


def _memory(clips: Path, out: Path) -> None:
    """Of this process with the measured engine, after 30 videos and after 300 names of the same clips."""
    listed = out.with_suffix(".jsonl")
    held = []
    for count in (CLIPS, MANY):
        names = [str(clips / f"{number % CLIPS:03}.mp4") for number in range(count)]
        rows = [{"path": name, "start": 0, "end": 1 + number // CLIPS / 100} for number, name in enumerate(names)]
        listed.write_text("".join(json.dumps(row) + "\n" for row in rows))
        _annotated(listed, out.with_name(f"{out.name}{count}"), MeasuredCaptioner(), 2)
        held.append(psutil.Process().memory_info().rss >> 20)
    print(f"memory after {CLIPS} videos {held[0]} MB, after {MANY} more {held[1]} MB")


if __name__ == "__main__":
    main()
