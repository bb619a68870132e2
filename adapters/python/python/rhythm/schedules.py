"""Schedules of both clients: what starts tasks and workflows by itself, and calendars of exclusion."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timezone
from typing import Any, Literal
from uuid import UUID

from rhythm import _native
from rhythm.pending import wait
from rhythm.records import Calendar, ScheduleRun, calendars, rows_of
from rhythm.task import Duration, KeepTime, kept, policy, seconds


class Calls:
    """Makes the compiled half's calls from Python's values. Shared by both clients, so that they cannot differ."""

    def __init__(self, client: _native.Client) -> None:
        self.native = _native.Schedules(client)

    def schedule(
        self,
        name: str,
        cron: str | None,
        every: Duration | None,
        task: str | None,
        workflow: str | None,
        inputs: Any,
        time_zone: str | None,
        overlap: str | None,
        catch_up: Duration | None,
        jitter: Duration | None,
        queue: str | None,
        priority: int | None,
        retry: Mapping[str, Any] | None,
        timeout: Duration | None,
        start_timeout: Duration | None,
        attempt_timeout: Duration | None,
        heartbeat_timeout: Duration | None,
        remember: KeepTime | None,
        result: str | None,
        exclude: Iterable[str] | None,
        starts_at: datetime | None,
        ends_at: datetime | None,
    ) -> _native.Call:
        return self.native.schedule(
            name,
            cron,
            seconds(every),
            task,
            workflow,
            None if inputs is None else json.dumps(inputs, allow_nan=False),
            time_zone,
            overlap,
            seconds(catch_up),
            seconds(jitter),
            queue,
            priority,
            policy(retry),
            seconds(timeout),
            seconds(start_timeout),
            seconds(attempt_timeout),
            seconds(heartbeat_timeout),
            kept(remember),
            result,
            None if exclude is None else list(exclude),
            _moment("starts_at", starts_at),
            _moment("ends_at", ends_at),
        )

    def backfill(self, name: str, since: datetime, until: datetime | None, overlap: str | None) -> _native.Call:
        return self.native.backfill_schedule(name, _stamp("since", since), _moment("until", until), overlap)

    def set_calendar(
        self,
        name: str,
        days: Iterable[date],
        weekdays: Iterable[str],
        during: Iterable[tuple[datetime, datetime]],
    ) -> _native.Call:
        ranges = [(_stamp("during", begin), _stamp("during", end)) for begin, end in during]
        return self.native.set_calendar(name, [day.isoformat() for day in days], list(weekdays), ranges)

    def schedule_times(self, name: str, count: int, since: datetime | None) -> _native.Call:
        return self.native.schedule_times(name, count, _moment("since", since))

    def cron_times(self, cron: str, time_zone: str, count: int, since: datetime | None) -> _native.Call:
        return self.native.cron_times(cron, time_zone, count, _moment("since", since))


class Schedules:
    """The calls of `Client` that are about schedules."""

    @property
    def _schedules(self) -> Calls:
        raise NotImplementedError

    def schedule(
        self,
        name: str,
        *,
        cron: str | None = None,
        every: Duration | None = None,
        task: str | None = None,
        workflow: str | None = None,
        inputs: Any = None,
        time_zone: str | None = None,
        overlap: str | None = None,
        catch_up: Duration | None = None,
        jitter: Duration | None = None,
        queue: str | None = None,
        priority: int | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: Duration | None = None,
        start_timeout: Duration | None = None,
        attempt_timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        remember: KeepTime | None = None,
        result: Literal["keep", "discard"] | None = None,
        exclude: Iterable[str] | None = None,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> datetime | None:
        """Makes or replaces a schedule; gives when it starts next. The same again changes nothing.

        cron: five fields (minute, hour, day of month, month, weekday), or six with seconds first, on the clock of
        `time_zone` (UTC); or every: seconds or a timedelta. task or workflow: what it starts.
        overlap: what happens while the last one runs: skip (unless given), queue_one, queue_all, cancel_other, allow.
        catch_up: how late a tick may still start, after an outage. exclude: names of calendars.
        queue, priority, retry, timeouts, remember, result: of what it starts, as in `enqueue` and `start`.
        """
        call = self._schedules.schedule(
            name,
            cron,
            every,
            task,
            workflow,
            inputs,
            time_zone,
            overlap,
            catch_up,
            jitter,
            queue,
            priority,
            retry,
            timeout,
            start_timeout,
            attempt_timeout,
            heartbeat_timeout,
            remember,
            result,
            exclude,
            starts_at,
            ends_at,
        )
        return _at(wait(call))

    def unschedule(self, name: str) -> bool:
        """Deletes a schedule; what it has started runs on. False: there is none of this name."""
        return bool(wait(self._schedules.native.unschedule(name)))

    def pause_schedule(self, name: str, reason: str | None = None) -> bool:
        """Lets a schedule start nothing by itself. False: it was paused before."""
        return bool(wait(self._schedules.native.pause_schedule(name, reason)))

    def resume_schedule(self, name: str) -> bool:
        """Ends a pause; the schedule goes on at its next tick. False: it was not paused."""
        return bool(wait(self._schedules.native.resume_schedule(name)))

    def trigger_schedule(self, name: str, overlap: str | None = None) -> UUID | None:
        """Starts one now; None when the overlap policy (or the one given) skips or holds it."""
        return _id(wait(self._schedules.native.trigger_schedule(name, overlap)))

    def backfill_schedule(
        self, name: str, since: datetime, until: datetime | None = None, overlap: str | None = None
    ) -> int:
        """Starts the ticks of a time that is over, but for those that were started; gives their number."""
        return int(wait(self._schedules.backfill(name, since, until, overlap)))

    def schedule_times(self, name: str, count: int = 5, since: datetime | None = None) -> list[datetime]:
        """Tells the ticks that come after `since`, or after now."""
        return _times(wait(self._schedules.schedule_times(name, count, since)))

    def cron_times(
        self, cron: str, time_zone: str = "UTC", count: int = 5, since: datetime | None = None
    ) -> list[datetime]:
        """Tells what a cron expression means: its times after `since`, or after now."""
        return _times(wait(self._schedules.cron_times(cron, time_zone, count, since)))

    def set_calendar(
        self,
        name: str,
        *,
        days: Iterable[date] = (),
        weekdays: Iterable[str] = (),
        during: Iterable[tuple[datetime, datetime]] = (),
    ) -> None:
        """Makes or replaces a calendar of exclusion: days, weekdays such as "sat", times from one moment to another."""
        wait(self._schedules.set_calendar(name, days, weekdays, during))

    def delete_calendar(self, name: str) -> bool:
        """Deletes a calendar that no schedule excludes. False: there is none of this name."""
        return bool(wait(self._schedules.native.delete_calendar(name)))

    def schedules(self, name: str | None = None) -> list[dict[str, Any]]:
        """Tells of all schedules, or of the one of this name: rows of the view `rhythm.schedules`, times as text,
        intervals in seconds."""
        return _rows(wait(self._schedules.native.schedules(name)))

    def schedule_runs(self, name: str | None = None, *, limit: int = 100) -> list[ScheduleRun]:
        """Tells the last starts of all schedules, or of the one of this name, and what is held back; the newest
        first. A schedule keeps its last hundred."""
        return rows_of(ScheduleRun)(wait(self._schedules.native.schedule_runs(name, limit)))

    def calendars(self, name: str | None = None) -> list[Calendar]:
        """Tells all calendars of exclusion, or the one of this name, and which schedules use each."""
        return calendars(wait(self._schedules.native.calendars(name)))


class AsyncSchedules:
    """The calls of `AsyncClient` that are about schedules."""

    @property
    def _schedules(self) -> Calls:
        raise NotImplementedError

    async def _answered(self, call: _native.Call) -> Any:
        raise NotImplementedError

    async def schedule(
        self,
        name: str,
        *,
        cron: str | None = None,
        every: Duration | None = None,
        task: str | None = None,
        workflow: str | None = None,
        inputs: Any = None,
        time_zone: str | None = None,
        overlap: str | None = None,
        catch_up: Duration | None = None,
        jitter: Duration | None = None,
        queue: str | None = None,
        priority: int | None = None,
        retry: Mapping[str, Any] | None = None,
        timeout: Duration | None = None,
        start_timeout: Duration | None = None,
        attempt_timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        remember: KeepTime | None = None,
        result: Literal["keep", "discard"] | None = None,
        exclude: Iterable[str] | None = None,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> datetime | None:
        """As `Client.schedule`."""
        call = self._schedules.schedule(
            name,
            cron,
            every,
            task,
            workflow,
            inputs,
            time_zone,
            overlap,
            catch_up,
            jitter,
            queue,
            priority,
            retry,
            timeout,
            start_timeout,
            attempt_timeout,
            heartbeat_timeout,
            remember,
            result,
            exclude,
            starts_at,
            ends_at,
        )
        return _at(await self._answered(call))

    async def unschedule(self, name: str) -> bool:
        """As `Client.unschedule`."""
        return bool(await self._answered(self._schedules.native.unschedule(name)))

    async def pause_schedule(self, name: str, reason: str | None = None) -> bool:
        """As `Client.pause_schedule`."""
        return bool(await self._answered(self._schedules.native.pause_schedule(name, reason)))

    async def resume_schedule(self, name: str) -> bool:
        """As `Client.resume_schedule`."""
        return bool(await self._answered(self._schedules.native.resume_schedule(name)))

    async def trigger_schedule(self, name: str, overlap: str | None = None) -> UUID | None:
        """As `Client.trigger_schedule`."""
        return _id(await self._answered(self._schedules.native.trigger_schedule(name, overlap)))

    async def backfill_schedule(
        self, name: str, since: datetime, until: datetime | None = None, overlap: str | None = None
    ) -> int:
        """As `Client.backfill_schedule`."""
        return int(await self._answered(self._schedules.backfill(name, since, until, overlap)))

    async def schedule_times(self, name: str, count: int = 5, since: datetime | None = None) -> list[datetime]:
        """As `Client.schedule_times`."""
        return _times(await self._answered(self._schedules.schedule_times(name, count, since)))

    async def cron_times(
        self, cron: str, time_zone: str = "UTC", count: int = 5, since: datetime | None = None
    ) -> list[datetime]:
        """As `Client.cron_times`."""
        return _times(await self._answered(self._schedules.cron_times(cron, time_zone, count, since)))

    async def set_calendar(
        self,
        name: str,
        *,
        days: Iterable[date] = (),
        weekdays: Iterable[str] = (),
        during: Iterable[tuple[datetime, datetime]] = (),
    ) -> None:
        """As `Client.set_calendar`."""
        await self._answered(self._schedules.set_calendar(name, days, weekdays, during))

    async def delete_calendar(self, name: str) -> bool:
        """As `Client.delete_calendar`."""
        return bool(await self._answered(self._schedules.native.delete_calendar(name)))

    async def schedules(self, name: str | None = None) -> list[dict[str, Any]]:
        """As `Client.schedules`."""
        return _rows(await self._answered(self._schedules.native.schedules(name)))

    async def schedule_runs(self, name: str | None = None, *, limit: int = 100) -> list[ScheduleRun]:
        """As `Client.schedule_runs`."""
        return rows_of(ScheduleRun)(await self._answered(self._schedules.native.schedule_runs(name, limit)))

    async def calendars(self, name: str | None = None) -> list[Calendar]:
        """As `Client.calendars`."""
        return calendars(await self._answered(self._schedules.native.calendars(name)))


def _moment(what: str, at: datetime | None) -> float | None:
    return None if at is None else _stamp(what, at)


def _stamp(what: str, at: datetime) -> float:
    if at.tzinfo is None:
        raise ValueError(f"{what} needs a time zone, such as datetime.now(timezone.utc)")
    return at.timestamp()


def _at(stamp: float | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp, timezone.utc)


def _times(stamps: list[float]) -> list[datetime]:
    return [datetime.fromtimestamp(stamp, timezone.utc) for stamp in stamps]


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _rows(text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(text)
    return rows
