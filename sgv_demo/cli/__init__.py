"""The command line: a second renderer of the same events that the page renders."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from sgv_demo.cli.flags import WrongUsageError
from sgv_demo.errors import SgvError

PROGRAM = "python -m sgv_demo"

COMMANDS = {
    "frames": ("sgv_demo.cli.commands:frames", "Pictures at given times, as PNG."),
    "keyframes": ("sgv_demo.cli.commands:keyframes", "Keyframes and what was measured between them."),
    "caption": ("sgv_demo.cli.commands:caption", "Captions and a summary."),
    "summarize": ("sgv_demo.cli.commands:summarize", "Sum up the captions of a saved analysis."),
    "recaption": ("sgv_demo.cli.commands:recaption", "Turn a short generation prompt into a detailed caption."),
    "ask": ("sgv_demo.cli.commands:ask", "Answer one question about a video."),
    "chat": ("sgv_demo.cli.commands:chat", "A conversation about a video, in the terminal."),
    "engines": ("sgv_demo.cli.commands:engines", "Which engines there are."),
    "check": ("sgv_demo.cli.commands:check", "Does this machine give the known answers?"),
    "quantize": ("sgv_demo.cli.commands:quantize", "Save a checkpoint in 4 or 8 bit."),
    "export": ("sgv_demo.cli.commands:export", "Write the answerer in a layout that vLLM serves."),
    "annotate": ("sgv_demo.annotation.commands:annotate", "Caption a pool of videos into the published schema."),
    "filter": ("sgv_demo.annotation.filtering.commands:filter", "Leave out of a pool what it has already."),
    "convert": (
        "sgv_demo.annotation.commands:convert",
        "Hand a pool's captions over in a trainer's form.",
    ),
    "evaluate": ("sgv_demo.evaluation.commands:app", "The paper's three benchmarks, run and scored."),
    "serve-model": ("sgv_demo.cli.commands:serve_model", "Serve a native model to OpenAI clients."),
    "serve": ("sgv_demo.cli.commands:serve", "Start the page."),
}
"""Name to where the command is and what it does; its module is imported when it is called. Add a command here."""


def build_app() -> App:
    """The program with its commands."""
    app = App(
        name=PROGRAM,
        help="Keyframes, differential captions, summaries and answers for videos.",
        help_format="plaintext",
        version_flags=(),
        default_parameter=Parameter(negative="", show_default=False),
    )
    for name, (place, about) in COMMANDS.items():
        app.command(place, name=name, help=about)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0; 1 after a user's error (one `error:` line on stderr); 130 when interrupted. Wrong usage exits with 2.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    if not words:
        _misused(words, "a command is missing")
    try:
        build_app()(words, exit_on_error=False, print_error=False, result_action="return_value")
    except (CycloptsError, WrongUsageError) as error:
        _misused(words, str(error))
    except SgvError as error:
        return _fail(str(error))
    except FileNotFoundError as error:
        return _fail(f"There is no file {error.filename!r}; check the path.")
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}; check the path, its permissions and the disk.")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def _misused(words: Sequence[str], message: str) -> None:
    """Says how the program is used, and ends it with 2."""
    command = words[0] if words and words[0] in COMMANDS else "COMMAND"
    print(f"usage: {PROGRAM} {command} [ARGUMENTS] [OPTIONS]  (--help tells which)", file=sys.stderr)
    _fail(message)
    sys.exit(2)


def _fail(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 1
