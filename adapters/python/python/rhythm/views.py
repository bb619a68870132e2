"""Reads of both clients: executions and what happened to them, queues, workers, tasks, workflows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Literal, Union
from uuid import UUID

from rhythm import _native
from rhythm.pending import Pending
from rhythm.records import (
    Execution,
    LimitInfo,
    LogEntry,
    LogLine,
    NearLimit,
    NearLimitCount,
    QueueInfo,
    TaskInfo,
    TimelineEvent,
    Variable,
    WorkerInfo,
    WorkflowInfo,
    row_of,
    rows_of,
)
from rhythm.task import moment

Id = Union[UUID, str]
Kind = Literal["task", "workflow"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Calls:
    """Makes the compiled half's calls from Python's values. Shared by both clients, so that they cannot differ."""

    def __init__(self, client: _native.Client) -> None:
        self.native = _native.Views(client)

    def execution(self, id: Id) -> Pending[Execution]:
        return Pending(self.native.execution(str(id)), row_of(Execution))

    def executions(
        self,
        state: str | Iterable[str] | None,
        kind: str | None,
        name: str | None,
        queue: str | None,
        task_id: str | None,
        since: datetime | None,
        until: datetime | None,
        after: Execution | None,
        limit: int,
    ) -> Pending[list[Execution]]:
        states = [] if state is None else [state] if isinstance(state, str) else list(state)
        # Numbers with a fraction are not exact enough for this.
        place = None if after is None else ((after.created_at - _EPOCH) // timedelta(microseconds=1), str(after.id))
        call = self.native.executions(
            states, kind, name, queue, task_id, moment("since", since), moment("until", until), place, limit
        )
        return Pending(call, rows_of(Execution))

    def tree(self, id: Id, max: int) -> Pending[list[Execution]]:
        return Pending(self.native.tree(str(id), max), rows_of(Execution))

    def timeline(self, id: Id, max: int) -> Pending[list[TimelineEvent]]:
        return Pending(self.native.timeline(str(id), max), rows_of(TimelineEvent))

    def log(self, id: Id, tree: bool, max: int) -> Pending[list[LogEntry]]:
        return Pending(self.native.log(str(id), tree, max), rows_of(LogEntry))

    def variables(self, id: Id, max: int, max_bytes: int) -> Pending[list[Variable]]:
        return Pending(self.native.variables(str(id), max, max_bytes), rows_of(Variable))

    def logs(self, id: Id) -> Pending[list[LogLine]]:
        return Pending(self.native.logs(str(id)), rows_of(LogLine))

    def limits(self) -> Pending[list[LimitInfo]]:
        return Pending(self.native.limits(), rows_of(LimitInfo))

    def near_limits(self, id: Id | None, workflow: str | None, max: int) -> Pending[list[NearLimit]]:
        call = self.native.near_limits(None if id is None else str(id), workflow, max)
        return Pending(call, rows_of(NearLimit))

    def near_limit_counts(self) -> Pending[list[NearLimitCount]]:
        return Pending(self.native.near_limit_counts(), rows_of(NearLimitCount))

    def queues(self) -> Pending[list[QueueInfo]]:
        return Pending(self.native.queues(), rows_of(QueueInfo))

    def workers(self) -> Pending[list[WorkerInfo]]:
        return Pending(self.native.workers(), rows_of(WorkerInfo))

    def tasks(self) -> Pending[list[TaskInfo]]:
        return Pending(self.native.tasks(), rows_of(TaskInfo))

    def workflows(self) -> Pending[list[WorkflowInfo]]:
        return Pending(self.native.workflows(), rows_of(WorkflowInfo))


class Views:
    """The calls of `Client` that are about what is there."""

    @property
    def _views(self) -> Calls:
        raise NotImplementedError

    def execution(self, id: Id) -> Execution:
        """Tells all of one execution. Raises `ControlError` when there is none of this id (any more)."""
        return self._views.execution(id).wait()

    def executions(
        self,
        *,
        state: str | Iterable[str] | None = None,
        kind: Kind | None = None,
        name: str | None = None,
        queue: str | None = None,
        task_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: Execution | None = None,
        limit: int = 100,
    ) -> list[Execution]:
        """Tells the executions that fit, the newest first.

        state: one or several: `("failed", "timed_out")` are the dead letters, which `retry_many` lets go on.
        kind, name, queue, task_id: only those.
        since, until: only those that were made then or later, or before; datetimes with a time zone.
        limit: how many at most; the next page is what comes `after` the last one of this page.
        """
        call = self._views.executions(state, kind, name, queue, task_id, since, until, after, limit)
        return call.wait()

    def tree(self, id: Id, max: int = 1000) -> list[Execution]:
        """Tells an execution and all that it has started, directly or through others, each before what it started
        itself; of more than max the upper levels."""
        return self._views.tree(id, max).wait()

    def timeline(self, id: Id, max: int = 1000) -> list[TimelineEvent]:
        """Tells what happened to an execution, in order: the last max entries, and in front of them one, `earlier`,
        that counts those before."""
        return self._views.timeline(id, max).wait()

    def log(self, id: Id, *, tree: bool = False, max: int = 1000) -> list[LogEntry]:
        """Tells the last max lines that a workflow has logged, in order; with tree also those of workflows below it."""
        return self._views.log(id, tree, max).wait()

    def variables(self, id: Id, *, max: int = 1000, max_bytes: int = 1000) -> list[Variable]:
        """Tells where a waiting run waits, and its variables: the workflow itself first, then each function that waits
        with it. Of a failed run it tells what was there before the step that failed.

        max: how many rows at most.
        max_bytes: how much of one value.
        """
        return self._views.variables(id, max, max_bytes).wait()

    def logs(self, id: Id) -> list[LogLine]:
        """Tells what a workflow has logged, in order."""
        return self._views.logs(id).wait()

    def limits(self) -> list[LimitInfo]:
        """Tells every limit of runs: how much it allows, of what, and how many runs have passed a quarter of it."""
        return self._views.limits().wait()

    def near_limits(self, id: Id | None = None, *, workflow: str | None = None, max: int = 100) -> list[NearLimit]:
        """Tells runs that have passed a quarter of a limit, once for each limit, the last ones first.

        id: only this run.
        workflow: only runs of this one.
        max: how many at most.
        """
        return self._views.near_limits(id, workflow, max).wait()

    def near_limit_counts(self) -> list[NearLimitCount]:
        """Tells how many runs of each workflow have passed a quarter of a limit, as far as they are kept."""
        return self._views.near_limit_counts().wait()

    def queues(self) -> list[QueueInfo]:
        """Tells the queues that have settings, live tasks or dead letters; `show_queue` tells one's settings."""
        return self._views.queues().wait()

    def workers(self) -> list[WorkerInfo]:
        """Tells the workers that were seen lately."""
        return self._views.workers().wait()

    def tasks(self) -> list[TaskInfo]:
        """Tells the tasks that workers have registered, with what they take and their defaults."""
        return self._views.tasks().wait()

    def workflows(self) -> list[WorkflowInfo]:
        """Tells every version of every deployed workflow, the newest version first."""
        return self._views.workflows().wait()


