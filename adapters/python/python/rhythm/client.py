"""The client that blocks for its answers: start, signal, cancel and await executions, look after queues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from rhythm.calls import (
    Calls,
    Diagnostic,
    Enqueued,
    Found,
    Id,
    Outcome,
    Run,
    Signalled,
)
from rhythm.records import FailedAttempt, Pause, QueueSetting, Why
from rhythm.repair import Calls as RepairCalls
from rhythm.repair import Repairs
from rhythm.schedules import Calls as ScheduleCalls
from rhythm.schedules import Schedules
from rhythm.task import Duration, KeepTime
from rhythm.views import Calls as ViewCalls
from rhythm.views import Views


class Client(Repairs, Schedules, Views):
    """A client of one database that blocks for its answers. May be used by many threads.

    url: `postgresql://…` or `host=… dbname=…`; otherwise RHYTHM_URL, or PGHOST and its like.
    connections: how many calls may be under way at once.

    Every call may raise `ConnectionFailed` (whether it was done is then not known), `PermissionDenied`, and the other
    kinds of `RhythmError`.
    """

    def __init__(self, url: str | None = None, *, connections: int = 4) -> None:
        self._made: Calls | None = Calls(url, connections)

    @property
    def _calls(self) -> Calls:
        assert self._made is not None
        return self._made

    @property
    def _repairs(self) -> RepairCalls:
        return self._calls.repairs

    @property
    def _schedules(self) -> ScheduleCalls:
        return self._calls.schedules

    @property
    def _views(self) -> ViewCalls:
        return self._calls.views

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
        priority: int | None = None,
        delay: Duration | None = None,
        run_at: datetime | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: Duration | None = None,
        remember: KeepTime | None = None,
        result: Literal["keep", "discard"] | None = None,
        trace: Any = None,
    ) -> UUID:
        """Starts a workflow, whose first step is done when this returns; gives the execution's id.

        task_id: your key for it: as long as an execution with that key is alive, completed or remembered, its id is
            given instead.
        priority: larger goes first, -32768 to 32767; otherwise the queue's default.
        delay: how long to wait before it starts; or run_at: when, a datetime with a time zone.
        retry: how often a run that fails begins again from its start, as in `enqueue`; otherwise never.
        timeout: how long it may take in all, with all its attempts.
        remember: how long its task_id is kept once it is completed: "30 days", "0", "forever", seconds or a timedelta.
        result: "discard" keeps no result.

        Durations are seconds, timedeltas, or text as in Flow: "90s", "1h30m". Raises `DefinitionError` when the
        workflow is not deployed or the inputs do not fit its type, `InputError` for a wrong argument.
        """
        call = self._calls.start(
            workflow,
            inputs,
            task_id,
            queue,
            priority,
            delay,
            run_at,
            retry,
            timeout,
            remember,
            result,
            trace,
        )
        return call.wait()

    def enqueue(
        self,
        name: str,
        inputs: Any = None,
        *,
        queue: str | None = None,
        task_id: str | None = None,
        priority: int | None = None,
        delay: Duration | None = None,
        run_at: datetime | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: Duration | None = None,
        start_timeout: Duration | None = None,
        attempt_timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        remember: KeepTime | None = None,
        result: Literal["keep", "discard"] | None = None,
        trace: Any = None,
    ) -> UUID:
        """Enqueues a task; gives the execution's id. Arguments that `start` has mean the same; what is not given is as
        the task's registration says, then as its queue is configured.

        retry: `{"maxAttempts": 5, "initial": "1s", "backoff": "exponential" or "linear" or "constant" or a factor,
            "max": "5m", "jitter": 0.1, "delays": ["1s", "1m"], "nonRetryable": [ValueError, "E42"]}`, or some of these.
        start_timeout: how long it may wait for a worker.
        attempt_timeout: how long one attempt may take; after that it is tried again.
        timeout: how long all attempts may take together; after that it is `timed_out`.
        heartbeat_timeout: how long its handler may be silent.

        Raises `InputError` for a wrong argument.
        """
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
            attempt_timeout,
            heartbeat_timeout,
            remember,
            result,
            trace,
        )
        return call.wait()

    def enqueue_many(self, items: Iterable[Mapping[str, Any]]) -> list[Enqueued]:
        """Enqueues many at once, all or none. The keys of an item are the arguments of `enqueue`; with
        `"kind": "workflow"` it is a workflow that starts."""
        return self._calls.enqueue_many(items).wait()

    def start_many(self, items: Iterable[Mapping[str, Any]]) -> list[Enqueued]:
        """Starts many workflows at once, all or none. The keys of an item are the arguments of `start`."""
        return self._calls.start_many(items).wait()

    def enqueue_rows(self, query: str) -> int:
        """Enqueues what a query gives, a task a row, all or none; gives their number. The columns have the names of
        `enqueue`'s arguments; the query runs with the rights of the client's role."""
        return self._calls.enqueue_rows(query).wait()

    def wait(self, id: Id, timeout: Duration | None = None) -> Outcome:
        """Waits until the execution has ended, or the timeout is over. Goes on through restarts of the server."""
        return self._calls.wait(id, timeout).wait()

    def result(self, id: Id) -> Outcome:
        """Tells what has become of an execution so far."""
        return self._calls.result(id).wait()

    def signal(self, run: Run, name: str, payload: Any = None, *, key: str | None = None) -> bool:
        """Gives a signal to a workflow, which keeps it until it asks for it. False: it has ended.

        run: its id, or (workflow, task_id).
        key: a run gets the signal of a name and key once, however often it is sent.
        """
        return self._calls.signal(run, name, payload, key).wait()

    def signal_with_start(
        self,
        workflow: str,
        task_id: str,
        name: str,
        payload: Any = None,
        *,
        inputs: Any = None,
        key: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: Duration | None = None,
        remember: KeepTime | None = None,
        result: Literal["keep", "discard"] | None = None,
        trace: Any = None,
    ) -> Signalled:
        """Gives a signal to the live run of a workflow under a `task_id`, and starts that first if there is none, also
        after one that has completed. Arguments that `signal` and `start` have mean the same."""
        call = self._calls.signal_with_start(
            workflow, task_id, name, payload, inputs, key, queue, priority, retry, timeout, remember, result, trace
        )
        return call.wait()

    def call(self, run: Run, name: str, payload: Any = None, *, timeout: Duration = 30) -> Any:
        """Sends a workflow a signal that it answers (`Signal.request`), and gives its answer.

        Raises `ControlError` when there is none in time, or when the workflow ends without one."""
        return self._calls.call(run, name, payload, timeout).wait()

    def attributes(self, id: Id) -> dict[str, Any]:
        """Tells what a workflow has published with `Context.set`."""
        return self._calls.attributes(id).wait()

    def find(
        self, workflow: str, attributes: Mapping[str, Any], *, state: str | None = None, max: int = 100
    ) -> list[Found]:
        """Finds runs of a workflow that have published these attributes among others, the newest first."""
        return self._calls.find(workflow, attributes, state, max).wait()

    def cancel(self, id: Id, reason: str | None = None, *, grace: Duration | None = None) -> bool:
        """Asks an execution to end. False: it has ended. A workflow may clean up: as long as it likes, or, with a
        `grace`, until that is over; then it is terminated."""
        return self._calls.cancel(id, reason, grace).wait()

    def terminate(self, id: Id, reason: str | None = None) -> bool:
        """Ends an execution and all that it has started, at once and without `finally`. False: it has ended."""
        return self._calls.terminate(id, reason).wait()

    def retry(self, id: Id, delay: Duration | None = None, version: int | None = None) -> UUID:
        """Lets a failed execution go on, under the same id, not before the delay is over; a run in this version of its
        workflow, 0 being the newest, as `move` allows. Raises `ControlError` when it has not failed, or when a newer
        execution holds its `task_id`."""
        return self._calls.retry(id, delay, version).wait()

    def retry_many(
        self,
        *,
        queue: str | None = None,
        name: str | None = None,
        error: str | None = None,
        since: datetime | None = None,
        kind: Literal["task", "workflow"] | None = "task",
        rate: str | None = None,
        max: int = 10_000,
        dry_run: bool = False,
    ) -> int:
        """Lets all failed and timed out executions go on that fit, the oldest first, all or none; gives their number.

        queue, name: only those.
        error: the error's name or code, or a pattern of its message as for ILIKE: "%timeout%".
        since: only those that failed then or later; a datetime with a time zone.
        kind: tasks, workflows, or None for both.
        rate: spreads them over time: "10/sec", "N/min", "N/hour", "N/day".
        max: how many at most.
        dry_run: only counts.
        """
        return self._calls.retry_many(queue, name, error, since, kind, rate, max, dry_run).wait()

    def cleanup(
        self,
        older_than: Duration,
        *,
        status: str | None = None,
        queue: str | None = None,
        dry_run: bool = False,
        max: int | None = 10_000,
    ) -> int:
        """Deletes finished executions before their retention is over; gives their number.

        A tree goes as a whole, as its root says (age, status, queue), and stays while that is alive.

        older_than: how long ago they ended at least; 0 for all.
        status, queue: only those; status is "completed", "failed", "cancelled" or "timed_out".
        dry_run: only counts.
        max: how many at most, the oldest first (and the rest of the last tree), in one transaction; None for all.
        """
        return self._calls.cleanup(older_than, status, queue, dry_run, max).wait()

    def attempts(self, id: Id) -> list[FailedAttempt]:
        """Tells the failed attempts of a task, in order; of more than a hundred the last hundred."""
        return self._calls.attempts(id).wait()

    def why(self, id: Id) -> Why:
        """Tells why an execution does not move: the one reason, since when, until when, and what to do."""
        return self._calls.why(id).wait()

    def why_queue(self, name: str) -> Why:
        """Tells why a queue does not move: what keeps the task that a worker would get first."""
        return self._calls.why_queue(name).wait()

    def configure_queue(
        self,
        name: str,
        *,
        paused: bool | None = None,
        reason: str | None = None,
        retention: KeepTime | None = None,
        rate_limit: str | None = None,
        rate_burst: int | None = None,
        rate_key: str | None = None,
        concurrency: int | None = None,
        concurrency_key: str | None = None,
        concurrency_per_key: int | None = None,
        priority: int | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: Duration | None = None,
        start_timeout: Duration | None = None,
        attempt_timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        remember: KeepTime | None = None,
        result: Literal["keep", "discard"] | None = None,
        reset: Iterable[str] = (),
    ) -> None:
        """Sets what is given of a queue, and leaves the rest; `reset` names settings to take away. For `rhythm_admin`.

        rate_limit: how many may start in a time, "100/sec", "N/min", "N/hour", "N/day"; rate_burst: how many at once
            after a pause, otherwise N; rate_key: a path into the inputs such as "customer.id", a bucket for each value.
        concurrency: how many may run at once; concurrency_key: a path into the inputs, with so many for each value as
            concurrency_per_key says (1).
        priority, retry, timeouts, result: for what neither the call nor the task's registration says.
        retention: how long what has ended is kept: "7 days", "0", "forever", seconds or a timedelta; remember: how long
            a completed execution keeps its task_id.
        paused, reason: as `pause_queue`.

        Raises `InputError` for a setting that is wrong, or that lacks another one.
        """
        settings = {
            "paused": paused,
            "reason": reason,
            "rate_limit": rate_limit,
            "rate_burst": rate_burst,
            "rate_key": rate_key,
            "concurrency": concurrency,
            "concurrency_key": concurrency_key,
            "concurrency_per_key": concurrency_per_key,
            "priority": priority,
            "result": result,
        }
        timeouts = {
            "timeout": timeout,
            "start_timeout": start_timeout,
            "attempt_timeout": attempt_timeout,
            "heartbeat_timeout": heartbeat_timeout,
        }
        call = self._calls.configure_queue(name, settings, retry, timeouts, retention, remember, reset)
        call.wait()

    def show_queue(self, name: str) -> dict[str, QueueSetting]:
        """Tells all settings of a queue, and what holds where none is set."""
        return self._calls.show_queue(name).wait()

    def pause_queue(self, name: str, reason: str | None = None) -> None:
        """Lets workers get nothing from a queue until `resume_queue`; what runs goes on."""
        self._calls.pause("queue", name, reason).wait()

    def resume_queue(self, name: str) -> None:
        """Ends `pause_queue`."""
        self._calls.resume("queue", name).wait()

    def pause_task(self, name: str, reason: str | None = None) -> None:
        """Lets workers get no task of this name, from no queue, until `resume_task`; what runs goes on."""
        self._calls.pause("task", name, reason).wait()

    def resume_task(self, name: str) -> None:
        """Ends `pause_task`."""
        self._calls.resume("task", name).wait()

    def pause_all(self, reason: str | None = None) -> None:
        """Stops everything until `resume_all`: workers get nothing, workflows take no step, timers do not fire. What
        runs goes on, and what is enqueued, signalled or completed is kept."""
        self._calls.pause("all", "", reason).wait()

    def resume_all(self) -> None:
        """Ends `pause_all`; queues and tasks that are paused by themselves stay so."""
        self._calls.resume("all", "").wait()

    def pauses(self) -> list[Pause]:
        """Tells everything that is paused, and whether the database waits to be adopted."""
        return self._calls.pauses().wait()

    def adopt(self) -> bool:
        """Lets a database run that was restored from a dump or copied. False: there was nothing to adopt."""
        return self._calls.adopt().wait()

    def deploy(self, name: str, source: str) -> int:
        """Deploys a workflow; gives its version. The same source again changes nothing. Raises `DefinitionError` with
        all errors of the source in `detail`."""
        return self._calls.deploy(name, source).wait()

    def check(self, source: str) -> list[Diagnostic]:
        """Tells everything that is wrong with a workflow's source."""
        return self._calls.check(source).wait()

    def tick(self) -> None:
        """Does what the background worker would do now. For servers without one, and for tests."""
        self._calls.tick().wait()

    def version(self) -> str:
        """Returns the version of the extension."""
        return self._calls.version().wait()
