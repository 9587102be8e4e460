"""Refusals in the shape in which OpenAI's clients expect them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sgv_demo.errors import EngineError, OutOfMemoryError, SgvError


@dataclass
class RefusalError(Exception):
    """A request that gets no answer."""

    status: int
    message: str
    """Cause and remedy, one sentence."""
    kind: str = "invalid_request_error"
    param: str | None = None
    """The field at fault."""
    code: str | None = None
    """The reason in one word, as OpenAI names it."""
    retry_after: int = 0
    """Seconds after which it is worth another try; 0: nobody knows."""

    def body(self) -> dict[str, Any]:
        """The JSON of the refusal."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """What goes with it."""
        found = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        return found | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def refused(error: Exception) -> RefusalError | None:
    """A known error as a refusal; None for one that nobody foresaw."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, OutOfMemoryError):
        return RefusalError(503, str(error), "server_error", code="out_of_memory")
    if isinstance(error, EngineError):
        return RefusalError(400, str(error), param="messages", code="refused_by_engine")
    return RefusalError(400, str(error)) if isinstance(error, SgvError) else None
