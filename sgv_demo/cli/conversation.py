"""Questions about a video, one or a conversation of them."""

from __future__ import annotations

import sys
from pathlib import Path

from sgv_demo.asking import prepare_scene
from sgv_demo.cli.terminal import loading, print_generation
from sgv_demo.engines import Scene
from sgv_demo.engines.shelf import load_answerer
from sgv_demo.errors import EngineError, SgvError
from sgv_demo.events import Noted, Working
from sgv_demo.options import QuestionOptions
from sgv_demo.settings import Settings
from sgv_demo.steps import ask
from sgv_demo.types import Trace, Turn

HELP = "/retry asks the last question again, /undo takes the last turn back, /clear starts over, /quit ends."


class Conversation:
    """Turns about one video."""

    def __init__(self, video: Path, options: QuestionOptions, settings: Settings) -> None:
        """Loads the answerer and looks at the video once."""
        self.options, self.settings = options, settings
        self.answerer = load_answerer(settings, progress=loading)
        self.scene = self._look(video, settings)
        self.history: list[Turn] = []

    def _look(self, video: Path, settings: Settings) -> Scene:
        sampling, frames = self.options.sampling, self.options.frames
        for event in prepare_scene(video, self.answerer, settings, sampling, frames=frames):
            if isinstance(event, Scene):
                return event
            if isinstance(event, (Noted, Working)):
                print(event.text, file=sys.stderr)
        raise AssertionError("what is prepared ends with a scene")

    def ask(self, question: str, *, quiet: bool = False) -> tuple[Turn, Trace]:
        """Asks, prints the answer as it comes, remembers the turn.

        Raises:
            SettingsError: the question is too long.
            EngineError: the engine failed, or its answer is blank (published sampling takes that as it comes).
        """
        self.settings.bounded(question, "question")
        text, trace = print_generation(
            ask(self.scene, question, self.history, self.answerer, self.options.generation), quiet=quiet
        )
        if trace.note:
            print(f"note: {trace.note}", file=sys.stderr)
        if not text.strip() and not self.options.sampling.published:
            raise EngineError("The answer came back blank; ask again or in other words.")
        turn = Turn(question.strip(), text, trace.token_ids)
        self.history.append(turn)
        return turn, trace

    def run(self) -> None:
        """Reads questions from standard input until it ends."""
        print(f"{self.answerer.info.label}. {HELP}", file=sys.stderr)
        while True:
            try:
                line = input("> ").strip()
            except EOFError:
                return
            try:
                if not self._command(line):
                    return
            except SgvError as error:
                print(f"error: {error}", file=sys.stderr)
            except KeyboardInterrupt:
                print("\nstopped", file=sys.stderr)

    def _command(self, line: str) -> bool:
        """Runs one line; returns False at the end of the conversation."""
        match line:
            case "/quit" | "/exit":
                return False
            case "/clear":
                self.history.clear()
            case "/undo":
                del self.history[-1:]
            case "/retry":
                if self.history:
                    self.ask(self.history.pop().question)
            case "":
                pass
            case _:
                self.ask(line)
        return True
