"""What both clients tell of executions, queues, workers, tasks, workflows and schedules."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import TypedDict

import pytest

import rhythm

NOBODY = "00000000-0000-0000-0000-000000000000"


def test_executions_are_filtered_and_paged(client: rhythm.Client, queue: str) -> None:
    begin = datetime.now(timezone.utc) - timedelta(minutes=1)
    ids = [one.id for one in client.enqueue_many([{"name": f"n{n % 2}", "queue": queue} for n in range(5)])]
    client.cancel(ids[0])
    keyed = client.enqueue("keyed", {"n": 1}, queue=queue, task_id=queue, delay=3600, trace={"traceId": "abc"})

    def found(**filter: object) -> list[uuid.UUID]:
        return [one.id for one in client.executions(queue=queue, **filter)]  # type: ignore[arg-type]

    newest_first = found()
    assert newest_first[0] == keyed and set(newest_first) == {*ids, keyed}
    assert found(state="cancelled") == [ids[0]]
    assert set(found(state=("cancelled", "scheduled"))) == {ids[0], keyed}
    assert found(state=[]) == newest_first
    assert set(found(name="n1")) == {ids[1], ids[3]}
    assert found(task_id=queue) == [keyed] and found(kind="workflow") == []
    assert found(since=begin) == newest_first and found(until=begin) == []
    # All of the batch were made in the same microsecond: the id decides where a page ends.
    paged: list[uuid.UUID] = []
    page = client.executions(queue=queue, limit=2)
    while page:
        paged += [one.id for one in page]
        page = client.executions(queue=queue, limit=2, after=page[-1])
    assert paged == newest_first

    one = client.execution(keyed)
    assert (one.kind, one.name, one.state, one.inputs, one.task_id) == ("task", "keyed", "scheduled", {"n": 1}, queue)
    assert (one.root_id, one.parent_id, one.trace_id, one.done) == (keyed, None, "abc", False)
    assert one.run_at is not None and one.run_at - one.created_at > timedelta(minutes=59)
    assert client.execution(ids[0]).done
    with pytest.raises(rhythm.InputError, match="asleep"):
        client.executions(state="asleep")
    with pytest.raises(ValueError, match="time zone"):
        client.executions(since=datetime.now())
    with pytest.raises(rhythm.ControlError) as caught:
        client.execution(NOBODY)
    assert caught.value.code == "RH301"


def test_a_run_is_told_with_its_tree_its_timeline_and_its_log(client: rhythm.Client, queue: str) -> None:
    flow = f"flow-{queue}"
    client.deploy(flow, f"console.warn('three'); return await Task.run('nobody', {{}}, {{queue: '{queue}'}});")
    run = client.start(flow)
    assert [(line.level, line.message) for line in client.logs(run)] == [("warn", "three")]
    root, task = client.tree(run)
    assert (root.id, root.version, root.state) == (run, 1, "waiting")
    assert (task.parent_id, task.root_id, task.name) == (run, run, "nobody")
    events = client.timeline(run)
    assert events[0].event == "created"
    assert any(one.event == "task_created" and one.name == "nobody" for one in events)
    assert events[0].at.tzinfo is not None
    assert [one.event for one in client.timeline(run, 2)] == ["earlier", *(one.event for one in events[-2:])]
    (line,) = client.log(run, tree=True)
    assert (line.level, line.message, line.execution_id, line.name) == ("warn", "three", run, flow)
    waits = client.variables(run)
    assert (waits[0].frame, waits[0].function, waits[0].line) == (1, "workflow", 1)
    assert {one.variable: one.value for one in waits}["Inputs"] == "{}"
    assert client.variables(run, max=1, max_bytes=1)[0].cut
    (version,) = [one for one in client.workflows() if one.name == flow]
    assert (version.version, version.is_current, version.uses_sql) == (1, True, False)
    assert "console.warn" in version.source
    client.cancel(run)


class Mail(TypedDict):
    to: str


def test_queues_workers_and_tasks_tell_what_is_served(
    client: rhythm.Client, queue: str, work: Callable[..., rhythm.Worker]
) -> None:
    name = f"mail-{queue}"

    defaults = {"timeout": "1h", "attempt_timeout": "90s", "start_timeout": 600, "result": "discard"}

    @rhythm.task(name=name, queue=queue, priority=-7, remember=timedelta(days=2), **defaults)
    def mail(inputs: Mail) -> str:
        return inputs["to"]

    worker = f"w-{queue}"
    work(mail, name=worker)
    run = client.enqueue(name, {"to": "a@b.c"}, queue=queue)
    assert client.wait(run, timeout=20).state == "completed"
    assert client.execution(run).worker == worker
    (task,) = [one for one in client.tasks() if one.name == name]
    assert (task.queue, task.result, task.workers) == (queue, "discard", [worker])
    assert (task.timeout, task.attempt_timeout) == (timedelta(hours=1), timedelta(seconds=90))
    assert (task.start_timeout, task.heartbeat_timeout) == (timedelta(minutes=10), None)
    assert (task.priority, task.remember) == (-7, "2 days")
    assert client.execution(client.enqueue(name, {"to": "a@b.c"}, queue=queue, delay="1h")).priority == -7
    assert task.input_schema["required"] == ["to"] and task.schema_check == "warn"
    assert task.first_served_at is not None and task.last_seen is not None
    (served,) = [one for one in client.workers() if one.name == worker]
    assert served.tasks == [name] and served.queues in (None, [queue]) and served.registered_at is not None

    client.configure_queue(queue, rate_limit="100/sec", concurrency=7, retention="2 days")
    client.pause_queue(queue, "the relay is down")
    client.enqueue(name, {"to": "b@b.c"}, queue=queue)
    (row,) = [one for one in client.queues() if one.name == queue]
    assert (row.pending, row.running, row.failed, row.estimated) == (1, 0, 0, False)
    assert (row.paused, row.pause_reason, row.rate_limit, row.concurrency) == (True, "the relay is down", "100/sec", 7)
    assert row.retention == "2 days" and row.oldest_pending_at is not None
    client.resume_queue(queue)


def test_dead_letters_are_found_retried_and_cleaned_up(
    client: rhythm.Client, queue: str, work: Callable[..., rhythm.Worker]
) -> None:
    broken = True
    name = f"push-{queue}"

    @rhythm.task(name=name, retry={"maxAttempts": 1})
    def push() -> None:
        if broken:
            raise TimeoutError("gateway timeout")

    ids = {client.enqueue(name, queue=queue) for _ in range(3)}
    work(push)
    for id in ids:
        assert client.wait(id, timeout=20).state == "failed"
    dead = client.executions(queue=queue, state=("failed", "timed_out"))
    assert {one.id for one in dead} == ids
    assert dead[0].error is not None and dead[0].error["name"] == "TimeoutError"
    (row,) = [one for one in client.queues() if one.name == queue]
    assert row.failed == 3
    broken = False
    assert client.retry_many(queue=queue, error="%gateway%") == 3
    for id in ids:
        assert client.wait(id, timeout=20).state == "completed"
    assert client.cleanup("1d", queue=queue) == 0
    assert client.cleanup(0, queue=queue, status="failed") == 0
    assert client.cleanup(0, queue=queue, dry_run=True) == 3
    assert client.cleanup(0, queue=queue, max=1) == 1
    assert client.cleanup(0, queue=queue, max=None) == 2
    assert client.executions(queue=queue) == []
    with pytest.raises(rhythm.InputError):
        client.cleanup(0, status="running")
    with pytest.raises(ValueError, match="older_than"):
        client.cleanup(-1)


def test_what_schedules_started_and_what_they_exclude(client: rhythm.Client, queue: str) -> None:
    name, calendar = f"s-{queue}", f"c-{queue}"
    begin = datetime(2030, 12, 27, tzinfo=timezone.utc)
    client.set_calendar(
        calendar, days=[date(2030, 12, 25)], weekdays=["sun"], during=[(begin, begin + timedelta(days=1))]
    )
    client.schedule(name, every="1h", task="nobody", queue=queue, overlap="queue_one", exclude=[calendar])
    (known,) = client.calendars(calendar)
    assert known == rhythm.Calendar(
        calendar, [date(2030, 12, 25)], ["sun"], [(begin, begin + timedelta(days=1))], [name]
    )
    assert known in client.calendars()
    first = client.trigger_schedule(name)
    client.trigger_schedule(name)
    runs = client.schedule_runs(name)
    assert {(run.cause, run.id, run.state) for run in runs} == {
        ("trigger", first, "pending"),
        ("trigger", None, "held"),
    }
    assert len(client.schedule_runs(name, limit=1)) == 1
    assert all(run.tick.tzinfo is not None for run in runs)
    client.unschedule(name)
    client.delete_calendar(calendar)


def test_asyncio_reads_the_same(client: rhythm.Client, url: str, queue: str) -> None:
    run = client.enqueue("nobody", {"n": 1}, queue=queue)

    async def main() -> None:
        async with rhythm.AsyncClient(url) as other:
            assert await other.execution(run) == client.execution(run)
            assert await other.executions(queue=queue) == client.executions(queue=queue)
            assert await other.tree(run) == client.tree(run)
            assert await other.timeline(run) == client.timeline(run)
            assert await other.logs(run) == [] and await other.log(run) == []
            with pytest.raises(rhythm.ControlError) as caught:
                await other.variables(run)
            assert caught.value.code == "RH320"
            assert [one.name for one in await other.queues() if one.name == queue] == [queue]
            assert isinstance(await other.workers(), list) and isinstance(await other.tasks(), list)
            assert isinstance(await other.workflows(), list)
            assert await other.schedule_runs(queue) == [] and await other.calendars(queue) == []
            assert await other.cleanup("1d", queue=queue, dry_run=True) == 0

    asyncio.run(main())
