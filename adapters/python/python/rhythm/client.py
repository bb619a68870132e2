"""Clients: start, signal, cancel and await executions, blocking (`Client`) or with asyncio (`AsyncClient`)."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Union
from uuid import UUID

from rhythm import _native
from rhythm.errors import ExecutionFailed
from rhythm.schedules import AsyncSchedules, Calls, Schedules
from rhythm.task import seconds

Id = Union[UUID, str]
Duration = Union[float, timedelta]

_TERMINAL = frozenset(("completed", "failed", "cancelled", "timed_out"))


class Enqueued(NamedTuple):
    """One of many that were enqueued."""

    id: UUID
    #: False when its `task_id` was taken, by an execution whose id this is.
    created: bool


class Diagnostic(NamedTuple):
    """Something that is wrong with a workflow's source."""

    line: int
    column: int
    severity: str
    code: str
    message: str
    hint: str | None


@dataclass(frozen=True)
class Outcome:
    """What has become of an execution."""

    #: pending, scheduled, running, waiting, completed, failed, cancelled or timed_out.
    state: str
    #: What it returned, once it is completed.
    result: Any = None
    #: `name`, `message` and perhaps `code`, `stack`, `cause`, `data`, once it has ended otherwise.
    error: dict[str, Any] | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.state in _TERMINAL

    def value(self) -> Any:
        """Returns the result, or raises `ExecutionFailed` when it did not complete."""
        if self.state != "completed":
            raise ExecutionFailed(self.state, self.error)
        return self.result


class _Calls:
    """Makes the compiled half's calls from Python's values. Shared by both clients, so that they cannot differ."""

    def __init__(self, url: str | None, connections: int) -> None:
        self.native = _native.Client(url or os.environ.get("RHYTHM_URL") or None, connections)

    def start(
        self,
        workflow: str,
        inputs: Any,
        task_id: str | None,
        queue: str | None,
        priority: int,
        delay: Duration | None,
        run_at: datetime | None,
        timeout: Duration | None,
        trace: Any,
    ) -> _native.Call:
        return self.native.start(
            workflow,
            _inputs(inputs),
            task_id,
            queue,
            priority,
            seconds(delay),
            _moment(run_at),
            seconds(timeout),
            _optional(trace),
        )

    def enqueue(
        self,
        name: str,
        inputs: Any,
        queue: str | None,
        task_id: str | None,
        priority: int,
        delay: Duration | None,
        run_at: datetime | None,
        retry: Mapping[str, Any] | None,
        timeout: Duration | None,
        start_timeout: Duration | None,
        heartbeat_timeout: Duration | None,
        trace: Any,
    ) -> _native.Call:
        return self.native.enqueue(
            name,
            _inputs(inputs),
            queue,
            task_id,
            priority,
            seconds(delay),
            _moment(run_at),
            _optional(retry),
            seconds(timeout),
            seconds(start_timeout),
            seconds(heartbeat_timeout),
            _optional(trace),
        )

    def enqueue_many(self, items: Iterable[Mapping[str, Any]]) -> _native.Call:
        return self.native.enqueue_many(_json([{k: _item(v) for k, v in item.items()} for item in items]))

    def signal(self, id: Id, name: str, payload: Any) -> _native.Call:
        return self.native.signal(str(id), name, _json(payload))

    def wait(self, id: Id, timeout: Duration | None) -> _native.Call:
        return self.native.wait(str(id), seconds(timeout))


