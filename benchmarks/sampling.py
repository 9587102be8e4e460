"""Sampling a video every 2 s: ours against the published way, in one run, each in a process of its own.

The published script reads every frame at full size into a list and embeds both frames of each comparison anew. Both
sides compare with the same colour histograms here, so that the difference is sampling alone. Wall time starts with the
interpreter already up; it includes the start of our reading process. Memory is the peak of the whole process, for ours
the sum of the app's process and the reading process. Each figure is the fastest of three runs.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from sgv_demo.keyframes.similarity import HistogramEmbedder
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, Picture
from sgv_demo.video import open_video

FPS = 30
EVERY = 2.0
SMALL = 640
"""Long side in pixels that our sampling decodes to."""


def main() -> None:
    """Writes the clips, runs every job in its own process, prints the tables."""
    from benchmarks.clips import repeated, write_clip

    with tempfile.TemporaryDirectory() as folder:
        clips = {gop: write_clip(Path(folder) / f"gop{gop}.mp4", gop) for gop in (30, 250)}
        long = {gop: repeated(clip, 10) for gop, clip in clips.items()}
        hour = repeated(clips[30], 60)
        print("60 s of 720p30 H.264, a sample every 2 s\n")
        print(f"{'':12}{'published':>22}{'ours':>22}{'time':>9}{'memory':>9}")
        for gop, clip in clips.items():
            theirs, ours = best("published", clip), best("ours", clip)
            assert theirs["kept"] == ours["kept"], (theirs["kept"], ours["kept"])
            print(
                f"GOP {gop:<8}{_cost(theirs):>22}{_cost(ours):>22}{theirs['seconds'] / ours['seconds']:8.1f}x"
                f"{theirs['megabytes'] / ours['megabytes']:8.1f}x"
            )
        print("\nOurs on longer videos (GOP 30; the published way would need 50 GB for 10 minutes)\n")
        for minutes, clip in ((1, clips[30]), (10, long[30]), (60, hour)):
            print(f"{minutes:>3} min {_cost(best('ours', clip)):>26}")
        print("\nThe plan against one fixed way, 10 min, samples half a second off the keyframes\n")
        print(f"{'':12}{'in order':>12}{'seeking':>12}{'plan':>12}{'of the better':>16}")
        for gop, clip in long.items():
            found = [best(way, clip)["seconds"] for way in ("in order", "seek", "auto")]
            cells = "".join(f"{seconds:10.2f} s" for seconds in found)
            print(f"GOP {gop:<8}{cells}{found[2] / min(found[:2]):15.2f}x")


def _cost(result: dict[str, float]) -> str:
    return f"{result['seconds']:.2f} s {result['megabytes']:8.0f} MB"


def best(job: str, clip: Path) -> dict[str, float]:
    """The fastest of three runs: other work on the machine only ever slows a run down."""
    return min((run(job, clip) for _ in range(3)), key=lambda found: found["seconds"])


def run(job: str, clip: Path) -> dict[str, float]:
    """Runs one job in a fresh interpreter; returns its seconds, megabytes and how many samples were kept."""
    command = [sys.executable, "-m", "benchmarks.sampling", job, str(clip)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def job(name: str, clip: Path) -> None:
    """One measurement; prints it as JSON."""
    work: Callable[[Path], int] = {"published": published, "ours": ours}.get(name) or (lambda path: forced(name, path))
    begun = time.perf_counter()
    kept = work(clip)
    seconds = time.perf_counter() - begun
    # Of itself a process also remembers the peak of the one that started it, so its own is read elsewhere.
    status = Path("/proc/self/status").read_text()
    own = int(status.split("VmHWM:")[1].split()[0])
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({"seconds": seconds, "megabytes": (own + children) / 1024, "kept": kept}))


def published(clip: Path) -> int:
    """All frames in memory at full size; both embeddings calculated for each comparison."""
    capture = cv2.VideoCapture(str(clip))
    frames: list[Picture] = []
    while True:
        good, image = capture.read()
        if not good:
            break
        frames.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False))
    embedder = HistogramEmbedder()
    kept = [0]
    for number in range(0, len(frames), round(FPS * EVERY)):
        before = embedder.embed([Frame(0.0, frames[kept[-1]])])[0]
        now = embedder.embed([Frame(0.0, frames[number])])[0]
        if float(before @ now) < embedder.threshold:
            kept.append(number)
    return len(kept)


def ours(clip: Path) -> int:
    """Only the wanted frames, small, one after the other; each embedded once."""
    embedder = HistogramEmbedder()
    kept, latest = 1, None
    with open_video(clip, Settings()) as video:
        for frame in video.near(_wanted(0.0, video.info.duration), long_side=SMALL):
            now = embedder.embed([frame])[0]
            if latest is None:
                latest = now
            elif float(latest @ now) < embedder.threshold:
                kept, latest = kept + 1, now
    return kept


def forced(way: str, clip: Path) -> int:
    """Reads the samples one fixed way, or by the plan ("auto"), in this process."""
    from sgv_demo.video.decoding.pyav import PyavReader

    reader = PyavReader(clip, Settings(), strategy=way)  # pyright: ignore[reportArgumentType]
    return sum(1 for _ in reader.near(_wanted(0.5, reader.info.duration), long_side=SMALL))


def _wanted(first: float, end: float) -> Iterator[float]:
    while first < end:
        yield first
        first += EVERY


if __name__ == "__main__":
    job(sys.argv[1], Path(sys.argv[2])) if len(sys.argv) > 1 else main()
