"""The attempt that is running in this thread or coroutine, and how far it has got."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rhythm.outcome import AnyAttempt

_running: ContextVar[AnyAttempt] = ContextVar("rhythm_attempt")
_UNCHANGED: Any = object()


def progress(value: Any = _UNCHANGED, *, at_once: bool = False) -> Any:
    """Tells how far the running task has got, or, with a value, says it.

        done = rhythm.progress() or 0
        for page in range(done, pages):
            convert(page)
            rhythm.progress(page + 1)

    It is any JSON, at first what an attempt before left, or None. It is saved within a second (`at_once`: without that
    delay), and in any case when the attempt fails, snoozes or is given back; views and `rhythm show` have it. Counts as
    a heartbeat.

    Raises `RuntimeError` outside of a task, `TypeError` or `ValueError` for what is no JSON.
    """
    attempt = _running.get(None)
    if attempt is None:
        raise RuntimeError("rhythm.progress is for functions that run as a task")
    if value is not _UNCHANGED:
        say(attempt, value, at_once)
    return told(attempt)


def told(attempt: AnyAttempt) -> Any:
    """How far an attempt has got."""
    return None if attempt.progress is None else json.loads(attempt.progress)


def say(attempt: AnyAttempt, value: Any, at_once: bool) -> None:
    """Says how far an attempt has got."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    # Half a surrogate pair is a str, and no text.
    text.encode()
    attempt.set_progress(text, at_once)


@contextmanager
def running(attempt: AnyAttempt) -> Iterator[None]:
    """Makes it the attempt that `progress` is about."""
    mark = _running.set(attempt)
    try:
        yield
    finally:
        _running.reset(mark)