class Client(Schedules):
    """A client of one database that blocks for its answers. May be used by many threads.

    url: `postgresql://…` or `host=… dbname=…`; otherwise RHYTHM_URL, or PGHOST and its like.
    connections: how many calls may be under way at once.
    """

    def __init__(self, url: str | None = None, *, connections: int = 4) -> None:
        self._calls = _Calls(url, connections)
        self._schedules = Calls(self._calls.native)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._calls.native.close()

    def start(
        self,
        workflow: str,
        inputs: Any = None,
        *,
        task_id: str | None = None,
        queue: str | None = None,
        priority: int = 0,
        delay: Duration | None = None,
        run_at: datetime | None = None,
        timeout: Duration | None = None,
        trace: Any = None,
    ) -> UUID:
        """Starts a workflow, whose first step is done when this returns; gives the execution's id.

        task_id: your key for it: as long as an execution with that key is alive or completed, its id is given instead.
        """
        call = self._calls.start(workflow, inputs, task_id, queue, priority, delay, run_at, timeout, trace)
        return UUID(call.wait())

    def enqueue(
        self,
        name: str,
        inputs: Any = None,
        *,
        queue: str | None = None,
        task_id: str | None = None,
        priority: int = 0,
        delay: Duration | None = None,
        run_at: datetime | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: Duration | None = None,
        start_timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        trace: Any = None,
    ) -> UUID:
        """Enqueues a task; gives the execution's id. `task_id` as in `start`; durations are seconds or timedeltas."""
        call = self._calls.enqueue(
            name,
            inputs,
            queue,
            task_id,
            priority,
            delay,
            run_at,
            retry,
            timeout,
            start_timeout,
            heartbeat_timeout,
            trace,
        )
        return UUID(call.wait())

    def enqueue_many(self, items: Iterable[Mapping[str, Any]]) -> list[Enqueued]:
        """Enqueues many at once, all or none. The keys of an item are the arguments of `enqueue`; with
        `"kind": "workflow"` it is a workflow that starts."""
        return _enqueued(self._calls.enqueue_many(items).wait())

    def wait(self, id: Id, timeout: Duration | None = None) -> Outcome:
        """Waits until the execution has ended, or the timeout is over. Goes on through restarts of the server."""
        return _outcome(self._calls.wait(id, timeout).wait())

    def result(self, id: Id) -> Outcome:
        """Tells what has become of an execution so far."""
        return _outcome(self._calls.native.result(str(id)).wait())

    def signal(self, id: Id, name: str, payload: Any = None) -> bool:
        """Gives a signal to a workflow, which keeps it until it asks for it. False: it has ended."""
        return bool(self._calls.signal(id, name, payload).wait())

    def cancel(self, id: Id, reason: str | None = None) -> bool:
        """Asks an execution to end. False: it has ended."""
        return bool(self._calls.native.cancel(str(id), reason).wait())

    def retry(self, id: Id) -> UUID:
        """Lets a failed execution go on, under the same id."""
        return UUID(self._calls.native.retry(str(id)).wait())

    def deploy(self, name: str, source: str) -> int:
        """Deploys a workflow; gives its version. The same source again changes nothing."""
        return int(self._calls.native.deploy(name, source).wait())

    def check(self, source: str) -> list[Diagnostic]:
        """Tells everything that is wrong with a workflow's source."""
        return [Diagnostic(*row) for row in self._calls.native.check(source).wait()]

    def tick(self) -> None:
        """Does what the background worker would do now. For servers without one, and for tests."""
        self._calls.native.tick().wait()

    def version(self) -> str:
        """Returns the version of the extension."""
        return str(self._calls.native.version().wait())


class AsyncClient(AsyncSchedules):
    """The same client for asyncio. A call whose task is cancelled is given up; whether it was done is not known."""

    def __init__(self, url: str | None = None, *, connections: int = 4) -> None:
        self._calls = _Calls(url, connections)
        self._schedules = Calls(self._calls.native)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._calls.native.close()

    async def start(
        self,
        workflow: str,
        inputs: Any = None,
        *,
        task_id: str | None = None,
        queue: str | None = None,
        priority: int = 0,
        delay: Duration | None = None,
        run_at: datetime | None = None,
        timeout: Duration | None = None,
        trace: Any = None,
    ) -> UUID:
        """As `Client.start`."""
        call = self._calls.start(workflow, inputs, task_id, queue, priority, delay, run_at, timeout, trace)
        return UUID(await _answer(call))

    async def enqueue(
        self,
        name: str,
        inputs: Any = None,
        *,
        queue: str | None = None,
        task_id: str | None = None,
        priority: int = 0,
        delay: Duration | None = None,
        run_at: datetime | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: Duration | None = None,
        start_timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        trace: Any = None,
    ) -> UUID:
        """As `Client.enqueue`."""
        call = self._calls.enqueue(
            name,
            inputs,
            queue,
            task_id,
            priority,
            delay,
            run_at,
            retry,
            timeout,
            start_timeout,
            heartbeat_timeout,
            trace,
        )
        return UUID(await _answer(call))

    async def enqueue_many(self, items: Iterable[Mapping[str, Any]]) -> list[Enqueued]:
        """As `Client.enqueue_many`."""
        return _enqueued(await _answer(self._calls.enqueue_many(items)))

    async def wait(self, id: Id, timeout: Duration | None = None) -> Outcome:
        """As `Client.wait`."""
        return _outcome(await _answer(self._calls.wait(id, timeout)))

    async def result(self, id: Id) -> Outcome:
        """As `Client.result`."""
        return _outcome(await _answer(self._calls.native.result(str(id))))

    async def signal(self, id: Id, name: str, payload: Any = None) -> bool:
        """As `Client.signal`."""
        return bool(await _answer(self._calls.signal(id, name, payload)))

    async def cancel(self, id: Id, reason: str | None = None) -> bool:
        """As `Client.cancel`."""
        return bool(await _answer(self._calls.native.cancel(str(id), reason)))

    async def retry(self, id: Id) -> UUID:
        """As `Client.retry`."""
        return UUID(await _answer(self._calls.native.retry(str(id))))

    async def deploy(self, name: str, source: str) -> int:
        """As `Client.deploy`."""
        return int(await _answer(self._calls.native.deploy(name, source)))

    async def check(self, source: str) -> list[Diagnostic]:
        """As `Client.check`."""
        return [Diagnostic(*row) for row in await _answer(self._calls.native.check(source))]

    async def tick(self) -> None:
        """As `Client.tick`."""
        await _answer(self._calls.native.tick())

    async def version(self) -> str:
        """As `Client.version`."""
        return str(await _answer(self._calls.native.version()))

    async def _answered(self, call: _native.Call) -> Any:
        return await _answer(call)


