"""Exceptions: what a call of the client raises, by kind, and what a task raises to say what shall happen next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any


class RhythmError(Exception):
    """What a call of the client failed with. `str()` is the message, with detail and hint below it."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        detail: str | None = None,
        hint: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        #: The SQLSTATE; those of Rhythm begin with RH.
        self.code = code
        self.detail = detail
        #: What to do about it.
        self.hint = hint
        #: Whether the same call may succeed a moment later.
        self.retryable = retryable

    def __str__(self) -> str:
        lines = [self.message if self.code is None else f"{self.message} [{self.code}]"]
        if self.detail:
            lines.append(f"Detail: {self.detail}")
        if self.hint:
            lines.append(f"Hint: {self.hint}")
        return "\n".join(lines)


class InputError(RhythmError):
    """An argument is wrong."""


class DefinitionError(RhythmError):
    """A workflow's source has errors, its definition is not there, or the inputs do not fit it."""


class LeaseError(RhythmError):
    """A queue, a claim or a lease is not as the call needs it."""


class ControlError(RhythmError):
    """There is no such execution, or its state does not allow the call."""


class LimitExceeded(RhythmError):
    """Something is larger than a setting allows."""


class PermissionDenied(RhythmError):
    """The role may not do this."""


class ConfigError(RhythmError):
    """The connection string, the environment or an option of the worker is wrong."""


class ConnectionFailed(RhythmError):
    """The server cannot be reached, or the connection broke: whether the call was done is not known."""


class ServerError(RhythmError):
    """The server failed."""


_BY_KIND: dict[str, type[RhythmError]] = {
    "input": InputError,
    "definition": DefinitionError,
    "lease": LeaseError,
    "control": ControlError,
    "limit": LimitExceeded,
    "permission": PermissionDenied,
    "config": ConfigError,
    "connection": ConnectionFailed,
    "server": ServerError,
}


def from_native(
    kind: str, message: str, code: str | None, detail: str | None, hint: str | None, retryable: bool
) -> RhythmError:
    """Makes the exception of a kind. Called by the compiled half."""
    made = _BY_KIND.get(kind, ServerError)
    return made(message, code=code, detail=detail, hint=hint, retryable=retryable)


class ExecutionFailed(Exception):
    """An execution whose value was asked for did not complete. `error` is what it ended with."""

    def __init__(self, state: str, error: dict[str, Any] | None) -> None:
        self.state = state
        self.error = error
        name, message = (error or {}).get("name", "Error"), (error or {}).get("message", "")
        super().__init__(f"the execution is {state}: {name}: {message}" if error else f"the execution is {state}")


class NonRetryable(Exception):
    """Raised by a task: no other attempt would mend this. Subclasses name the kinds of your own."""

    def __init__(self, message: str = "", *, code: str | None = None, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        #: Facts for the workflow, as `error.data`.
        self.data = data


class Retry(Exception):
    """Raised by a task: this attempt failed; try again at another time than the task's policy says.

    in_: in seconds, as a timedelta, or as text as in Flow: "90s".
    """

    def __init__(
        self,
        message: str = "",
        *,
        in_: float | timedelta | str | None = None,
        code: str | None = None,
        data: Any = None,
    ) -> None:
        super().__init__(message)
        self.in_ = in_
        self.code = code
        self.data = data


class Snooze(Exception):
    """Raised by a task that finds that it is too early: another attempt after this time, and this one does not count.

        raise rhythm.Snooze("10m")

    in_: seconds, a timedelta, or text as in Flow: "90s", "1h30m".
    """

    def __init__(self, in_: float | timedelta | str) -> None:
        super().__init__(f"snoozes for {in_}")
        self.in_ = in_


class TaskCancelled(Exception):
    """Raised in a task by `Context.raise_if_cancelled`."""
