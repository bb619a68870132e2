"""Runs a workflow file against Python handlers: no database, no worker, and a clock that jumps.

    def test_an_approved_order_is_shipped():
        run = testing.run("order.flow", {"order": "A-1"}, handlers=app, signals=[{"name": "approved", "at": "3h"}])
        assert run.result["state"] == "shipped"

The workflow runs in the machine that runs it in production. Tasks are retried, delayed and timed out as their options
say, on the clock of the run; handlers themselves take no time on it, unless they answer with `later`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import heapq
import inspect
import itertools
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Union

from rhythm import _native
from rhythm.errors import ExecutionFailed
from rhythm.outcome import call, encode, fail
from rhythm.running import running
from rhythm.task import MARK, Duration, Task, arguments_of, seconds, tasks_of

__all__ = ["NEVER", "Call", "Run", "SqlError", "failing", "later", "run", "run_async"]

#: Rows for each query in turn, or a function of text and parameters.
Sql = Union[Iterable[Any], Callable[[str, "list[Any]"], Any]]


class SqlError(Exception):
    """Raised by a function that plays SQL: the query fails with this SQLSTATE."""

    def __init__(self, message: str, code: str = "XX000") -> None:
        super().__init__(message)
        self.code = code


class _Never:
    def __repr__(self) -> str:
        return "NEVER"


#: What a handler gives, or is, that never answers.
NEVER: Any = _Never()


@dataclass(frozen=True)
class _Later:
    after: float
    value: Any


def later(after: Duration, value: Any = None) -> Any:
    """What a handler gives, or is, that answers after a while: `later("5m", {"charged": 30})`."""
    return _Later(_seconds(after), value)


def failing(error: BaseException | str, *, times: int | None = None, then: Any = None) -> Callable[[Any], Any]:
    """Makes a handler that fails: always, or so many times, and then does `then` (a value or a function)."""
    failures = 0

    def handler(inputs: Any) -> Any:
        nonlocal failures
        if times is None or failures < times:
            failures += 1
            raise error if isinstance(error, BaseException) else Exception(error)
        return then(inputs) if callable(then) else then

    return handler


@dataclass(frozen=True)
class Call:
    """A task or child workflow that a run started."""

    name: str
    inputs: Any
    options: dict[str, Any]
    #: Seconds after the start of the run.
    at: float
    #: How many attempts began.
    attempts: int
    #: scheduled, running, completed, failed, timed_out or cancelled.
    state: str
    result: Any = None
    error: dict[str, Any] | None = None
    #: task or workflow. A child workflow is played by the handler of its name.
    kind: str = "task"


@dataclass(frozen=True)
class Run:
    """What came of a run."""

    #: completed, failed, cancelled, or waiting: for what would never come, or at `until`.
    state: str
    #: What it returned.
    result: Any
    #: `name`, `message` and perhaps `code`, `stack`, `cause`, `data`, if it failed or was cancelled.
    error: dict[str, Any] | None
    #: The tasks and child workflows that it started, in order.
    calls: list[Call] = field(repr=False)
    #: Lines of the log: `level`, `message`, `at`.
    log: list[dict[str, Any]] = field(repr=False)
    #: What it published with Context.set.
    attributes: dict[str, Any] = field(repr=False)
    #: The SQL that it ran: `text`, `params`.
    queries: list[dict[str, Any]] = field(repr=False)
    #: What it answered to requests, in the order in which they were given; None where it did not.
    replies: list[Any] = field(repr=False)
    #: How long it took, in seconds of its clock.
    duration: float
    #: How often its state was loaded from what was saved of it; 0 with `durable=False`.
    loads: int

    @property
    def order(self) -> list[str]:
        """The names of the calls."""
        return [call.name for call in self.calls]

    def calls_of(self, name: str) -> list[Call]:
        """Returns the calls of one task."""
        return [call for call in self.calls if call.name == name]

    def value(self) -> Any:
        """Returns the result, or raises `ExecutionFailed` when it did not complete."""
        if self.state != "completed":
            raise ExecutionFailed(self.state, self.error)
        return self.result


def run(
    workflow: str | os.PathLike[str],
    inputs: Any = None,
    *,
    handlers: Any = (),
    replace: Mapping[str, Any] | None = None,
    signals: Iterable[Mapping[str, Any]] = (),
    sql: Sql = (),
    cancel: Mapping[str, Any] | None = None,
    now: datetime | float | None = None,
    until: Duration | None = None,
    task_id: str | None = None,
    seed: int = 0,
    durable: bool = True,
) -> Run:
    """Runs a workflow file, and returns what came of it.

    workflow: a path, from the current folder or from the calling file's.
    handlers: who plays the tasks: a module or object with functions that have `@rhythm.task`, a list of such functions,
        or a dict from names to functions, results, or exceptions. Functions may be `async`; what they raise fails the
        attempt, but for an AssertionError, which ends the run and is the test's.
    replace: other players for some of the tasks, as a dict.
    signals: `{"name": …, "payload": …, "at": …, "key": …}`; `at` is a duration from the start, 0 if it is left out.
        With `"request": True` one that the workflow can answer; `Run.replies` has the answers.
    sql: the rows of each query in turn, or a function `(text, params) -> rows`, which may raise `SqlError`.
    cancel: `{"at": …, "reason": …}`.
    now: where the clock begins; otherwise at the start of 2026.
    until: look at the run after this time, for those that go on for ever.
    task_id: what Context.taskId says.
    seed: decides the random numbers and ids of the run.
    durable: saves and loads the run's state between all its steps, as the server may.
    """
    players = _players(handlers, replace)
    simulation = _simulation(workflow, inputs, players, signals, cancel, now, until, task_id, seed, durable, 2)
    stage = _Stage(simulation, players, sql)
    while (coming := stage.go_on()) is not None:
        if coming:
            asyncio.run(_together(coming))
    return _report(simulation)


async def run_async(
    workflow: str | os.PathLike[str],
    inputs: Any = None,
    *,
    handlers: Any = (),
    replace: Mapping[str, Any] | None = None,
    signals: Iterable[Mapping[str, Any]] = (),
    sql: Sql = (),
    cancel: Mapping[str, Any] | None = None,
    now: datetime | float | None = None,
    until: Duration | None = None,
    task_id: str | None = None,
    seed: int = 0,
    durable: bool = True,
) -> Run:
    """As `run`, in the running event loop, for tests that are `async` themselves."""
    players = _players(handlers, replace)
    simulation = _simulation(workflow, inputs, players, signals, cancel, now, until, task_id, seed, durable, 2)
    stage = _Stage(simulation, players, sql)
    while (coming := stage.go_on()) is not None:
        await _together(coming)
    return _report(simulation)


class _Attempt:
    """An attempt of a simulated run, as `outcome` and `Context` see one."""

    queue = "default"
    trace: str | None = None
    cancellation: str | None = None

    def __init__(
        self,
        simulation: _native.Simulation,
        progress: dict[int, str],
        task: int,
        number: int,
        name: str,
        inputs: str,
    ) -> None:
        self._simulation = simulation
        self._progress = progress
        self.task = task
        self.attempt = number
        self.name = name
        self.inputs = inputs

    @property
    def id(self) -> str:
        """The same in each attempt of a task."""
        return f"00000000-0000-7000-8000-{self.task:012x}"

    @property
    def progress(self) -> str | None:
        """What it said last, or an attempt before it."""
        return self._progress.get(self.task)

    def set_progress(self, json: str, at_once: bool) -> None:
        """Keeps it for the next attempt."""
        self._progress[self.task] = json

    def heartbeat(self) -> None:
        """Nobody listens: no time passes while a handler runs."""

    def complete(self, result: str) -> None:
        """Ends the attempt with a result."""
        self._simulation.complete(self.task, self.attempt, result)

    def fail(self, *error: Any) -> None:
        """Ends the attempt with an error."""
        self._simulation.fail(self.task, self.attempt, *error)

    def snooze(self, delay: float) -> None:
        """Puts the task off."""
        self._simulation.snooze(self.task, self.attempt, delay)


class _Stage:
    """Plays the tasks and queries of one run."""

    def __init__(self, simulation: _native.Simulation, players: dict[str, Task], sql: Sql) -> None:
        self._simulation = simulation
        self._players = players
        self._sql = sql if callable(sql) else None
        self._rows = iter(()) if callable(sql) else iter(sql)
        self._coming: list[Coroutine[Any, Any, None]] = []
        #: Answers of handlers that take time: when, in which order, whose, what.
        self._late: list[tuple[float, int, _Attempt, Any]] = []
        self._order = itertools.count()
        self._progress: dict[int, str] = {}

    def go_on(self) -> list[Coroutine[Any, Any, None]] | None:
        """Runs until `async` handlers have to run, which it returns, or until the end, for which it returns None."""
        while True:
            kind, *rest = self._simulation.step()
            if kind == "attempt":
                self._play(_Attempt(self._simulation, self._progress, *rest))
            elif kind == "query":
                self._query(*rest)
            elif self._coming:
                coming, self._coming = self._coming, []
                return coming
            elif kind == "done" or not self._pass_time(*rest):
                return None

    def _pass_time(self, until: float | None) -> bool:
        """Moves the clock to what is next; False if nothing is."""
        late = self._late[0][0] if self._late else None
        times = [time for time in (until, late) if time is not None]
        if not times:
            return False
        self._simulation.advance(min(times))
        while self._late and self._late[0][0] <= self._simulation.now:
            _, _, attempt, value = heapq.heappop(self._late)
            self._answer(attempt, value)
        return True

    def _play(self, attempt: _Attempt) -> None:
        player = self._players.get(attempt.name)
        if player is None:
            known = ", ".join(sorted(self._players)) or "none"
            raise LookupError(f"the workflow starts {attempt.name!r}, and no handler plays it; there are {known}")
        if player.is_async:
            self._coming.append(self._play_async(player, attempt))
            return
        try:
            with running(attempt):
                value = call(player, attempt)
        except AssertionError:
            raise
        except Exception as error:
            fail(player, attempt, error)
        else:
            self._answer(attempt, value)

    async def _play_async(self, player: Task, attempt: _Attempt) -> None:
        try:
            with running(attempt):
                value = await call(player, attempt)
        except AssertionError:
            raise
        except Exception as error:
            fail(player, attempt, error)
        else:
            self._answer(attempt, value)

    def _answer(self, attempt: _Attempt, value: Any) -> None:
        if value is NEVER:
            return
        if isinstance(value, _Later):
            due = self._simulation.now + value.after
            heapq.heappush(self._late, (due, next(self._order), attempt, value.value))
            return
        player = self._players[attempt.name]
        try:
            result = encode(player, value)
        except Exception as error:
            fail(player, attempt, error)
        else:
            attempt.complete(result)

    def _query(self, text: str, params: str) -> None:
        try:
            if self._sql is not None:
                rows = self._sql(text, json.loads(params))
            else:
                rows = next(self._rows, _MISSING)
                if rows is _MISSING:
                    raise LookupError(f"the workflow runs a query that sql has no rows for: {text}")
                if isinstance(rows, SqlError):
                    raise rows
        except SqlError as error:
            self._simulation.sql_error(str(error), error.code)
        else:
            self._simulation.rows(json.dumps(rows))


_MISSING = object()


async def _together(coming: list[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*coming)


def _players(handlers: Any, others: Mapping[str, Any] | None) -> dict[str, Task]:
    if isinstance(handlers, Mapping):
        players = {name: _player(name, handler) for name, handler in handlers.items()}
    else:
        players = {task.name: task for task in tasks_of(handlers)}
        if not players and handlers != ():
            raise ValueError(f"{handlers!r} has no tasks: decorate functions with @rhythm.task, or give a dict")
    players.update({name: _player(name, handler) for name, handler in (others or {}).items()})
    return players


def _player(name: str, handler: Any) -> Task:
    """What plays a task: a function, or a result that it always has."""
    if isinstance(handler, BaseException):
        handler = failing(handler)
    if not callable(handler):
        return Task(name=name, function=lambda: handler, arguments=0, is_async=False)
    made = getattr(handler, MARK, None)
    if not isinstance(made, Task):
        made = Task(
            name=name,
            function=handler,
            arguments=arguments_of(handler),
            is_async=inspect.iscoroutinefunction(handler),
        )
    return dataclasses.replace(made, name=name, function=handler)


def _simulation(
    workflow: str | os.PathLike[str],
    inputs: Any,
    players: dict[str, Task],
    signals: Iterable[Mapping[str, Any]],
    cancel: Mapping[str, Any] | None,
    now: datetime | float | None,
    until: Duration | None,
    task_id: str | None,
    seed: int,
    durable: bool,
    depth: int,
) -> _native.Simulation:
    path = _path(workflow, sys._getframe(depth).f_globals.get("__file__"))
    made = _native.Simulation(
        path.stem,
        str(path),
        path.read_text(encoding="utf-8"),
        json.dumps({} if inputs is None else inputs, allow_nan=False),
        task_id,
        now.timestamp() if isinstance(now, datetime) else now,
        seed,
        durable,
        None if until is None else _seconds(until),
        {player.name: _defaults(player) for player in players.values()},
    )
    for signal in signals:
        parts = _parts("a signal", signal, name=..., payload=None, at=0, key=None, request=False)
        name, payload, at, key, request = parts
        text = json.dumps(payload, allow_nan=False)
        if request:
            made.call(_seconds(at), name, text)
        else:
            made.signal(_seconds(at), name, text, key)
    if cancel is not None:
        at, reason = _parts("cancel", cancel, at=0, reason="cancelled")
        made.cancel(_seconds(at), reason)
    return made


def _path(workflow: str | os.PathLike[str], caller: str | None) -> Path:
    path = Path(workflow)
    if not path.exists() and not path.is_absolute() and caller is not None:
        beside = Path(caller).parent / path
        if beside.exists():
            return beside
    return path


def _parts(what: str, given: Mapping[str, Any], **known: Any) -> list[Any]:
    """Returns the values of a mapping with these keys; `...` has to be there."""
    unknown = [key for key in given if key not in known]
    missing = [key for key, otherwise in known.items() if otherwise is ... and key not in given]
    if unknown or missing:
        raise TypeError(f"{what} has the keys {', '.join(known)}, and not {', '.join(map(repr, given)) or 'none'}")
    return [given.get(key, otherwise) for key, otherwise in known.items()]


def _defaults(player: Task) -> str:
    """The options that a worker would register for a task, as Flow names them."""
    options: dict[str, Any] = {}
    if player.retry is not None:
        options["retry"] = json.loads(player.retry)
    if player.timeout is not None:
        options["timeout"] = player.timeout
    if player.heartbeat_timeout is not None:
        options["heartbeatTimeout"] = player.heartbeat_timeout
    return json.dumps(options)


def _seconds(duration: Duration) -> float:
    return seconds(duration) or 0.0


def _report(simulation: _native.Simulation) -> Run:
    facts = json.loads(simulation.report())
    calls = [Call(**{**call, "at": call["at"] / 1000}) for call in facts.pop("calls")]
    log = [{**line, "at": line["at"] / 1000} for line in facts.pop("log")]
    return Run(calls=calls, log=log, duration=facts.pop("duration") / 1000, loads=simulation.loads, **facts)