async def _answer(call: _native.Call) -> Any:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)

    def told(answer: Any, error: BaseException | None) -> None:
        # A loop that was closed meanwhile has nobody who waits.
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, answer, error)

    started = call.then(told)
    try:
        return await future
    except asyncio.CancelledError:
        started.abort()
        raise


_default: Client | None = None
_default_lock = threading.Lock()


def _client() -> Client:
    global _default
    with _default_lock:
        if _default is None:
            _default = Client()
        return _default


def start(workflow: str, inputs: Any = None, **options: Any) -> UUID:
    """`Client.start` in the database that the environment names."""
    return _client().start(workflow, inputs, **options)


def enqueue(name: str, inputs: Any = None, **options: Any) -> UUID:
    """`Client.enqueue` in the database that the environment names."""
    return _client().enqueue(name, inputs, **options)


def enqueue_many(items: Iterable[Mapping[str, Any]]) -> list[Enqueued]:
    """`Client.enqueue_many` in the database that the environment names."""
    return _client().enqueue_many(items)


def wait(id: Id, timeout: Duration | None = None) -> Outcome:
    """`Client.wait` in the database that the environment names."""
    return _client().wait(id, timeout)


def result(id: Id) -> Outcome:
    """`Client.result` in the database that the environment names."""
    return _client().result(id)


def signal(id: Id, name: str, payload: Any = None) -> bool:
    """`Client.signal` in the database that the environment names."""
    return _client().signal(id, name, payload)


def cancel(id: Id, reason: str | None = None) -> bool:
    """`Client.cancel` in the database that the environment names."""
    return _client().cancel(id, reason)


def retry(id: Id) -> UUID:
    """`Client.retry` in the database that the environment names."""
    return _client().retry(id)


def deploy(name: str, source: str) -> int:
    """`Client.deploy` in the database that the environment names."""
    return _client().deploy(name, source)


def schedule(name: str, **options: Any) -> datetime | None:
    """`Client.schedule` in the database that the environment names."""
    return _client().schedule(name, **options)


def unschedule(name: str) -> bool:
    """`Client.unschedule` in the database that the environment names."""
    return _client().unschedule(name)


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _inputs(inputs: Any) -> str:
    return "{}" if inputs is None else _json(inputs)


def _optional(value: Any) -> str | None:
    return None if value is None else _json(value)


def _moment(at: datetime | None) -> float | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError("run_at needs a time zone, such as datetime.now(timezone.utc)")
    return at.timestamp()


def _item(value: Any) -> Any:
    """A value of an item of `enqueue_many` as JSON, where it has a form of its own in Python."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} seconds"
    if isinstance(value, datetime):
        _moment(value)
        return value.isoformat()
    return value


def _enqueued(rows: list[tuple[str, bool]]) -> list[Enqueued]:
    return [Enqueued(UUID(id), created) for id, created in rows]


def _outcome(row: tuple[str, str | None, str | None]) -> Outcome:
    state, result, error = row
    return Outcome(state, None if result is None else json.loads(result), None if error is None else json.loads(error))
