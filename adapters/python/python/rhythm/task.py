"""Tasks: functions that a worker runs, and what they may know about the attempt that they are."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from rhythm.errors import TaskCancelled

if TYPE_CHECKING:
    from rhythm.outcome import AnyAttempt

#: The attribute by which a decorated function is known to be a task.
MARK = "__rhythm_task__"

F = TypeVar("F", bound=Callable[..., Any])


class Context:
    """The second argument of a task that takes two: which attempt it is, and whether it should stop."""

    __slots__ = ("_attempt",)

    def __init__(self, attempt: AnyAttempt) -> None:
        self._attempt = attempt

    @property
    def id(self) -> str:
        """The execution's id, the same in each attempt: a good idempotency key for what the task calls."""
        return self._attempt.id

    @property
    def name(self) -> str:
        """The task's name."""
        return self._attempt.name

    @property
    def queue(self) -> str:
        """The queue that it was claimed from."""
        return self._attempt.queue

    @property
    def attempt(self) -> int:
        """1 for the first attempt."""
        return self._attempt.attempt

    @property
    def trace(self) -> Any:
        """The trace context that the caller gave."""
        return None if self._attempt.trace is None else json.loads(self._attempt.trace)

    @property
    def cancelled(self) -> bool:
        """Whether the task should stop: it was cancelled, its lease is lost, or the worker leaves."""
        return self._attempt.cancellation is not None

    @property
    def cancellation(self) -> str | None:
        """Why it should stop: "requested", "lease_lost" or "shutdown"."""
        return self._attempt.cancellation

    def raise_if_cancelled(self) -> None:
        """Raises `TaskCancelled` when the task should stop. For loops of synchronous tasks."""
        if self._attempt.cancellation is not None:
            raise TaskCancelled(self._attempt.cancellation)

    def heartbeat(self) -> None:
        """Says that the task is alive. Needed only where it has a heartbeat timeout; may be called often."""
        self._attempt.heartbeat()


@dataclass(frozen=True)
class Task:
    """A function as a worker knows it."""

    name: str
    function: Callable[..., Any]
    #: How many arguments it wants: none, the inputs, or inputs and context.
    arguments: int
    is_async: bool
    queue: str | None = None
    retry: str | None = None
    timeout: float | None = None
    heartbeat_timeout: float | None = None
    input_schema: str | None = None


@overload
def task(function: F) -> F: ...
@overload
def task(
    *,
    name: str | None = None,
    queue: str | None = None,
    retry: Mapping[str, Any] | None = None,
    timeout: float | timedelta | None = None,
    heartbeat_timeout: float | timedelta | None = None,
    input_schema: Mapping[str, Any] | None = None,
) -> Callable[[F], F]: ...
def task(
    function: F | None = None,
    *,
    name: str | None = None,
    queue: str | None = None,
    retry: Mapping[str, Any] | None = None,
    timeout: float | timedelta | None = None,
    heartbeat_timeout: float | timedelta | None = None,
    input_schema: Mapping[str, Any] | None = None,
) -> F | Callable[[F], F]:
    """Makes a function a task, which `python -m rhythm worker module` runs. The function itself stays as it is.

    It takes nothing, the inputs, or the inputs and a `Context`; it is synchronous (and runs in a thread) or `async`.
    What it returns must be JSON. Any exception fails the attempt, which is retried as `retry` says (`{"maxAttempts": 5,
    "initial": "1s", "backoff": 2, "max": "5m"}` has the defaults); `NonRetryable` and `Retry` say otherwise.

    name: what workflows call it, otherwise the function's name.
    queue: where its executions go unless their starter says otherwise.
    timeout: how long an execution may take in all, in seconds.
    heartbeat_timeout: how long it may be silent; it must call `Context.heartbeat` then.
    input_schema: a JSON Schema of its inputs, for readers.
    """

    def decorate(function: F) -> F:
        made = Task(
            name=name or function.__name__,
            function=function,
            arguments=arguments_of(function),
            is_async=inspect.iscoroutinefunction(function),
            queue=queue,
            retry=None if retry is None else json.dumps(dict(retry)),
            timeout=seconds(timeout),
            heartbeat_timeout=seconds(heartbeat_timeout),
            input_schema=None if input_schema is None else json.dumps(dict(input_schema)),
        )
        setattr(function, MARK, made)
        return function

    return decorate if function is None else decorate(function)


def seconds(duration: float | timedelta | None) -> float | None:
    """Reads a duration: seconds or a timedelta."""
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    return None if duration is None else float(duration)


def arguments_of(function: Callable[..., Any]) -> int:
    """Counts the arguments that a task wants, or says why it cannot be one."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"task {function.__name__} is a generator: return a value instead of yielding")
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    wants_names = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters)
    if wants_names or len(required) > 2:
        raise TypeError(f"task {function.__name__} must take (), (inputs) or (inputs, ctx)")
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    return min(len(positional), 2)


def tasks_of(source: Any) -> list[Task]:
    """Finds the tasks of a module, of an object with decorated methods, or of an iterable of decorated functions."""
    found: dict[str, Task] = {}
    for item in _candidates(source):
        made = getattr(item, MARK, None)
        if not isinstance(made, Task):
            continue
        if inspect.ismethod(item):
            # The decorated function, bound to its object.
            made = Task(**{**made.__dict__, "function": item})
        other = found.get(made.name)
        if other is not None and other.function is not made.function:
            raise ValueError(f"there are two tasks with the name {made.name!r}")
        found[made.name] = made
    return list(found.values())


def _candidates(source: Any) -> Iterator[Any]:
    if callable(source) and hasattr(source, MARK):
        yield source
    elif isinstance(source, Mapping):
        yield from source.values()
    elif isinstance(source, Iterable):
        yield from source
    else:
        for name in dir(source):
            yield getattr(source, name, None)
