"""Puts a benchmark's questions to an engine, several at once where it can, and keeps each answer as it comes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from sgv_demo.engines import SHAREGPT4VIDEO, Answerer, Scene
from sgv_demo.engines.pictures import scaled
from sgv_demo.errors import DatasetError, EngineError, SettingsError
from sgv_demo.evaluation.answers import Answer, Book, content_of, same_maker
from sgv_demo.evaluation.benchmark import Benchmark, Pool, Question
from sgv_demo.evaluation.looking import Look, looks
from sgv_demo.evaluation.plan import Part, chosen, write
from sgv_demo.options import GenerationOptions
from sgv_demo.settings import Settings
from sgv_demo.steps import whole
from sgv_demo.types import Picture, Trace

GRIDS = "grids"
"""Folder of what the model saw."""
GRID_SIDE = 640
"""Pixels: the longer side of a kept copy."""
MOST_FAILURES = 3
"""Failed answers in a row after which a run is given up."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int
    """Answered, those of earlier runs included."""
    total: int
    """To be asked in this part."""
    rate: float
    """Questions a minute since the start of this run."""
    left: float
    """Seconds at that rate; 0 when done."""
    task: str
    """Of the latest answer."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a run."""

    asked: int
    """Answered now."""
    kept: int
    """Answered before."""
    failed: tuple[str, ...]
    """Item and reason of each question that the engine failed at; run again to ask it."""


