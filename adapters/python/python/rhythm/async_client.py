"""The client for asyncio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from rhythm import _native
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
from rhythm.pending import answer
from rhythm.records import FailedAttempt, Pause, QueueSetting, Why
from rhythm.repair import AsyncRepairs
from rhythm.repair import Calls as RepairCalls
from rhythm.schedules import AsyncSchedules
from rhythm.schedules import Calls as ScheduleCalls
from rhythm.task import Duration, KeepTime
from rhythm.views import AsyncViews
from rhythm.views import Calls as ViewCalls


class AsyncClient(AsyncRepairs, AsyncSchedules, AsyncViews):
    """`Client` for asyncio. A call whose task is cancelled is given up; whether it was done is not known."""

    def __init__(self, url: str | None = None, *, connections: int = 4) -> None:
        self._calls = Calls(url, connections)

    @property
    def _repairs(self) -> RepairCalls:
        return self._calls.repairs

    @property
    def _schedules(self) -> ScheduleCalls:
        return self._calls.schedules

    @property
    def _views(self) -> ViewCalls:
        return self._calls.views

    async def _answered(self, call: _native.Call) -> Any:
        return await answer(call)

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
        priority: int | None = None,
        delay: Duration | None = None,
        run_at: datetime | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: Duration | None = None,
        remember: KeepTime | None = None,
        result: Literal["keep", "discard"] | None = None,
        trace: Any = None,
    ) -> UUID:
        """As `Client.start`."""
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
        return await call

    async def enqueue(
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
            attempt_timeout,
            heartbeat_timeout,
            remember,
            result,
            trace,
        )
        return await call

    async def enqueue_many(self, items: Iterable[Mapping[str, Any]]) -> list[Enqueued]:
        """As `Client.enqueue_many`."""
        return await self._calls.enqueue_many(items)

    async def start_many(self, items: Iterable[Mapping[str, Any]]) -> list[Enqueued]:
        """As `Client.start_many`."""
        return await self._calls.start_many(items)

    async def enqueue_rows(self, query: str) -> int:
        """As `Client.enqueue_rows`."""
        return await self._calls.enqueue_rows(query)

    async def wait(self, id: Id, timeout: Duration | None = None) -> Outcome:
        """As `Client.wait`."""
        return await self._calls.wait(id, timeout)

    async def result(self, id: Id) -> Outcome:
        """As `Client.result`."""
        return await self._calls.result(id)

    async def signal(self, run: Run, name: str, payload: Any = None, *, key: str | None = None) -> bool:
        """As `Client.signal`."""
        return await self._calls.signal(run, name, payload, key)

    async def signal_with_start(
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
        """As `Client.signal_with_start`."""
        return await self._calls.signal_with_start(
            workflow, task_id, name, payload, inputs, key, queue, priority, retry, timeout, remember, result, trace
        )

    async def call(self, run: Run, name: str, payload: Any = None, *, timeout: Duration = 30) -> Any:
        """As `Client.call`."""
        return await self._calls.call(run, name, payload, timeout)

    async def attributes(self, id: Id) -> dict[str, Any]:
        """As `Client.attributes`."""
        return await self._calls.attributes(id)

    async def find(
        self, workflow: str, attributes: Mapping[str, Any], *, state: str | None = None, max: int = 100
    ) -> list[Found]:
        """As `Client.find`."""
        return await self._calls.find(workflow, attributes, state, max)

    async def cancel(self, id: Id, reason: str | None = None, *, grace: Duration | None = None) -> bool:
        """As `Client.cancel`."""
        return await self._calls.cancel(id, reason, grace)

    async def terminate(self, id: Id, reason: str | None = None) -> bool:
        """As `Client.terminate`."""
        return await self._calls.terminate(id, reason)

    async def retry(self, id: Id, delay: Duration | None = None, version: int | None = None) -> UUID:
        """As `Client.retry`."""
        return await self._calls.retry(id, delay, version)

    async def retry_many(
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
        """As `Client.retry_many`."""
        return await self._calls.retry_many(queue, name, error, since, kind, rate, max, dry_run)

    async def cleanup(
        self,
        older_than: Duration,
        *,
        status: str | None = None,
        queue: str | None = None,
        dry_run: bool = False,
        max: int | None = 10_000,
    ) -> int:
        """As `Client.cleanup`."""
        return await self._calls.cleanup(older_than, status, queue, dry_run, max)

    async def attempts(self, id: Id) -> list[FailedAttempt]:
        """As `Client.attempts`."""
        return await self._calls.attempts(id)

    async def why(self, id: Id) -> Why:
        """As `Client.why`."""
        return await self._calls.why(id)

    async def why_queue(self, name: str) -> Why:
        """As `Client.why_queue`."""
        return await self._calls.why_queue(name)

    async def configure_queue(
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
        """As `Client.configure_queue`."""
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
        await call

    async def show_queue(self, name: str) -> dict[str, QueueSetting]:
        """As `Client.show_queue`."""
        return await self._calls.show_queue(name)

    async def pause_queue(self, name: str, reason: str | None = None) -> None:
        """As `Client.pause_queue`."""
        await self._calls.pause("queue", name, reason)

    async def resume_queue(self, name: str) -> None:
        """As `Client.resume_queue`."""
        await self._calls.resume("queue", name)

    async def pause_task(self, name: str, reason: str | None = None) -> None:
        """As `Client.pause_task`."""
        await self._calls.pause("task", name, reason)

    async def resume_task(self, name: str) -> None:
        """As `Client.resume_task`."""
        await self._calls.resume("task", name)

    async def pause_all(self, reason: str | None = None) -> None:
        """As `Client.pause_all`."""
        await self._calls.pause("all", "", reason)

    async def resume_all(self) -> None:
        """As `Client.resume_all`."""
        await self._calls.resume("all", "")

    async def pauses(self) -> list[Pause]:
        """As `Client.pauses`."""
        return await self._calls.pauses()

    async def adopt(self) -> bool:
        """As `Client.adopt`."""
        return await self._calls.adopt()

    async def deploy(self, name: str, source: str) -> int:
        """As `Client.deploy`."""
        return await self._calls.deploy(name, source)

    async def check(self, source: str) -> list[Diagnostic]:
        """As `Client.check`."""
        return await self._calls.check(source)

    async def tick(self) -> None:
        """As `Client.tick`."""
        await self._calls.tick()

    async def version(self) -> str:
        """As `Client.version`."""
        return await self._calls.version()
