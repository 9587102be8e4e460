"""Questions a minute of a benchmark's run, one at a time and eight at once.

Random weights of a middling size; made-up questions in MVBench's form about clips of a second, two for each video, so
that every second question finds its picture read already. One run; the answers must be equal.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.answerer import random_engine
from benchmarks.clips import write_clip
from sgv_demo.evaluation import answers, mvbench
from sgv_demo.evaluation.plan import Part
from sgv_demo.evaluation.run import Run
from sgv_demo.settings import Settings

QUESTIONS = 8
VIDEOS = 4
TASK = next(task for task in mvbench.TASKS if task.stem == "action_antonym")


def main() -> None:
    """Prints both rates, their ratio and whether the answers are equal.

    Raises:
        SystemExit: the answers differ.
    """
    torch.manual_seed(0)
    torch.set_num_threads(2)
    engine = random_engine()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write(root)
        pool = mvbench.BENCHMARK.read(root, root)
        rates: dict[int, float] = {}
        said: list[list[str | None]] = []
        for at_once in (1, 8):
            engine.forget()
            out = root / f"at_once_{at_once}"
            start = time.perf_counter()
            Run(mvbench.BENCHMARK, engine, Settings(), at_once=at_once, pictures=False).into(out, pool, Part())
            rates[at_once] = 60 * QUESTIONS / (time.perf_counter() - start)
            said.append([answer.text for answer in answers.read(out).values()])
    equal = said[0] == said[1]
    most = mvbench.BENCHMARK.most_tokens
    print(f"questions    {QUESTIONS} about {VIDEOS} videos of 720p, at most {most} tokens each")
    for at_once, rate in rates.items():
        print(f"{at_once} at once    {rate:.1f} questions a minute, reading the videos included")
    print(f"ratio        {rates[8] / rates[1]:.2f}")
    print(f"answers      {'equal' if equal else 'DIFFERENT'}")
    if not equal:
        raise SystemExit(1)


def _write(root: Path) -> None:
    """Annotations and videos: one clip, under as many names."""
    clip = write_clip(root / "clip.mp4", gop=30)
    folder = root / TASK.folder
    folder.mkdir()
    rows = []
    for i in range(QUESTIONS):
        name = f"{i % VIDEOS}.mp4"
        if not (folder / name).exists():
            (folder / name).hardlink_to(clip)
        candidates = ["opens the door", "closes the door", "waves"]
        rows.append({"video": name, "question": f"What is {i}?", "candidates": candidates, "answer": candidates[i % 3]})
    (root / f"{TASK.stem}.json").write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
