"""Tasks: functions that a worker runs, and what they may know about the attempt that they are."""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, overload

from rhythm import _native
from rhythm.errors import TaskCancelled
from rhythm.running import say, told
from rhythm.schema import Schemas, build, hints_of, needs_building

if TYPE_CHECKING:
    from rhythm.outcome import AnyAttempt

log = logging.getLogger("rhythm.worker")

#: The longest schema that is published though no server can check it: it costs a server more than its text.
MOST_UNCHECKED = 50_000

_ZERO = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

#: How long something is kept: an interval such as "30 days", "0" or "forever", seconds, or a timedelta.
KeepTime = Union[str, float, timedelta]

#: The attribute by which a decorated function is known to be a task.
MARK = "__rhythm_task__"

F = TypeVar("F", bound=Callable[..., Any])

#: Seconds, a timedelta, or text as in Flow: "90s", "1h30m".
Duration = Union[float, timedelta, str]


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

    @property
    def progress(self) -> Any:
        """How far this attempt has got, or one before it; None when none has said. Set it to say so, as with
        `rhythm.progress(value)`; changing a dict that it gave changes nothing."""
        return told(self._attempt)

    @progress.setter
    def progress(self, value: Any) -> None:
        say(self._attempt, value, at_once=False)


@dataclass(frozen=True)
class Task:
    """A function as a worker knows it."""

    name: str
    function: Callable[..., Any]
    #: How many arguments it wants: none, the inputs, or inputs and context. Those by name come on top.
    arguments: int
    is_async: bool
    queue: str | None = None
    retry: str | None = None
    timeout: float | None = None
    start_timeout: float | None = None
    attempt_timeout: float | None = None
    heartbeat_timeout: float | None = None
    priority: int | None = None
    remember: str | None = None
    result: str | None = None
    #: Classes of exceptions that no other attempt would mend.
    non_retryable: tuple[type[BaseException], ...] = ()
    #: Both as they were given; `schema` and `check` have what is registered.
    input_schema: str | None = None
    schema_check: str | None = None

    @property
    def schema(self) -> str | None:
        """The JSON Schema of its inputs."""
        return self._registered[0]

    @property
    def check(self) -> str | None:
        """What happens to inputs that do not fit it."""
        return self._registered[1]

    @cached_property
    def _registered(self) -> tuple[str | None, str | None]:
        """Schema and check as a worker registers them. Made when it starts: hints may name classes that come later.

        No hint may keep a worker from starting: of what cannot be a schema, the log has a line.
        """
        if self.input_schema is not None:
            return self.input_schema, self.schema_check
        try:
            text = self._derived()
        except Exception as error:
            log.warning("task %s has no input schema, as none can be made from its type hints: %s", self.name, error)
            return None, self.schema_check
        fault = None if text is None or self.schema_check is not None else _native.schema_fault(text)
        if text is None or fault is None:
            return text, self.schema_check
        log.warning("task %s: inputs are not checked, as the schema of its type hints cannot be: %s", self.name, fault)
        return (text if len(text) <= MOST_UNCHECKED else None), "off"

    def _derived(self) -> str | None:
        """The schema that the type hints say."""
        schemas = Schemas()
        if self._names:
            fields = {n: (self._hints.get(n, Any), p.default is p.empty) for n, p in self._names.items()}
            made = schemas.object(fields)
            if not self._takes_more:
                made["additionalProperties"] = False
        elif self._inputs is not None:
            made = schemas.of(self._hints.get(self._inputs, Any))
        else:
            return None
        text = json.dumps(schemas.whole(made), allow_nan=False, ensure_ascii=False) if made else None
        # Half a surrogate pair is no text, and jsonb has no zero byte either.
        if text is not None and (text.encode() and _ZERO.search(text)):
            raise ValueError("it has a zero byte")
        return text

    def call(self, inputs: str, context: Context) -> Any:
        """Calls the function as it wants to be called; gives what it returns, which may be a coroutine."""
        return self.prepare(inputs, context)()

    def prepare(self, inputs: str, context: Context) -> Callable[[], Any]:
        """The call of the function with all that it takes. Raises where the inputs are not what it takes."""
        if self._names or self._context_names:
            return partial(self.function, **self._by_name(json.loads(inputs), context))
        if self.arguments == 0:
            return self.function
        value = json.loads(inputs)
        hint = self._built.get(self._inputs or "")
        if hint is not None:
            value = build(hint, value)
        return partial(self.function, value) if self.arguments == 1 else partial(self.function, value, context)

    def _by_name(self, value: Any, context: Context) -> dict[str, Any]:
        contexts = {name: context for name in self._context_names}
        if not self._names and not self._takes_more:
            # It takes nothing, as a function without parameters does.
            return contexts
        if not isinstance(value, dict):
            raise TypeError(f"task {self.name} takes its inputs by name, and got {type(value).__name__}")
        missing = [n for n, parameter in self._names.items() if parameter.default is parameter.empty and n not in value]
        more = [] if self._takes_more else [name for name in value if name not in self._names]
        if missing or more:
            words = [f"needs {', '.join(missing)}"] * bool(missing) + [f"does not take {', '.join(more)}"] * bool(more)
            raise TypeError(f"task {self.name} {' and '.join(words)}")
        given = {name: build(self._built[name], item) if name in self._built else item for name, item in value.items()}
        return {**given, **contexts}

    @cached_property
    def _built(self) -> dict[str, Any]:
        """The hints of what is more than decoded JSON."""
        taken = self._names or [self._inputs]
        return {name: hint for name, hint in self._hints.items() if name in taken and needs_building(hint)}

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return hints_of(self.function)

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        return [p for p in inspect.signature(self.function).parameters.values() if p.name != "self"]

    @cached_property
    def _inputs(self) -> str | None:
        """The parameter that takes the inputs as a whole."""
        positional = [p for p in self._parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return positional[0].name if positional else None

    @cached_property
    def _names(self) -> dict[str, inspect.Parameter]:
        """The parameters that take one key of the inputs each."""
        if self.arguments > 0:
            return {}
        named = [p for p in self._parameters if p.kind is p.KEYWORD_ONLY]
        return {p.name: p for p in named if p.name not in self._context_names}

    @cached_property
    def _context_names(self) -> list[str]:
        if self.arguments > 0:
            return []
        named = [p.name for p in self._parameters if p.kind is p.KEYWORD_ONLY]
        return [name for name in named if _is_context(self._hints.get(name))]

    @cached_property
    def _takes_more(self) -> bool:
        return any(p.kind is p.VAR_KEYWORD for p in self._parameters)


@overload
def task(function: F) -> F: ...
@overload
def task(
    *,
    name: str | None = None,
    queue: str | None = None,
    retry: Mapping[str, Any] | None = None,
    non_retryable: Iterable[type[BaseException] | str] = (),
    timeout: Duration | None = None,
    start_timeout: Duration | None = None,
    attempt_timeout: Duration | None = None,
    heartbeat_timeout: Duration | None = None,
    priority: int | None = None,
    remember: KeepTime | None = None,
    result: Literal["keep", "discard"] | None = None,
    input_schema: Mapping[str, Any] | bool | None = None,
    schema_check: str | None = None,
) -> Callable[[F], F]: ...
def task(
    function: F | None = None,
    *,
    name: str | None = None,
    queue: str | None = None,
    retry: Mapping[str, Any] | None = None,
    non_retryable: Iterable[type[BaseException] | str] = (),
    timeout: Duration | None = None,
    start_timeout: Duration | None = None,
    attempt_timeout: Duration | None = None,
    heartbeat_timeout: Duration | None = None,
    priority: int | None = None,
    remember: KeepTime | None = None,
    result: Literal["keep", "discard"] | None = None,
    input_schema: Mapping[str, Any] | bool | None = None,
    schema_check: str | None = None,
) -> F | Callable[[F], F]:
    """Makes a function a task, which `python -m rhythm worker module` runs. The function itself stays as it is.

    It takes nothing, the inputs, or the inputs and a `Context`; or, after a `*`, each key of the inputs as a parameter
    (one annotated with `Context` gets that). Inputs annotated with a dataclass or a Pydantic model are built. It is
    synchronous (and runs in a thread) or `async`.
    What it returns must be JSON. Any exception fails the attempt, which is retried as `retry` says; `NonRetryable`,
    `Retry` and `Snooze` say otherwise. What is given here holds where the caller says nothing else.

    name: what workflows call it, otherwise the function's name.
    queue: where its executions go.
    retry: `{"maxAttempts": 5, "initial": "1s", "backoff": "exponential" or "linear" or "constant" or a factor,
        "max": "5m", "jitter": 0.1, "delays": ["1s", "1m"]}`, or some of these keys.
    non_retryable: classes of exceptions (and names or codes of errors) that no other attempt would mend.
    start_timeout: how long an execution may wait for a worker.
    attempt_timeout: how long one attempt may take; after that it is tried again.
    timeout: how long all attempts may take together; after that it is `timed_out`.
    heartbeat_timeout: how long it may be silent; it must call `Context.heartbeat` then.
    priority: larger goes first, -32768 to 32767.
    remember: how long the `task_id` of a completed one is kept: "30 days", "0", "forever", seconds or a timedelta.
    result: "discard" keeps no results.
    input_schema: a JSON Schema of its inputs, otherwise made from the type hints; True is one that takes anything.
    schema_check: what happens to inputs that do not fit: "refuse", "warn" (the default) or "off".

    Durations are seconds, timedeltas, or text as in Flow: "90s", "1h30m".
    """

    if schema_check not in (None, "refuse", "warn", "off"):
        raise ValueError(f'schema_check is "refuse", "warn" or "off", not {schema_check!r}')

    def decorate(function: F) -> F:
        made = Task(
            name=name or function.__name__,
            function=function,
            arguments=arguments_of(function),
            is_async=inspect.iscoroutinefunction(function),
            queue=queue,
            retry=policy(retry, non_retryable),
            timeout=seconds(timeout),
            start_timeout=seconds(start_timeout),
            attempt_timeout=seconds(attempt_timeout),
            heartbeat_timeout=seconds(heartbeat_timeout),
            priority=priority,
            remember=kept(remember),
            result=result,
            non_retryable=tuple(kind for kind in _final(retry, non_retryable) if isinstance(kind, type)),
            input_schema=None if input_schema is None else json.dumps(input_schema, default=dict),
            schema_check=schema_check,
        )
        setattr(function, MARK, made)
        return function

    return decorate if function is None else decorate(function)


def _is_context(hint: Any) -> bool:
    """Whether a parameter is for the context: `Context`, `Optional[Context]`."""
    return hint is Context or any(_is_context(one) for one in get_args(hint))


def seconds(duration: Duration | None) -> float | None:
    """Reads a duration: seconds, a timedelta, or text as in Flow."""
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    if isinstance(duration, str):
        return _native.duration(duration)
    return None if duration is None else float(duration)


def kept(time: KeepTime | None) -> str | None:
    """A time of retention as SQL reads it, such as `2 days` or `1 hour 30 minutes`: it is shown as it was given."""
    if time is None or isinstance(time, str):
        return time
    if not isinstance(time, timedelta):
        try:
            time = timedelta(seconds=time)
        except (OverflowError, ValueError):
            # The server says what is wrong with it.
            return f"{time} seconds"
    whole, micros = divmod(abs(time) // timedelta(microseconds=1), 1_000_000)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    sign = "-" if time < timedelta(0) else ""
    parts = [
        f"{sign}{count} {unit}{'' if count == 1 else 's'}"
        for count, unit in ((days, "day"), (hours, "hour"), (minutes, "minute"))
        if count
    ]
    if seconds or micros:
        fraction = f".{micros:06}".rstrip("0") if micros else ""
        parts.append(f"{sign}{seconds}{fraction} second{'' if seconds == 1 and not micros else 's'}")
    return " ".join(parts) or "0"


def moment(what: str, at: datetime | None) -> float | None:
    """Seconds since 1970."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError(f"{what} needs a time zone, such as datetime.now(timezone.utc)")
    return at.timestamp()


def _final(retry: Mapping[str, Any] | None, more: Iterable[Any]) -> list[Any]:
    kinds = [*((retry or {}).get("nonRetryable") or ()), *more]
    for kind in kinds:
        if not isinstance(kind, str) and not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(f"{kind!r} is no class of exceptions, nor a name or code of errors")
    return kinds


def policy(retry: Mapping[str, Any] | None, non_retryable: Iterable[Any] = ()) -> str | None:
    """A retry policy as JSON: timedeltas become seconds, classes of exceptions their names."""
    made = dict(retry or {})
    if kinds := _final(retry, non_retryable):
        made["nonRetryable"] = [kind if isinstance(kind, str) else kind.__name__ for kind in kinds]
    return None if retry is None and not made else json.dumps(made, default=seconds)


def arguments_of(function: Callable[..., Any]) -> int:
    """Counts the arguments that a task wants, or says why it cannot be one."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"task {function.__name__} is a generator: return a value instead of yielding")
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    wants_names = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters)
    if (wants_names and positional) or len(required) > 2:
        raise TypeError(f"task {function.__name__} must take (), (inputs), (inputs, ctx) or (*, one, two, ...)")
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
            made = replace(made, function=item)
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
