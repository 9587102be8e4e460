"""`make fleet`: two `serve-model` captioners and two vLLM with the exported answerer behind one page.

Twenty visitors caption and ask, all at once. One captioner is killed while they caption and one vLLM while they ask,
and both are started again. Every caption and every answer must be the native engine's (float32, tiny random networks).
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file

from sgv_demo.asking import prepare_scene
from sgv_demo.clean import clean
from sgv_demo.engines import Scene
from sgv_demo.engines.remote.answerer import OFFICIAL_NAME
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharegpt4video import engine as sharegpt4video
from sgv_demo.engines.sharegpt4video.config import read_setup
from sgv_demo.engines.sharegpt4video.export import export
from sgv_demo.events import Analysis
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.pipeline import analyze
from sgv_demo.settings import Settings
from sgv_demo.steps import whole
from tests.load.harness import clips, page, side_by_side, visits
from tests.support.served import Served, free_port, vllm
from tests.support.spread import spread

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CAPTIONER = GOLDEN / "sharecaptioner-4khd" / "checkpoint"
ANSWERER = GOLDEN / "sharegpt4video" / "tiny-sharegpt4video"
VISITORS, CAPTION, ANSWER = 20, 16, 48
"""How many; tokens of a caption and of an answer at most."""
QUESTION = "What happens?"
_WAIT = 600


def main() -> None:
    """Prints what was equal.

    Raises:
        SystemExit: something wasn't.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        root = Path(folder)
        films = clips(root, VISITORS, 8)
        captions, answers = [_captions(film) for film in films], _answers(films)
        export(read_setup(ANSWERER), root / "out", dtype="float32", view="anyres")
        spread(root / "out")
        captioners, answerers = (
            [_captioner(root) for _ in "ab"],
            [vllm(root / "out", root, OFFICIAL_NAME) for _ in "ab"],
        )
        for one in (*captioners, *answerers):
            running.callback(one.kill)
        side_by_side([lambda one=one: one.start(_WAIT) for one in (*captioners, *answerers)], _WAIT)
        urls = [one.url.replace("/health", "/v1").removesuffix("/models") for one in (*captioners, *answerers)]
        flags = ("--engine", "remote", "--base-url", ",".join(urls), "--model", OFFICIAL_NAME)
        front = running.enter_context(page(root / "page", *flags, HF_HUB_OFFLINE="1"))
        with _killed(captioners[0], "captioner", after=3):
            found = visits(front.url, films, every=2, max_new_tokens=CAPTION)
        same = sum(got.texts == alone for got, alone in zip(found, captions, strict=True))
        failed = [got.failure for got in found if got.failure]
        print(f"{VISITORS} visitors' captions: {same} equal to the native engine, {len(failed)} failed {failed}")
        with _killed(answerers[0], "vLLM", after=1):
            got = _asked(front.url, films)
        equal = sum(one == alone for one, alone in zip(got, answers, strict=True))
        print(f"{VISITORS} visitors' answers: {equal} equal to the native engine")
        for one, alone in zip(got, answers, strict=True):
            if one != alone:
                print(f"  alone {alone!r}, served {one!r}")
    if (same, equal) != (VISITORS, VISITORS):
        raise SystemExit(1)


def _captioner(root: Path) -> Served:
    port = free_port()
    command = [sys.executable, "-m", "sgv_demo", "serve-model", "--captioner", str(CAPTIONER)]
    command += ["--quantization", "none", "--dtype", "float32", "--port", str(port)]
    return Served(command, f"http://127.0.0.1:{port}/health", root / f"captioner {port}.log")


@contextmanager
def _killed(server: Served, name: str, after: float) -> Iterator[None]:
    """Kills it so many seconds into what runs in the context, and starts it again."""

    def work() -> None:
        time.sleep(after)
        server.kill()
        print(f"one {name} was killed", flush=True)
        server.start(_WAIT)
        print(f"that {name} is back", flush=True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join(_WAIT)


def _captions(film: Path) -> tuple[str, ...]:
    """The native engine's, alone; without the control characters that a random network writes and no door lets
    through, so that the next prompt is the same, too."""
    engine: Any = sharecaptioner.load(str(CAPTIONER), quantization="none", dtype="float32", device="cpu")
    ask = engine.ask

    def cleaned(question: Any, options: GenerationOptions) -> Iterator[Any]:
        text, trace = whole(ask(question, options))
        yield clean(text)
        yield replace(trace, text=clean(text))

    engine.ask = cleaned
    sampling = SamplingOptions(every=2, keep_all=True, read_text=False)
    options = AnalysisOptions(sampling, generation=GenerationOptions(max_new_tokens=CAPTION))
    analysis = Analysis()
    for event in analyze(film, engine, options, Settings()):
        analysis = analysis.apply(event)
    return tuple(caption.text for caption in analysis.captions)


def _answers(films: list[Path]) -> list[str]:
    """The native engine's, alone."""
    native: Any = sharegpt4video.load(str(ANSWERER), quantization="none", dtype="float32", device="cpu")
    options = GenerationOptions(max_new_tokens=ANSWER)
    scenes = [
        next(item for item in prepare_scene(film, native, Settings(), SamplingOptions()) if isinstance(item, Scene))
        for film in films
    ]
    return [_ended(whole(native.answer(scene, QUESTION, [], options))[0]) for scene in scenes]


def _asked(url: str, films: list[Path]) -> list[str]:
    found = dict.fromkeys(films, "")

    def one(film: Path) -> None:
        client = Client(url, verbose=False)
        given: Any = {"video": handle_file(str(film)), "question": QUESTION, "max_new_tokens": ANSWER, "temperature": 0}
        try:
            got: Any = client.predict(**given, api_name="/ask")
            found[film] = _ended(got["answer"])
        finally:
            client.close()

    side_by_side([lambda film=film: one(film) for film in films])
    return list(found.values())


def _ended(text: str) -> str:
    """A text that is cut off within a character ends in half of one from one engine, and before it from another."""
    return clean(text).rstrip("\ufffd ").strip()


main()
