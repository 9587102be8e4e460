"""`make fleet`: two `serve-model` captioners and the exported answerer on an engine of other people's behind one page.

Twenty visitors caption, five of them ask; one captioner is killed in between and started again. Every caption and every
answer must be the native engine's (float32, tiny random networks). The answerer is served by `transformers serve`, or
by vLLM where FLEET_VLLM names its executable.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
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
from tests.load.harness import clips, page, visits
from tests.support.served import transformers_serve

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CAPTIONER = GOLDEN / "sharecaptioner-4khd" / "checkpoint"
ANSWERER = GOLDEN / "sharegpt4video" / "tiny-sharegpt4video"
VISITORS, ASKING, NEW = 20, 5, 16
PORTS = (8310, 8311)
QUESTION = "What happens?"
_WAIT = 120


def main() -> None:
    """Prints what was equal.

    Raises:
        SystemExit: something wasn't.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        root = Path(folder)
        films = clips(root, VISITORS, 8)
        captions = [_captions(film) for film in films]
        served = [_Captioner(port, root) for port in PORTS]
        for one in served:
            running.callback(one.kill)
            one.start()
        answerer = running.enter_context(_answerer(root))
        urls = [f"http://127.0.0.1:{port}/v1" for port in PORTS] + [answerer]
        flags = ("--engine", "remote", "--base-url", ",".join(urls), "--model", str(root / OFFICIAL_NAME))
        front = running.enter_context(page(root / "page", *flags, HF_HUB_OFFLINE="1"))
        killing = threading.Thread(target=_kill_and_start, args=(served[0],), daemon=True)
        killing.start()
        began = time.monotonic()
        found = visits(front.url, films, every=2, max_new_tokens=NEW)
        wall = time.monotonic() - began
        killing.join(_WAIT)
        same = sum(got.texts == alone for got, alone in zip(found, captions, strict=True))
        failed = [got.failure for got in found if got.failure]
        print(f"{VISITORS} visitors in {wall:.1f} s: {same} equal to the native engine, {len(failed)} failed {failed}")
        answers = _answers(front.url, films[:ASKING])
        print(f"{ASKING} questions: {answers} equal to the native engine")
    if same != VISITORS or answers != ASKING:
        raise SystemExit(1)


class _Captioner:
    """A `serve-model` in a process of its own."""

    def __init__(self, port: int, root: Path) -> None:
        self._command = [sys.executable, "-m", "sgv_demo", "serve-model", "--captioner", str(CAPTIONER)]
        self._command += ["--quantization", "none", "--dtype", "float32", "--port", str(port)]
        self._url, self._log = f"http://127.0.0.1:{port}/health", root / f"captioner {port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until = time.monotonic() + _WAIT
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(self._url, timeout=5).close()
                return
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                time.sleep(0.2)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _kill_and_start(captioner: _Captioner) -> None:
    time.sleep(3)
    captioner.kill()
    captioner.start()
    print("one captioner was killed and is back", flush=True)


@contextmanager
def _answerer(root: Path) -> Iterator[str]:
    out = root / OFFICIAL_NAME
    export(read_setup(ANSWERER), out, dtype="float32", view="anyres")
    vllm = os.environ.get("FLEET_VLLM")
    if not vllm:
        with transformers_serve(out, root) as url:
            yield url
        return
    command = [vllm, "serve", str(out), "--port", "8312", "--dtype", "float32", "--enforce-eager"]
    with subprocess.Popen([*command, "--served-model-name", str(out)]) as process:
        url = "http://127.0.0.1:8312/v1"
        until = time.monotonic() + 600
        while time.monotonic() < until and process.poll() is None:
            try:
                urllib.request.urlopen(f"{url}/models", timeout=5).close()
                break
            except (OSError, urllib.error.HTTPError):
                time.sleep(1)
        try:
            yield url
        finally:
            process.terminate()


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
    options = AnalysisOptions(sampling, generation=GenerationOptions(max_new_tokens=NEW))
    analysis = Analysis()
    for event in analyze(film, engine, options, Settings()):
        analysis = analysis.apply(event)
    return tuple(caption.text for caption in analysis.captions)


def _answers(url: str, films: list[Path]) -> int:
    native: Any = sharegpt4video.load(str(ANSWERER), quantization="none", dtype="float32", device="cpu")
    client, equal = Client(url, verbose=False), 0
    for film in films:
        got: Any = client.predict(
            video=handle_file(str(film)), question=QUESTION, max_new_tokens=NEW, temperature=0, api_name="/ask"
        )
        scene = _scene(film, native)
        text, _ = whole(native.answer(scene, QUESTION, [], GenerationOptions(max_new_tokens=NEW)))
        # A text cut off within a character ends in half of one here, and before it there.
        alone, served = clean(text).rstrip("\ufffd ").strip(), got["answer"].rstrip("\ufffd ").strip()
        equal += alone == served
        if alone != served:
            print(f"  alone {alone!r}, served {served!r}")
    client.close()
    return equal


def _scene(film: Path, native: Any) -> Scene:
    prepared = prepare_scene(film, native, Settings(), SamplingOptions())
    return next(item for item in prepared if isinstance(item, Scene))


main()
