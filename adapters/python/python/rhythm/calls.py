"""Calls of a client, and what they answer with. Shared by both clients, so that they cannot differ."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Union
from uuid import UUID

from rhythm import _native
from rhythm.errors import ExecutionFailed
from rhythm.pending import Pending
from rhythm.records import FailedAttempt, Pause, QueueSetting, Why, record, rows_of
from rhythm.repair import Calls as RepairCalls
from rhythm.schedules import Calls as ScheduleCalls
from rhythm.task import Duration, KeepTime, kept, moment, policy, seconds
from rhythm.views import Calls as ViewCalls

Id = Union[UUID, str]
#: A run by its id, or by what holds a task_id: (workflow, task_id).
Run = Union[UUID, str, tuple[str, str]]

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


class Signalled(NamedTuple):
    """What came of `signal_with_start`."""

    #: The run that has the signal.
    id: UUID
    #: Whether the call has started it.
    started: bool
    #: Whether the signal was delivered; not when its key was sent before.
    delivered: bool


class Found(NamedTuple):
    """A run that `find` has found."""

    id: UUID
    state: str
    #: All that it has published.
    attributes: dict[str, Any]


class Calls:
    """Makes the compiled half's calls from Python's values."""

    def __init__(self, url: str | None, connections: int) -> None:
        self.native = _native.Client(url or os.environ.get("RHYTHM_URL") or None, connections)
        self.repairs = RepairCalls(self.native)
        self.schedules = ScheduleCalls(self.native)
        self.views = ViewCalls(self.native)

    def start(
        self,
        workflow: str,
        inputs: Any,
        task_id: str | None,
        queue: str | None,
        priority: int | None,
        delay: Duration | None,
        run_at: datetime | None,
        retry: Mapping[str, Any] | None,
        timeout: Duration | None,
        remember: KeepTime | None,
        result: str | None,
        trace: Any,
    ) -> Pending[UUID]:
        call = self.native.start(
            workflow,
            _inputs(inputs),
            task_id,
            queue,
            priority,
            seconds(delay),
            moment("run_at", run_at),
            policy(retry),
            seconds(timeout),
            kept(remember),
            result,
            _optional(trace),
        )
        return Pending(call, UUID)

    def enqueue(
        self,
        name: str,
        inputs: Any,
        queue: str | None,
        task_id: str | None,
        priority: int | None,
        delay: Duration | None,
        run_at: datetime | None,
        retry: Mapping[str, Any] | None,
        timeout: Duration | None,
        start_timeout: Duration | None,
        attempt_timeout: Duration | None,
        heartbeat_timeout: Duration | None,
        remember: KeepTime | None,
        result: str | None,
        trace: Any,
    ) -> Pending[UUID]:
        call = self.native.enqueue(
            name,
            _inputs(inputs),
            queue,
            task_id,
            priority,
            seconds(delay),
            moment("run_at", run_at),
            policy(retry),
            seconds(timeout),
            seconds(start_timeout),
            seconds(attempt_timeout),
            seconds(heartbeat_timeout),
            kept(remember),
            result,
            _optional(trace),
        )
        return Pending(call, UUID)

    def enqueue_many(self, items: Iterable[Mapping[str, Any]]) -> Pending[list[Enqueued]]:
        text = _json([{key: _item(key, value) for key, value in item.items()} for item in items])
        return Pending(self.native.enqueue_many(text), lambda rows: [Enqueued(UUID(id), new) for id, new in rows])

    def enqueue_rows(self, query: str) -> Pending[int]:
        return Pending(self.native.enqueue_rows(query), int)

    def result(self, id: Id) -> Pending[Outcome]:
        return Pending(self.native.result(str(id)), _outcome)

    def wait(self, id: Id, timeout: Duration | None) -> Pending[Outcome]:
        return Pending(self.native.wait(str(id), seconds(timeout)), _outcome)

    def signal(self, run: Run, name: str, payload: Any, key: str | None) -> Pending[bool]:
        return Pending(self.native.signal(_meant(run), name, _json(payload), key), bool)

    def signal_with_start(
        self,
        workflow: str,
        task_id: str,
        name: str,
        payload: Any,
        inputs: Any,
        key: str | None,
        queue: str | None,
        priority: int | None,
        retry: Mapping[str, Any] | None,
        timeout: Duration | None,
        remember: KeepTime | None,
        result: str | None,
        trace: Any,
    ) -> Pending[Signalled]:
        call = self.native.signal_with_start(
            workflow,
            task_id,
            name,
            _json(payload),
            _inputs(inputs),
            key,
            queue,
            priority,
            policy(retry),
            seconds(timeout),
            kept(remember),
            result,
            _optional(trace),
        )
        return Pending(call, _signalled)

    def call(self, run: Run, name: str, payload: Any, timeout: Duration) -> Pending[Any]:
        limit = seconds(timeout)
        if limit is None:
            raise TypeError("timeout must be a duration, not None")
        return Pending(self.native.call(_meant(run), name, _json(payload), limit), json.loads)

    def attributes(self, id: Id) -> Pending[dict[str, Any]]:
        return Pending(self.native.attributes(str(id)), json.loads)

    def find(self, workflow: str, attributes: Mapping[str, Any], state: str | None, max: int) -> Pending[list[Found]]:
        return Pending(self.native.find(workflow, _json(attributes), state, max), _found)

    def start_many(self, items: Iterable[Mapping[str, Any]]) -> Pending[list[Enqueued]]:
        text = _json([{key: _item(key, value) for key, value in item.items()} for item in items])
        return Pending(self.native.start_many(text), lambda rows: [Enqueued(UUID(id), new) for id, new in rows])

    def cancel(self, id: Id, reason: str | None, grace: Duration | None) -> Pending[bool]:
        return Pending(self.native.cancel(str(id), reason, seconds(grace)), bool)

    def terminate(self, id: Id, reason: str | None) -> Pending[bool]:
        return Pending(self.native.terminate(str(id), reason), bool)

    def retry(self, id: Id, delay: Duration | None, version: int | None) -> Pending[UUID]:
        return Pending(self.native.retry(str(id), seconds(delay), version), UUID)

    def retry_many(
        self,
        queue: str | None,
        name: str | None,
        error: str | None,
        since: datetime | None,
        kind: str | None,
        rate: str | None,
        max: int,
        dry_run: bool,
    ) -> Pending[int]:
        since_seconds = moment("since", since)
        return Pending(self.native.retry_many(queue, name, error, since_seconds, kind, rate, max, dry_run), int)

    def cleanup(
        self, older_than: Duration, status: str | None, queue: str | None, dry_run: bool, max: int | None
    ) -> Pending[int]:
        age = seconds(older_than)
        if age is None:
            raise TypeError("older_than must be a duration, not None")
        return Pending(self.native.cleanup(age, status, queue, dry_run, max), int)

    def attempts(self, id: Id) -> Pending[list[FailedAttempt]]:
        return Pending(self.native.attempts(str(id)), rows_of(FailedAttempt))

    def why(self, id: Id) -> Pending[Why]:
        return Pending(self.native.why(str(id)), _why)

    def why_queue(self, name: str) -> Pending[Why]:
        return Pending(self.native.why_queue(name), _why)

    def configure_queue(
        self,
        name: str,
        settings: dict[str, Any],
        retry: Mapping[str, Any] | None,
        timeouts: dict[str, Duration | None],
        retention: KeepTime | None,
        remember: KeepTime | None,
        reset: Iterable[str],
    ) -> Pending[None]:
        whole = {
            **settings,
            **{timeout: seconds(value) for timeout, value in timeouts.items()},
            "retry": policy(retry),
            "retention": kept(retention),
            "remember": kept(remember),
            "reset": [reset] if isinstance(reset, str) else list(reset),
        }
        return Pending(self.native.configure_queue(name, whole), _nothing)

    def show_queue(self, name: str) -> Pending[dict[str, QueueSetting]]:
        return Pending(self.native.show_queue(name), _settings)

    def pause(self, what: str, name: str, reason: str | None) -> Pending[None]:
        return Pending(self.native.pause(what, name, reason), _nothing)

    def resume(self, what: str, name: str) -> Pending[None]:
        return Pending(self.native.resume(what, name), _nothing)

    def pauses(self) -> Pending[list[Pause]]:
        return Pending(self.native.pauses(), rows_of(Pause))

    def adopt(self) -> Pending[bool]:
        return Pending(self.native.adopt(), bool)

    def deploy(self, name: str, source: str) -> Pending[int]:
        return Pending(self.native.deploy(name, source), int)

    def check(self, source: str) -> Pending[list[Diagnostic]]:
        return Pending(self.native.check(source), lambda rows: [Diagnostic(*row) for row in rows])

    def tick(self) -> Pending[None]:
        return Pending(self.native.tick(), _nothing)

    def version(self) -> Pending[str]:
        return Pending(self.native.version(), str)


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _inputs(inputs: Any) -> str:
    return "{}" if inputs is None else _json(inputs)


def _optional(value: Any) -> str | None:
    return None if value is None else _json(value)


def _item(key: str, value: Any) -> Any:
    """A value of an item of `enqueue_many` as JSON, where it has a form of its own in Python."""
    if isinstance(value, datetime):
        moment(key, value)
        return value.isoformat()
    if isinstance(value, timedelta) or (key == "remember" and isinstance(value, (int, float))):
        return kept(value)
    if key == "retry" and isinstance(value, Mapping):
        return json.loads(policy(value) or "null")
    return value


def _meant(run: Run) -> tuple[str | None, str]:
    """Which run is meant: (workflow, task_id), or no workflow and an id."""
    return run if isinstance(run, tuple) else (None, str(run))


def _signalled(text: str) -> Signalled:
    row = json.loads(text)
    return Signalled(UUID(row["id"]), row["started"], row["delivered"])


def _found(text: str) -> list[Found]:
    return [Found(UUID(row["id"]), row["state"], row["attributes"]) for row in json.loads(text)]


def _nothing(_: Any) -> None:
    return None


def _outcome(row: tuple[str, str | None, str | None]) -> Outcome:
    state, result, error = row
    return Outcome(state, None if result is None else json.loads(result), None if error is None else json.loads(error))


def _why(text: str) -> Why:
    return record(Why, json.loads(text))


def _settings(text: str) -> dict[str, QueueSetting]:
    return {row["setting"]: QueueSetting(row["value"], row["is_default"]) for row in json.loads(text)}