class Run:
    """One run of a benchmark."""

    def __init__(
        self,
        benchmark: Benchmark,
        answerer: Answerer,
        settings: Settings,
        *,
        at_once: int = 1,
        pictures: bool = True,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """
        Args:
            benchmark: whose rules of prompts and frames are followed.
            answerer: looks at frames; one that answers from measurements can't be asked for options.
            settings: limits for reading.
            at_once: questions under way at the same time.
            pictures: keep a small copy of what the model saw, once for all questions that saw it.
            progress: told after each answer, from this thread.

        Raises:
            SettingsError: the engine looks at no frames.
        """
        if answerer.info.needs_evidence:
            raise SettingsError(
                f"{answerer.info.label} looks at no frames and can't choose between options;"
                " name a model with --answerer or --engine."
            )
        self._benchmark, self._answerer, self._settings = benchmark, answerer, settings
        self._at_once, self._pictures, self._progress = at_once, pictures, progress
        self._generation = GenerationOptions(max_new_tokens=benchmark.most_tokens)
        self._stop = threading.Event()
        """Ends the answers that are under way."""
        info = answerer.info
        names = ("name", "label", "model", "quantization", "dtype", "fingerprint")
        self._engine = {name: str(getattr(info, name)) for name in names}
        self._options = {
            "max_new_tokens": benchmark.most_tokens,
            "temperature": 0.0,
            "beams": 1,
            "vision": settings.vision if info.name == SHAREGPT4VIDEO.name else "",
        }

    def into(self, out: Path, pool: Pool, part: Part, *, fresh: bool = False) -> Ended:
        """Asks what isn't answered yet in the folder `out`.

        Raises:
            SettingsError: another engine or other options answered there before; see `chosen` and `Book`.
            DatasetError: `out` holds another benchmark's answers.
            EngineError: the engine failed several times in a row; what was answered is kept.
        """
        questions = chosen(pool, part)
        with Book(out, fresh=fresh) as book:
            self._check(book)
            open_ = [one for one in questions if not _answered(book, one)]
            write(out, self._benchmark.name, pool, part)
            (out / GRIDS).mkdir(exist_ok=True)
            failed = self._ask(open_, book, total=len(questions))
        return Ended(len(open_) - len(failed), len(questions) - len(open_), tuple(failed))

    def _check(self, book: Book) -> None:
        before = same_maker(answer for answer in book.answers.values() if not answer.error)
        if before is None:
            return
        if before.benchmark != self._benchmark.name:
            raise DatasetError(f"“{book.folder.name}” holds answers to {before.benchmark}; choose another --out.")
        if before.made_by != (self._engine, self._options):
            raise SettingsError(
                f"“{book.folder.name}” holds answers of {before.engine.get('label')} {before.engine.get('model')} with"
                f" {json.dumps(dict(before.options))}; choose another --out, or --fresh to start over."
            )

    def _ask(self, questions: Sequence[Question], book: Book, total: int) -> list[str]:
        """Reads ahead while answers are under way; returns what failed."""
        started, before = time.monotonic(), total - len(questions)
        self._stop.clear()
        pending: dict[Future[Answer], Look] = {}
        failed: list[str] = []
        row = answered = 0

        def settle(most: int) -> None:
            """Takes answers in until at most `most` are under way."""
            nonlocal row, answered
            while len(pending) > most:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    look = pending.pop(future)
                    try:
                        book.add(future.result())
                    except EngineError as error:
                        failed.append(f"{look.question.asked.item}: {error}")
                        row += 1
                        if row >= MOST_FAILURES:
                            raise
                        continue
                    row, answered = 0, answered + 1
                    self._tell(before + answered, total, answered, started, look.question.asked.task)

        with ThreadPoolExecutor(self._at_once, thread_name_prefix="question") as executor:
            try:
                for look in looks(self._benchmark, questions, self._settings):
                    pending[executor.submit(self._answer, look, book.folder)] = look
                    settle(self._at_once)
                settle(0)
            finally:
                self._stop.set()
        return failed

    def _tell(self, done: int, total: int, answered: int, started: float, task: str) -> None:
        if self._progress is None:
            return
        each = (time.monotonic() - started) / answered
        self._progress(Progress(done, total, 60 / max(each, 1e-9), each * (total - done), task))

    def _answer(self, look: Look, out: Path) -> Answer:
        asked = look.question.asked
        empty = Answer(self._benchmark.name, asked, engine=self._engine, options=self._options, reader=look.reader)
        if look.scene is None:
            return replace(empty, error=look.error, content=content_of(asked, ""))
        wording = self._benchmark.wording(asked)
        scene = replace(look.scene, wording=wording)
        output, trace = self._say(scene, self._benchmark.put(asked))
        begun = trace.prompt.endswith(wording.begun) and wording.begun.endswith("(")
        return replace(
            empty,
            text=("(" if begun else "") + output.strip(),
            output=output,
            content=content_of(asked, scene.key),
            prompt=trace.prompt,
            own_form=wording.system not in trace.prompt,
            frames=scene.indices,
            picture=self._keep(trace.picture, scene.key, out),
            seconds=round(trace.seconds, 3),
            finish=trace.finish,
        )

    def _keep(self, picture: Picture | None, key: str, out: Path) -> str:
        """Keeps what the model saw; returns the file's place below `out`."""
        if picture is None or not self._pictures:
            return ""
        place = f"{GRIDS}/{key}.jpg"
        if not (out / place).exists():
            # A name of its own for each thread: two questions about the same pictures may be answered at once.
            unfinished = out / GRIDS / f"{key}.{threading.get_ident()}.tmp"
            Image.fromarray(scaled(picture, GRID_SIDE)).save(unfinished, "JPEG", quality=80)
            unfinished.replace(out / place)
        return place

    def _say(self, scene: Scene, question: str) -> tuple[str, Trace]:
        """The whole answer; ends within a token when the run is stopped."""

        def look(_piece: str) -> None:
            if self._stop.is_set():
                raise EngineError("The run was stopped; start it again to go on.")

        return whole(self._answerer.answer(scene, question, (), self._generation), look)


def _answered(book: Book, question: Question) -> bool:
    """Whether the very same question is answered; one whose text or right answer changed is asked again."""
    before = book.answers.get(question.asked.item)
    return before is not None and (before.asked.text, before.asked.gold) == (question.asked.text, question.asked.gold)
