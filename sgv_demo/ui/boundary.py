"""The page's one boundary: what goes wrong inside becomes one sentence for the visitor and one line in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sgv_demo.errors import SgvError

log = logging.getLogger(__name__)

UNFORESEEN = "Something unforeseen went wrong (it was logged). Retry; what was finished is kept."


@dataclass
class Told:
    """What the visitor is told; empty while nothing went wrong."""

    sentence: str = ""


@contextmanager
def boundary(doing: str) -> Iterator[Told]:
    """Takes every error of its block: a known one's sentence, else `UNFORESEEN` and a line in the log.

    Args:
        doing: what the block does, for the log ("a run").
    """
    told = Told()
    try:
        yield told
    except SgvError as error:
        told.sentence = str(error)
    except Exception as error:
        log.error("Unforeseen in %s: %s", doing, _line(error))
        log.debug("In full:", exc_info=error)
        told.sentence = UNFORESEEN


def _line(error: Exception) -> str:
    """What and where, without line ends: "ValueError: no such thing (pipeline.py:88)"."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    return " ".join(f"{type(error).__name__}: {error}".split()) + place
