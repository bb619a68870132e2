"""From an attempt to the call of its function, and from what that returned or raised to the outcome of the attempt."""

from __future__ import annotations

import asyncio
import json
import traceback
from typing import Any, Protocol

from rhythm.errors import NonRetryable, Retry, Snooze, TaskCancelled
from rhythm.task import Context, Task, seconds


class AnyAttempt(Protocol):
    """An attempt that a worker has claimed, or one of a simulated run."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def inputs(self) -> str: ...
    @property
    def trace(self) -> str | None: ...
    @property
    def cancellation(self) -> str | None: ...
    @property
    def progress(self) -> str | None: ...
    def heartbeat(self) -> None: ...
    def set_progress(self, json: str, at_once: bool) -> None: ...
    def snooze(self, delay: float) -> None: ...
    def fail(
        self,
        name: str,
        message: str,
        code: str | None,
        stack: str | None,
        cause: str | None,
        data: str | None,
        retryable: bool,
        retry_in: float | None,
    ) -> None: ...


class _NotTaken(Exception):
    """The inputs, which stay the same in all attempts, are not what a task takes; the cause says why."""


def call(task: Task, attempt: AnyAttempt) -> Any:
    """Calls a task's function with what it takes."""
    try:
        function = task.prepare(attempt.inputs, Context(attempt))
    except Exception as error:
        raise _NotTaken from error
    return function()


class _NotJson(Exception):
    """A task returned what JSON cannot hold. Another attempt would, too."""


def encode(task: Task, value: Any) -> str:
    """Writes what a task returned as JSON."""
    if isinstance(value, (Snooze, Retry, NonRetryable)):
        raise _NotJson(f"task {task.name} returned {type(value).__name__}, which is to be raised")
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        # Half a surrogate pair is a str, and no text.
        text.encode()
        return text
    except (TypeError, ValueError, RecursionError) as error:
        raise _NotJson(f"task {task.name} returned what is not JSON: {error}") from error


def fail(task: Task, attempt: AnyAttempt, error: BaseException) -> None:
    """Turns what a task raised into the outcome of its attempt."""
    is_taken = not isinstance(error, _NotTaken)
    if not is_taken and error.__cause__ is not None:
        error = error.__cause__
    retry_in: float | None = None
    try:
        if isinstance(error, Snooze):
            return attempt.snooze(seconds(error.in_) or 0.0)
        retry_in = seconds(error.in_) if isinstance(error, Retry) else None
    except (TypeError, ValueError) as wrong:
        error = wrong
    cancelled = isinstance(error, (asyncio.CancelledError, TaskCancelled)) and attempt.cancellation is not None
    code, data = getattr(error, "code", None), getattr(error, "data", None)
    try:
        data = None if data is None else json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        data = json.dumps(_text(repr(data)))
    attempt.fail(
        "TypeError" if isinstance(error, _NotJson) else type(error).__name__,
        _text(str(error)) or type(error).__name__,
        _text(str(code)) if isinstance(code, (str, int)) else None,
        _text(_stack(error)),
        _cause(error),
        data,
        is_taken and not (cancelled or isinstance(error, (NonRetryable, _NotJson, *task.non_retryable))),
        retry_in,
    )


def _stack(error: BaseException) -> str:
    """The traceback, from the task's own code on."""
    frames = error.__traceback__
    while frames is not None and str(frames.tb_frame.f_globals.get("__name__")).startswith("rhythm."):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def _cause(error: BaseException) -> str | None:
    cause = error.__cause__
    if cause is None:
        return None
    return json.dumps({"name": type(cause).__name__, "message": _text(str(cause))})


def _text(text: str) -> str:
    """Replaces what is no Unicode text, such as half a surrogate pair, which a message may well quote."""
    return text.encode(errors="replace").decode()
