"""Schedules from Python, blocking and with asyncio. What they do is tested on the SQL functions."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone

import pytest

import rhythm


@pytest.fixture
def name(client: rhythm.Client) -> Iterator[str]:
    made = f"s-{uuid.uuid4()}"
    yield made
    client.unschedule(made)


def test_a_schedule_is_made_driven_and_deleted(client: rhythm.Client, name: str, queue: str) -> None:
    options = {"every": timedelta(hours=1), "task": "a", "inputs": {"n": 1}, "queue": queue, "overlap": "queue_one"}
    options |= {"remember": timedelta(days=2), "result": "discard", "priority": 3}
    options |= {"start_timeout": 86400, "attempt_timeout": timedelta(hours=1), "heartbeat_timeout": 30}
    first = client.schedule(name, **options)
    assert first is not None and timedelta(minutes=59) < first - datetime.now(timezone.utc) <= timedelta(hours=1)
    assert client.schedule(name, **options) == first
    assert client.schedule_times(name, 2) == [first, first + timedelta(hours=1)]
    id = client.trigger_schedule(name)
    assert id is not None and client.result(id).state == "pending"
    assert client.execution(id).priority == 3
    assert client.trigger_schedule(name) is None
    (row,) = client.schedules(name)
    assert (row["running"], row["held"], row["inputs"], row["queue"]) == (1, 1, {"n": 1}, queue)
    assert (row["priority"], row["result"], row["remember"]) == (3, "discard", "2 days")
    assert [row[f"{which}_timeout"] for which in ("start", "attempt", "heartbeat")] == [86400, 3600, 30]
    assert (row["timeout"], row["retry"], row["catch_up"], row["jitter"]) == (None, None, 86400, 0)
    assert client.pause_schedule(name, "why not") and not client.pause_schedule(name)
    assert client.schedules(name)[0]["pause_reason"] == "why not"
    assert client.resume_schedule(name) and not client.resume_schedule(name)
    assert client.backfill_schedule(name, first - timedelta(hours=3), first - timedelta(hours=2), "allow") == 2
    assert client.unschedule(name) and not client.unschedule(name)
    with pytest.raises(rhythm.ControlError) as caught:
        client.trigger_schedule(name)
    assert caught.value.code == "RH305"


def test_cron_and_calendars(client: rhythm.Client, name: str) -> None:
    spring = datetime(2026, 3, 28, 12, tzinfo=timezone.utc)
    times = client.cron_times("30 2 * * *", "Europe/Berlin", 2, spring)
    assert [t.isoformat() for t in times] == ["2026-03-29T01:00:00+00:00", "2026-03-30T00:30:00+00:00"]
    calendar = f"c-{uuid.uuid4()}"
    begin = datetime(2030, 12, 27, tzinfo=timezone.utc)
    client.set_calendar(
        calendar, days=[date(2030, 12, 25)], weekdays=["sun"], during=[(begin, begin + timedelta(days=1))]
    )
    client.schedule(
        name, cron="@daily", task="a", exclude=[calendar], starts_at=datetime(2030, 12, 24, tzinfo=timezone.utc)
    )
    assert [t.day for t in client.schedule_times(name, 4)] == [24, 26, 28, 30]
    with pytest.raises(rhythm.ControlError):
        client.delete_calendar(calendar)
    client.unschedule(name)
    assert client.delete_calendar(calendar)


def test_wrong_arguments_are_named(client: rhythm.Client, name: str) -> None:
    with pytest.raises(rhythm.InputError, match="soon"):
        client.schedule(name, cron="soon", task="a")
    with pytest.raises(ValueError, match="starts_at needs a time zone"):
        client.schedule(name, every=60, task="a", starts_at=datetime(2030, 1, 1))


def test_with_asyncio(url: str, name: str) -> None:
    async def run() -> None:
        async with rhythm.AsyncClient(url) as client:
            first = await client.schedule(name, cron="0 3 * * *", task="a")
            assert (await client.schedule_times(name, 1)) == [first]
            assert (await client.trigger_schedule(name)) is not None
            assert [row["name"] for row in await client.schedules(name)] == [name]
            assert await client.unschedule(name)

    asyncio.run(run())
