"""Calls of both clients, against a real server."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import time
import uuid
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone

import pytest

import rhythm

FLOW = """
console.log("waiting");
const answer = await Signal.next("answer");
return { got: answer, from: Inputs.name };
"""


@pytest.fixture
def workflow(client: rhythm.Client) -> str:
    name = f"flow-{uuid.uuid4()}"
    assert client.deploy(name, FLOW) == 1
    return name


def test_the_version_is_the_extensions(client: rhythm.Client) -> None:
    assert client.version().startswith("0.")


def test_a_workflow_takes_a_signal_and_returns(client: rhythm.Client, workflow: str) -> None:
    run = client.start(workflow, {"name": "Ada"})
    assert client.result(run).state == "waiting"
    assert client.signal(run, "answer", [1, "zwei", None])
    outcome = client.wait(run, timeout=10)
    assert outcome.done
    assert outcome.value() == {"got": [1, "zwei", None], "from": "Ada"}
    assert client.signal(run, "answer") is False


def test_the_same_source_is_the_same_version(client: rhythm.Client, workflow: str) -> None:
    assert client.deploy(workflow, FLOW) == 1
    assert client.deploy(workflow, FLOW + "// changed\n") == 2


def test_errors_of_a_source_come_with_all_their_diagnostics(client: rhythm.Client) -> None:
    with pytest.raises(rhythm.DefinitionError) as caught:
        client.deploy("broken", "return nowhere;\nconst a = 1; a = 2;")
    assert caught.value.code is not None and caught.value.code.startswith("RH1")
    assert "broken" in str(caught.value.detail) and "nowhere" in str(caught.value.detail)
    found = client.check("return nowhere;")
    assert [(d.line, d.severity) for d in found] == [(1, "error")]


def test_a_task_id_starts_one_execution(client: rhythm.Client, queue: str) -> None:
    first = client.enqueue("nobody", {"n": 1}, queue=queue, task_id=queue)
    assert client.enqueue("nobody", {"n": 2}, queue=queue, task_id=queue) == first
    assert client.result(first).state == "pending"
    assert client.cancel(first, "not needed")
    assert client.enqueue("nobody", {"n": 3}, queue=queue, task_id=queue) != first


def test_what_the_server_warns_of_is_logged(
    client: rhythm.Client, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = client.enqueue("nobody", {"n": 1}, queue=queue, task_id=queue)
    with caplog.at_level(logging.INFO, "rhythm"):
        assert client.enqueue("nobody", {"n": 1}, queue=queue, task_id=queue) == first
        assert caplog.records == []
        assert client.enqueue("nobody", {"n": 2}, queue=queue, task_id=queue) == first
        (record,) = caplog.records
        assert (record.name, record.levelname) == ("rhythm", "WARNING")
        assert record.getMessage().startswith(
            f"task_id '{queue}' is held by execution {first}, which has other inputs\nHint: "
        )
        caplog.clear()
        # More is left than it deletes, and it says so.
        for run in [first, *(client.enqueue("nobody", queue=queue) for _ in range(2))]:
            client.cancel(run)
        assert client.cleanup(0, queue=queue, max=1) == 1
        assert [(record.levelname, record.getMessage()[:18]) for record in caplog.records] == [
            ("INFO", "there is more than")
        ]


def test_asyncio_logs_where_the_call_was_made(url: str, queue: str, caplog: pytest.LogCaptureFixture) -> None:
    asked: ContextVar[str] = ContextVar("asked", default="nobody")
    seen = []

    class Ask(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            seen.append((asked.get(), threading.current_thread(), record.levelname))
            return True

    async def one(client: rhythm.AsyncClient, n: int) -> None:
        asked.set(str(n))
        await client.enqueue("nobody", {"n": n}, queue=queue, task_id=queue)

    async def scenario() -> None:
        async with rhythm.AsyncClient(url) as client:
            await client.enqueue("nobody", {"n": 0}, queue=queue, task_id=queue)
            await asyncio.gather(*(one(client, n) for n in range(5)))

    log, ask = logging.getLogger("rhythm"), Ask()
    log.addFilter(ask)
    try:
        asyncio.run(scenario())
    finally:
        log.removeFilter(ask)
    main = threading.main_thread()
    assert sorted(seen, key=lambda one: one[0]) == [(str(n), main, "WARNING") for n in range(1, 5)]


def test_many_start_and_are_ended(client: rhythm.Client, queue: str) -> None:
    workflow = f"stubborn-{queue}"
    client.deploy(workflow, "try { await sleep('1d'); } finally { await sleep('1d'); }")
    items = [{"workflow": workflow, "inputs": {"n": n}, "task_id": f"{queue}-{n % 2}"} for n in range(3)]
    ids = client.start_many(items)
    assert [one.created for one in ids] == [True, True, False] and ids[0].id == ids[2].id
    assert client.terminate(ids[0].id, "at once")
    assert client.result(ids[0].id).state == "cancelled"
    assert not client.terminate(ids[0].id)
    assert client.cancel(ids[1].id, "soon", grace=timedelta(milliseconds=1))
    ended = client.wait(ids[1].id, timeout=30)
    assert ended.state == "cancelled" and ended.error is not None and ended.error["message"] == "soon"


def test_options_of_enqueue(client: rhythm.Client, queue: str) -> None:
    later = client.enqueue("nobody", queue=queue, delay=timedelta(hours=1))
    at = client.enqueue("nobody", queue=queue, run_at=datetime.now(timezone.utc) + timedelta(hours=1), priority=3)
    tuned = client.enqueue(
        "nobody", queue=queue, retry={"maxAttempts": 2, "initial": "10ms"}, timeout=60, start_timeout=30, trace={"a": 1}
    )
    states = [client.result(run).state for run in (later, at, tuned)]
    assert states == ["scheduled", "scheduled", "pending"]
    with pytest.raises(ValueError, match="time zone"):
        client.enqueue("nobody", run_at=datetime.now())
    with pytest.raises(ValueError, match="delay"):
        client.enqueue("nobody", delay=-1)
    with pytest.raises(rhythm.InputError) as caught:
        client.enqueue("nobody", retry={"maxAttempt": 2})
    assert "maxAttempt" in caught.value.message and caught.value.hint


def test_many_at_once(client: rhythm.Client, queue: str) -> None:
    items = [{"name": "nobody", "inputs": n, "queue": queue, "task_id": f"{queue}-{n % 2}"} for n in range(4)]
    made = client.enqueue_many(items)
    assert [one.created for one in made] == [True, True, False, False]
    assert made[0].id == made[2].id
    assert client.enqueue_many([{"name": "nobody", "queue": queue, "delay": timedelta(minutes=5)}])[0].created
    with pytest.raises(rhythm.InputError):
        client.enqueue_many([{"nam": "nobody"}])


def test_priority_and_timeouts_come_from_the_queue_unless_given(client: rhythm.Client, queue: str) -> None:
    client.configure_queue(queue, priority=5, attempt_timeout="90s", retention=timedelta(days=3), remember=3600)
    settings = client.show_queue(queue)
    assert settings["priority"] == rhythm.QueueSetting("5", False)
    assert settings["attempt_timeout"].value == "00:01:30"
    assert settings["retention"].value in ("3 days", "72:00:00")
    assert settings["remember"].value == "01:00:00"
    assert settings["rate_limit"] == rhythm.QueueSetting(None, True)
    client.configure_queue(queue, retry={"maxAttempts": 2, "delays": [timedelta(seconds=2)]}, reset=["priority"])
    assert client.show_queue(queue)["priority"].is_default
    assert '"delays": ["2s"' in str(client.show_queue(queue)["retry"].value)
    client.enqueue("nobody", queue=queue, attempt_timeout="1m", remember="forever", result="discard", task_id=queue)
    client.enqueue_many([{"name": "nobody", "queue": queue, "remember": 60, "retry": {"nonRetryable": [KeyError]}}])
    with pytest.raises(rhythm.InputError, match="rate_limit"):
        client.configure_queue(queue, rate_limit="fast")
    with pytest.raises(rhythm.InputError, match="concurrency_key"):
        client.configure_queue(queue, concurrency_per_key=2)


def test_pauses_are_told_and_why(client: rhythm.Client, queue: str) -> None:
    run = client.enqueue(f"task-{queue}", queue=queue)
    assert client.why(run).reason == "unknown_task"
    client.pause_queue(queue, "the relay is down")
    why = client.why_queue(queue)
    assert why.reason == "queue_paused" and why.since is not None and why.hint
    assert "the relay is down" in str(why.explanation)
    client.pause_task(f"task-{queue}", "wrong amounts")
    assert client.why(run).reason == "task_paused"
    mine = [(one.what, one.reason) for one in client.pauses() if one.name in (queue, f"task-{queue}")]
    assert sorted(mine) == [("queue", "the relay is down"), ("task", "wrong amounts")]
    client.resume_task(f"task-{queue}")
    client.resume_queue(queue)
    assert not [one for one in client.pauses() if one.name in (queue, f"task-{queue}")]
    assert client.adopt() is False


def test_signals_by_task_id_with_keys_and_start(client: rhythm.Client, queue: str) -> None:
    flow = "const got = []; while (got.length < 3) got.push(await Signal.next('n')); return got;"
    client.deploy(f"heard-{queue}", flow)
    run = (f"heard-{queue}", "k")
    with pytest.raises(rhythm.ControlError):
        client.signal(run, "n")
    first = client.signal_with_start(*run, "n", 1, inputs={"a": 1}, key="one", timeout="1h")
    again = client.signal_with_start(*run, "n", 1, key="one")
    assert (first.started, first.delivered, again) == (True, True, (first.id, False, False))
    assert client.signal(run, "n", 2, key="two")
    assert client.signal(first.id, "n", 2, key="two")
    assert client.signal(first.id, "n", 3)
    assert client.wait(first.id, timeout=20).value() == [1, 2, 3]
    assert not client.signal(run, "n")


def test_calls_are_answered_and_what_is_published_is_found(client: rhythm.Client, queue: str) -> None:
    flow = """
    Context.set("queue", Inputs.queue);
    for (;;) {
      const request = await Signal.request("double");
      if (request.payload === null) return;
      request.reply(request.payload * 2);
    }
    """
    client.deploy(f"doubles-{queue}", flow)
    run = client.start(f"doubles-{queue}", {"queue": queue}, task_id="k")
    assert client.call(run, "double", 21) == 42
    assert client.call((f"doubles-{queue}", "k"), "double", 4, timeout="10s") == 8
    assert client.attributes(run) == {"queue": queue}
    assert client.find(f"doubles-{queue}", {"queue": queue}) == [(run, "waiting", {"queue": queue})]
    assert client.find(f"doubles-{queue}", {"queue": queue}, state="completed") == []
    with pytest.raises(rhythm.ControlError, match="its time is up") as late:
        client.call(run, "other", timeout=0.2)
    assert late.value.code == "RH308"
    with pytest.raises(rhythm.ControlError) as ended:
        client.call(run, "double")
    assert ended.value.code == "RH307"


def test_rows_of_a_query_are_enqueued(client: rhythm.Client, queue: str) -> None:
    query = f"select 'nobody' as name, to_jsonb(n) as inputs, '{queue}' as queue from generate_series(1, 30) n"
    assert client.enqueue_rows(query) == 30
    with pytest.raises(rhythm.RhythmError):
        client.enqueue_rows("select 1 as nam")


def test_what_has_failed_is_retried_in_bulk(client: rhythm.Client, queue: str) -> None:
    made = client.enqueue_many([{"name": "nobody", "queue": queue, "start_timeout": 0} for _ in range(3)])
    assert {client.wait(one.id, timeout=20).state for one in made} == {"timed_out"}
    hour = datetime.now(timezone.utc) - timedelta(hours=1)
    assert client.retry_many(queue=queue, name="nobody", since=hour, dry_run=True) == 3
    assert client.retry_many(queue=queue, error="%no such words%") == 0
    assert client.retry_many(queue=queue, rate="1/hour", max=2) == 2
    left = [one.id for one in made if client.result(one.id).state == "timed_out"]
    assert client.attempts(left[0]) == []
    assert client.retry(left[0], delay="1h") == left[0]
    assert client.result(left[0]).state == "scheduled"
    with pytest.raises(ValueError, match="time zone"):
        client.retry_many(since=datetime.now())


def test_results_are_given_by_hand_and_runs_moved(client: rhythm.Client, queue: str, url: str) -> None:
    name = f"repair-{uuid.uuid4()}"
    source = f"const a = await Task.run('a', {{}}, {{queue: '{queue}'}});\nreturn ['old', a];\n"
    assert client.deploy(name, source) == 1
    run = client.start(name)
    with pytest.raises(rhythm.ControlError) as caught:
        client.move(run, 7)
    assert caught.value.code == "RH344"
    assert client.deploy(name, source.replace("'a', {}", "'b', {}")) == 2
    (refused,) = client.move_many(name, dry_run=True)
    assert (refused.id, refused.from_version, refused.outcome) == (run, 1, "refused")
    assert refused.old_place is not None and refused.old_place.startswith(f"{name}.flow:1:")
    assert client.deploy(name, source.replace("'old'", "'new'")) == 3
    assert client.move(run) == 3
    assert [(v.version, v.runs, v.is_current) for v in client.versions(name)] == [
        (3, 1, True),
        (2, 0, False),
        (1, 0, False),
    ]
    (task,) = client.executions(queue=queue)
    assert client.resolve(task.id, {"by": "hand"}) == run
    assert client.result(run).value() == ["new", {"by": "hand"}]
    assert client.retire(name, "over") and not client.retire(name)
    with pytest.raises(rhythm.RhythmError) as retired:
        client.start(name)
    assert retired.value.code == "RH345"
    assert client.unretire(name)
    assert client.undeploy(name, 2) == 1

    async def same() -> int:
        async with rhythm.AsyncClient(url) as later:
            assert len(await later.versions(name)) == 3
            return await later.undeploy(name)

    assert asyncio.run(same()) == 2


def test_runs_are_forked_from_states_that_are_kept(client: rhythm.Client, queue: str, url: str) -> None:
    name = f"fork-{uuid.uuid4()}"
    client.deploy(name, f"const a = await Task.run('a', {{}}, {{queue: '{queue}'}});\nreturn a;\n")
    run = client.start(name)
    # Without the setting.
    assert client.states(run) == []
    with pytest.raises(rhythm.ControlError) as caught:
        client.fork(run, 1)
    assert caught.value.code == "RH350"
    keeping = rhythm.Client(f"{url}{'&' if '?' in url else '?'}options=-c%20rhythm.kept_states%3D5")
    run = keeping.start(name)
    (state,) = client.states(run)
    assert (state.step, state.version, state.waits_for) == (1, 1, "task 'a'")
    assert state.place == f"{name}.flow:1:11" and state.bytes > 0
    fork = client.fork(run, 1, task_id="again")

    async def same() -> object:
        async with rhythm.AsyncClient(url) as later:
            assert len(await later.states(run, max=1)) == 1
            return await later.fork(run, 1, task_id="again", version=0)

    assert asyncio.run(same()) == fork
    for task in client.executions(queue=queue):
        client.resolve(task.id, str(task.parent_id))
    assert client.result(fork).value() == str(fork)
    keeping.close()


def test_both_clients_and_the_module_have_the_same_calls() -> None:
    def calls(of: object) -> set[str]:
        return {name for name in dir(of) if not name.startswith("_") and callable(getattr(of, name))}

    assert calls(rhythm.Client) == calls(rhythm.AsyncClient)
    assert calls(rhythm.Client) - {"check", "tick", "version", "close", "schedules"} <= set(rhythm.__all__)


def test_the_async_client_asks_why(url: str, queue: str) -> None:
    async def scenario() -> None:
        async with rhythm.AsyncClient(url) as client:
            await client.configure_queue(queue, concurrency=3)
            assert (await client.show_queue(queue))["concurrency"].value == "3"
            await client.pause_queue(queue)
            assert (await client.why_queue(queue)).reason == "queue_paused"
            assert await client.retry_many(queue=queue) == 0

    asyncio.run(scenario())


def test_an_unknown_execution_is_an_error_with_a_hint(client: rhythm.Client) -> None:
    with pytest.raises(rhythm.ControlError) as caught:
        client.result(uuid.uuid4())
    assert caught.value.hint and not caught.value.retryable
    with pytest.raises(ValueError, match="not the id"):
        client.result("seven")


def test_a_wait_ends_at_its_timeout(client: rhythm.Client, queue: str) -> None:
    run = client.enqueue("nobody", queue=queue)
    began = time.monotonic()
    outcome = client.wait(run, timeout=0.3)
    assert (outcome.state, outcome.done) == ("pending", False)
    assert 0.2 < time.monotonic() - began < 4.5
    with pytest.raises(rhythm.ExecutionFailed, match="pending"):
        outcome.value()


def test_a_failed_execution_has_no_value(client: rhythm.Client) -> None:
    name = f"flow-{uuid.uuid4()}"
    client.deploy(name, 'throw new TypeError("no such luck");')
    outcome = client.wait(client.start(name), timeout=10)
    assert outcome.state == "failed"
    with pytest.raises(rhythm.ExecutionFailed, match="TypeError: no such luck"):
        outcome.value()


def test_a_server_that_is_not_there(url: str) -> None:
    client = rhythm.Client("postgresql://postgres@127.0.0.1:9/none")
    with pytest.raises(rhythm.ConnectionFailed) as caught:
        client.version()
    assert caught.value.retryable
    with pytest.raises(rhythm.ConfigError):
        rhythm.Client("postgresql://127.0.0.1/none?sslmode=perhaps")


def test_deep_json_passes(client: rhythm.Client) -> None:
    name = f"flow-{uuid.uuid4()}"
    client.deploy(name, "return Inputs;")
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    assert client.wait(client.start(name, {"deep": deep}), timeout=10).value() == {"deep": deep}


def test_functions_of_the_module_use_the_environment(url: str, workflow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHYTHM_URL", url)
    monkeypatch.setattr("rhythm.default._default._made", None)
    run = rhythm.start(workflow, {"name": "Grace"})
    rhythm.signal(run, "answer", 42)
    assert rhythm.wait(run, 10).value() == {"got": 42, "from": "Grace"}


def test_the_async_client_waits_without_blocking(url: str, workflow: str) -> None:
    async def scenario() -> None:
        async with rhythm.AsyncClient(url) as client:
            run = await client.start(workflow, {"name": "Ada"})
            waiting = asyncio.ensure_future(client.wait(run, timeout=20))
            await asyncio.sleep(0.1)
            assert await client.signal(run, "answer", "yes")
            assert (await waiting).value() == {"got": "yes", "from": "Ada"}
            with pytest.raises(rhythm.ControlError):
                await client.cancel(uuid.uuid4())

    asyncio.run(scenario())


def test_a_cancelled_call_frees_its_connection(url: str, queue: str) -> None:
    async def scenario() -> None:
        async with rhythm.AsyncClient(url, connections=1) as client:
            run = await client.enqueue("nobody", queue=queue)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.wait(run), timeout=0.2)
            began = time.monotonic()
            assert (await client.result(run)).state == "pending"
            assert time.monotonic() - began < 4

    asyncio.run(scenario())


def test_every_moment_of_a_record_is_a_datetime() -> None:
    records = [kind for kind in vars(rhythm.records).values() if dataclasses.is_dataclass(kind)]
    moments = {
        field.name
        for kind in records
        for field in dataclasses.fields(kind)
        if str(field.type) in ("datetime", "datetime | None")
    }
    assert moments and moments <= rhythm.records._TIMES
