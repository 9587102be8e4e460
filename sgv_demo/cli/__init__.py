"""The command line: a second renderer of the same events that the page renders."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from sgv_demo.cli.commands import COMMANDS
from sgv_demo.cli.parser import build_parser
from sgv_demo.cli.terminal import check_outputs
from sgv_demo.errors import SgvError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0; 1 after a user's error (one `error:` line on stderr); 130 when interrupted. Wrong usage exits with 2.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    try:
        if words[:1] == ["evaluate"]:
            from sgv_demo.evaluation.commands import app

            app(words[1:], result_action="return_value")
            return 0
        args = build_parser().parse_args(words)
        check_outputs(args)
        COMMANDS[args.command](args)
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


def _fail(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 1
