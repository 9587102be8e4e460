"""Made-up benchmarks in the layouts that go round, each with real little videos."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from sgv_demo.engines import Scene
from sgv_demo.evaluation.mvbench import BENCHMARK, TASKS
from sgv_demo.evaluation.plan import Part
from sgv_demo.evaluation.run import Run
from sgv_demo.evaluation.tempcompass import SUFFIXES
from sgv_demo.options import GenerationOptions
from sgv_demo.settings import Settings
from sgv_demo.types import EngineInfo, Generation, Trace, Turn
from tests.support.video_files import numbered, write_clip

WORDS = ("opens the door", "closes the door", "turns left", "waves")


@dataclass(frozen=True)
class Made:
    """Where a benchmark was written."""

    annotations: Path
    videos: Path


def mvbench(
    root: Path, tasks: Sequence[str] = ("action_sequence", "action_antonym", "episodic_reasoning"), each: int = 2
) -> Made:
    """Annotations in `json/`, archives unpacked in `video/`, as the main branch has them."""
    made = Made(root / "json", root / "video")
    made.annotations.mkdir(parents=True)
    for task in (task for task in TASKS if task.stem in tasks):
        rows = []
        for i in range(each):
            name = f"{task.stem}_{i // 2}" + ("" if task.pictures else ".mp4")
            path = made.videos / task.folder / name
            if not path.exists():
                write_pictures(path) if task.pictures else write_video(path)
            row: dict[str, Any] = {
                "video": name,
                "question": f"{task.name} {i}?",
                "candidates": list(WORDS),
                "answer": WORDS[i % len(WORDS)],
            }
            rows.append(row | ({"start": 0.5, "end": 2.5} if task.bound else {}))
        write_json(made.annotations / f"{task.stem}.json", rows)
    return made


def videobench(root: Path, sets: Sequence[str] = ("ActivityNet", "MOT"), each: int = 2, answers: bool = True) -> Made:
    """Object files as they are published; with `answers`, each row has one, as the earlier versions had."""
    made = Made(root / "annotations", root / "videos")
    made.annotations.mkdir(parents=True)
    for name in sets:
        rows: dict[str, Any] = {}
        for i in range(each):
            video = f"Eval_video/{name}/{i // 2}.mp4"
            write_video(made.videos / video)
            rows[f"{name}_{i}"] = {
                "vid_path": video,
                "video_id": i,
                "question": f"{name} {i}?",
                "choices": dict(zip("ABCD", WORDS, strict=True)),
            } | ({"answer": "ABCD"[i % 4]} if answers else {})
        write_json(made.annotations / f"{name}_QA_new.json", rows)
    return made


def tempcompass(root: Path, videos: int = 2, flat: bool = False) -> Made:
    """All four tasks about each video; `flat` writes the hub's form."""
    made = Made(root / "questions", root / "videos")
    made.annotations.mkdir(parents=True)
    names = [f"{100 + i}{'_reverse' if i % 2 else ''}" for i in range(videos)]
    meta = {
        name: {"eval_dim": {"action": {"type": "fine-grained action"}, "speed": None, "order": {"type": "x"}}}
        for name in names
    }
    write_json(made.annotations.parent / "meta_info.json", meta)
    for name in names:
        write_video(made.videos / f"{name}.mp4")
    for task in SUFFIXES:
        rows = {name: {aspect: [_tempcompass_row(task, aspect)] for aspect in ("action", "order")} for name in names}
        written: Any = rows
        if flat:
            written = [
                {"video_id": name, "dim": aspect, **row}
                for name, aspects in rows.items()
                for aspect, found in aspects.items()
                for row in found
            ]
        write_json(made.annotations / f"{task}.json", written)
    return made


def _tempcompass_row(task: str, aspect: str) -> dict[str, str]:
    if task == "multi-choice":
        return {"question": f"What {aspect}?\nA. runs\nB. sits", "answer": "A. runs"}
    if task == "yes_no":
        return {"question": f"Is it {aspect}?", "answer": "yes"}
    if task == "caption_matching":
        return {
            "question": f"Which {aspect}?\nCaption A: He runs.\nCaption B: He sits.",
            "answer": "Caption A: He runs.",
        }
    return {"question": f"Write about {aspect}.\nGenerated Caption:", "answer": "A. runs"}


def write_video(path: Path, count: int = 40) -> Path:
    """A clip of numbered pictures at ten a second."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, count=count, fps=10, size=(64, 48))
    return path


def write_pictures(folder: Path, count: int = 12) -> Path:
    """A folder of pictures, 00001.jpg and on."""
    folder.mkdir(parents=True)
    for i in range(1, count + 1):
        Image.fromarray(numbered(i, (64, 48))).save(folder / f"{i:05d}.jpg")
    return folder


def write_json(path: Path, data: object) -> Path:
    """UTF-8 JSON."""
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return path


class Says:
    """An engine that always says the same and keeps what it was shown."""

    default_frames = 16

    def __init__(self, text: str) -> None:
        self.text = text
        self.info = EngineInfo("one", "Engine <one>")

    def answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        yield self.text
        yield Trace(prompt=question, picture=scene.frames[0].image)


def with_runs(root: Path) -> Path:
    """An operator's folder: a benchmark with a video that can't be read, two runs of it, and something else."""
    made = mvbench(root / "mvbench", tasks=["action_antonym", "action_sequence"])
    made.annotations.rename(root / "mvbench" / "annotations")
    (root / "mvbench" / "video").rename(root / "mvbench" / "videos")
    (root / "mvbench/videos/star/Charades_v1_480/action_sequence_0.mp4").write_bytes(b"no video")
    (root / "private").mkdir()
    pool = BENCHMARK.read(root / "mvbench/annotations", root / "mvbench/videos")
    for name, text in (("run A", "(A) <b>opens</b>"), ("run B", "maybe B")):
        Run(BENCHMARK, Says(text), Settings()).into(root / name, pool, Part())
    return root