class AsyncViews:
    """The calls of `AsyncClient` that are about what is there."""

    @property
    def _views(self) -> Calls:
        raise NotImplementedError

    async def execution(self, id: Id) -> Execution:
        """As `Client.execution`."""
        return await self._views.execution(id)

    async def executions(
        self,
        *,
        state: str | Iterable[str] | None = None,
        kind: Kind | None = None,
        name: str | None = None,
        queue: str | None = None,
        task_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: Execution | None = None,
        limit: int = 100,
    ) -> list[Execution]:
        """As `Client.executions`."""
        call = self._views.executions(state, kind, name, queue, task_id, since, until, after, limit)
        return await call

    async def tree(self, id: Id, max: int = 1000) -> list[Execution]:
        """As `Client.tree`."""
        return await self._views.tree(id, max)

    async def timeline(self, id: Id, max: int = 1000) -> list[TimelineEvent]:
        """As `Client.timeline`."""
        return await self._views.timeline(id, max)

    async def log(self, id: Id, *, tree: bool = False, max: int = 1000) -> list[LogEntry]:
        """As `Client.log`."""
        return await self._views.log(id, tree, max)

    async def variables(self, id: Id, *, max: int = 1000, max_bytes: int = 1000) -> list[Variable]:
        """As `Client.variables`."""
        return await self._views.variables(id, max, max_bytes)

    async def logs(self, id: Id) -> list[LogLine]:
        """As `Client.logs`."""
        return await self._views.logs(id)

    async def limits(self) -> list[LimitInfo]:
        """As `Client.limits`."""
        return await self._views.limits()

    async def near_limits(
        self, id: Id | None = None, *, workflow: str | None = None, max: int = 100
    ) -> list[NearLimit]:
        """As `Client.near_limits`."""
        return await self._views.near_limits(id, workflow, max)

    async def near_limit_counts(self) -> list[NearLimitCount]:
        """As `Client.near_limit_counts`."""
        return await self._views.near_limit_counts()

    async def queues(self) -> list[QueueInfo]:
        """As `Client.queues`."""
        return await self._views.queues()

    async def workers(self) -> list[WorkerInfo]:
        """As `Client.workers`."""
        return await self._views.workers()

    async def tasks(self) -> list[TaskInfo]:
        """As `Client.tasks`."""
        return await self._views.tasks()

    async def workflows(self) -> list[WorkflowInfo]:
        """As `Client.workflows`."""
        return await self._views.workflows()
