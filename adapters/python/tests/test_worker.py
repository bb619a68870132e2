"""Workers in threads of the test, against a real server."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import rhythm

Work = Callable[..., rhythm.Worker]
QUICK = {"maxAttempts": 3, "initial": "10ms", "jitter": 0}


# The heartbeats of the tests that use it come every 30 s.
SHORT_OF_A_HEARTBEAT = 15.0


@rhythm.task
def ready(inputs: Any) -> None:
    """Shows that its worker has registered, which it does before it claims."""


def outcome(client: rhythm.Client, queue: str, name: str, inputs: Any = None, **options: Any) -> rhythm.Outcome:
    run = client.enqueue(name, inputs, queue=queue, **{"retry": QUICK, **options})
    return client.wait(run, timeout=20)


def test_sync_and_async_tasks_return_json(client: rhythm.Client, queue: str, work: Work) -> None:
    @rhythm.task
    def double(inputs: dict[str, int]) -> dict[str, int]:
        return {"n": inputs["n"] * 2}

    @rhythm.task
    async def triple(inputs: dict[str, int]) -> int:
        await asyncio.sleep(0.01)
        return inputs["n"] * 3

    @rhythm.task
    def nothing() -> None: ...

    work(double, triple, nothing)
    assert outcome(client, queue, "double", {"n": 21}).value() == {"n": 42}
    assert outcome(client, queue, "triple", {"n": 2}).value() == 6
    assert outcome(client, queue, "nothing").value() is None


def test_a_context_tells_which_attempt_it_is(client: rhythm.Client, queue: str, work: Work) -> None:
    @rhythm.task
    def third_time(inputs: Any, ctx: rhythm.Context) -> list[Any]:
        if ctx.attempt < 3:
            raise ConnectionError("not yet")
        return [ctx.id, ctx.name, ctx.queue, ctx.attempt, ctx.trace, ctx.cancelled]

    work(third_time)
    run = client.enqueue("third_time", queue=queue, retry=QUICK, trace={"traceparent": "00"})
    value = client.wait(run, timeout=20).value()
    assert value == [str(run), "third_time", queue, 3, {"traceparent": "00"}, False]


def test_an_exception_is_the_error_with_its_traceback(client: rhythm.Client, queue: str, work: Work) -> None:
    @rhythm.task
    def broken(inputs: dict[str, int]) -> float:
        try:
            return inputs["n"] / 0
        except ZeroDivisionError as error:
            raise ValueError("cannot divide\ud800 it") from error

    work(broken)
    failed = outcome(client, queue, "broken", {"n": 1}, retry={"maxAttempts": 1})
    assert failed.state == "failed" and failed.error is not None
    assert failed.error["name"] == "ValueError"
    assert failed.error["message"] == "cannot divide? it"
    assert failed.error["cause"] == {"name": "ZeroDivisionError", "message": "division by zero"}
    assert 'raise ValueError("cannot divide' in failed.error["stack"]
    assert "rhythm/worker.py" not in failed.error["stack"]


def test_a_task_says_that_no_retry_would_help(client: rhythm.Client, queue: str, work: Work) -> None:
    class CardDeclined(rhythm.NonRetryable):
        pass

    attempts = []

    @rhythm.task
    def charge(inputs: Any) -> None:
        attempts.append(1)
        raise CardDeclined("no money", code="51", data={"limit": 0})

    work(charge)
    failed = outcome(client, queue, "charge")
    assert len(attempts) == 1 and failed.error is not None
    wanted = {"name": "CardDeclined", "message": "no money", "code": "51", "data": {"limit": 0}}
    assert {key: failed.error[key] for key in wanted} == wanted


def test_a_task_says_when_to_retry(client: rhythm.Client, queue: str, work: Work) -> None:
    @rhythm.task
    def later(inputs: Any, ctx: rhythm.Context) -> int:
        if ctx.attempt == 1:
            raise rhythm.Retry("busy", in_=0.01)
        return ctx.attempt

    work(later)
    assert outcome(client, queue, "later", retry={"initial": "1h"}).value() == 2


def test_results_that_are_no_json_fail_their_task_alone(client: rhythm.Client, queue: str, work: Work) -> None:
    bad: dict[str, Any] = {"object": object(), "nan": float("nan"), "half": "\ud800", "nul": "a\0b"}

    @rhythm.task
    def returns(inputs: dict[str, str]) -> Any:
        return bad.get(inputs["what"], inputs["what"])

    work(returns)
    items = [{"name": "returns", "inputs": {"what": what}, "queue": queue} for what in (*bad, *map(str, range(20)))]
    outcomes = [client.wait(one.id, timeout=20) for one in client.enqueue_many(items)]
    assert [o.state for o in outcomes] == ["failed"] * 4 + ["completed"] * 20
    assert [o.error["name"] for o in outcomes[:4] if o.error] == ["TypeError"] * 3 + ["ResultError"]


def test_slots_bound_what_runs_at_once(client: rhythm.Client, queue: str, work: Work) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    @rhythm.task
    def counted(inputs: Any) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.3)
        with lock:
            now[0] -= 1

    work(counted, slots=3)
    made = client.enqueue_many([{"name": "counted", "queue": queue} for _ in range(30)])
    assert {client.wait(one.id, timeout=20).state for one in made} == {"completed"}
    assert most[0] == 3


def test_a_long_task_keeps_its_lease(client: rhythm.Client, queue: str, work: Work) -> None:
    @rhythm.task
    def long(inputs: Any, ctx: rhythm.Context) -> int:
        time.sleep(9)
        return ctx.attempt

    work(long, lease=4.0)
    assert outcome(client, queue, "long").value() == 1


def test_a_cancel_reaches_an_async_task(client: rhythm.Client, queue: str, work: Work) -> None:
    started, ended = threading.Event(), threading.Event()

    @rhythm.task
    async def sleeper(inputs: Any) -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    work(sleeper, lease=0.6)
    run = client.enqueue("sleeper", queue=queue)
    assert started.wait(10)
    assert client.cancel(run, "enough")
    assert ended.wait(10)
    assert client.wait(run, timeout=10).state == "cancelled"


def test_a_cancel_reaches_a_waiting_worker_long_before_its_heartbeat(
    client: rhythm.Client, queue: str, work: Work
) -> None:
    started, cancelled, gone_on = threading.Event(), threading.Event(), threading.Event()

    @rhythm.task
    async def sleeper(inputs: Any) -> str:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            if inputs == "stubborn":
                await asyncio.sleep(6)
                gone_on.set()
                return "done all the same"
            raise
        return "slept"

    # A heartbeat every 30 s.
    work(sleeper, lease=90.0)
    run = client.enqueue("sleeper", queue=queue)
    assert started.wait(10)
    began = time.monotonic()
    assert client.cancel(run, "enough")
    assert client.wait(run, timeout=20).state == "cancelled"
    took = time.monotonic() - began
    assert took < SHORT_OF_A_HEARTBEAT, took
    print(f"cancelled after {took * 1000:.0f} ms")

    started.clear()
    cancelled.clear()
    stubborn = client.enqueue("sleeper", "stubborn", queue=queue)
    assert started.wait(10)
    assert client.cancel(stubborn)
    assert cancelled.wait(SHORT_OF_A_HEARTBEAT)
    assert client.cancel(stubborn, "really")
    assert gone_on.wait(30)
    assert client.wait(stubborn, timeout=30).value() == "done all the same"


def test_progress_passes_to_the_next_attempt(client: rhythm.Client, queue: str, work: Work) -> None:
    seen: list[Any] = []

    @rhythm.task
    def pages(inputs: int, ctx: rhythm.Context) -> Any:
        seen.append(ctx.progress)
        for page in range(ctx.progress or 0, inputs):
            ctx.progress = page + 1
            if page == 2 and ctx.attempt == 1:
                raise OSError("disk full")
        return rhythm.progress()

    @rhythm.task
    async def notes(inputs: Any) -> Any:
        before = rhythm.progress()
        if before is None:
            rhythm.progress({"seen": ["ü", 1]}, at_once=True)
            raise rhythm.Snooze("50ms")
        return before

    @rhythm.task
    def wrong(inputs: int) -> None:
        rhythm.progress([object(), "a\0b", "\ud800", float("nan")][inputs])

    work(pages, notes, wrong)
    assert outcome(client, queue, "pages", 5).value() == 5
    assert seen == [None, 3]
    assert outcome(client, queue, "notes", retry={"maxAttempts": 1}).value() == {"seen": ["ü", 1]}
    for which in range(4):
        failed = outcome(client, queue, "wrong", which, retry={"maxAttempts": 1})
        assert failed.error is not None and failed.error["name"] in ("TypeError", "ValueError", "UnicodeEncodeError")
    with pytest.raises(RuntimeError, match="as a task"):
        rhythm.progress(1)


def test_a_snooze_costs_no_attempt(client: rhythm.Client, queue: str, work: Work) -> None:
    times = []

    @rhythm.task
    def later(inputs: Any, ctx: rhythm.Context) -> int:
        times.append(time.monotonic())
        if len(times) < 4:
            raise rhythm.Snooze(0.1)
        return ctx.attempt

    @rhythm.task
    def returns(inputs: Any) -> Any:
        return rhythm.Snooze(1)

    @rhythm.task
    def nonsense(inputs: Any) -> Any:
        raise rhythm.Snooze("soon")

    work(later, returns, nonsense)
    run = client.enqueue("later", queue=queue, retry={"maxAttempts": 1})
    assert client.wait(run, timeout=20).value() == 1
    assert all(after - before >= 0.1 for before, after in zip(times, times[1:]))
    assert client.attempts(run) == []
    error = outcome(client, queue, "returns").error
    assert error is not None and "is to be raised" in error["message"]
    error = outcome(client, queue, "nonsense", retry={"maxAttempts": 1}).error
    assert error is not None and "soon" in error["message"]


def test_errors_that_are_not_retried(client: rhythm.Client, queue: str, work: Work) -> None:
    class Declined(LookupError):
        pass

    @rhythm.task(non_retryable=[LookupError, "E42"])
    def charge(inputs: str) -> None:
        if inputs == "code":
            error = OSError("by its code")
            error.code = "E42"  # type: ignore[attr-defined]
            raise error
        raise Declined("a subclass") if inputs == "class" else OSError("another")

    work(charge, ready)
    assert outcome(client, queue, "ready").state == "completed"
    runs = {what: client.enqueue("charge", what, queue=queue, retry=QUICK) for what in ("class", "code", "other")}
    assert {client.wait(run, timeout=20).state for run in runs.values()} == {"failed"}
    counts = {what: len(client.attempts(run)) for what, run in runs.items()}
    assert counts == {"class": 1, "code": 1, "other": 3}
    last = client.attempts(runs["other"])[-1]
    assert last.error is not None and last.error["message"] == "another" and last.failed_at.tzinfo is not None


def test_an_attempt_that_takes_too_long_is_tried_again(client: rhythm.Client, queue: str, work: Work) -> None:
    name = f"slow-{uuid.uuid4()}"

    @rhythm.task(name=name, attempt_timeout="4s", retry={"maxAttempts": 2, "delays": ["10ms"]}, result="discard")
    async def slow(inputs: Any, ctx: rhythm.Context) -> int:
        await asyncio.sleep(60 if ctx.attempt == 1 else 0)
        return ctx.attempt

    work(slow, ready)
    assert outcome(client, queue, "ready").state == "completed"
    run = client.enqueue(name, queue=queue)
    done = client.wait(run, timeout=30)
    assert (done.state, done.result) == ("completed", None)
    assert len(client.attempts(run)) == 1


def test_a_cancel_reaches_a_sync_task_that_looks(client: rhythm.Client, queue: str, work: Work) -> None:
    started = threading.Event()

    @rhythm.task
    def looper(inputs: Any, ctx: rhythm.Context) -> None:
        started.set()
        while True:
            ctx.raise_if_cancelled()
            time.sleep(0.01)

    work(looper, lease=0.6)
    run = client.enqueue("looper", queue=queue)
    assert started.wait(10)
    assert client.cancel(run)
    assert client.wait(run, timeout=10).state == "cancelled"


@pytest.mark.parametrize("lease", [30.0, 4.0])
def test_a_heartbeat_timeout_needs_the_tasks_own_heartbeats(
    client: rhythm.Client, queue: str, work: Work, lease: float
) -> None:
    name = f"silent-{uuid.uuid4()}"

    @rhythm.task(name=name, heartbeat_timeout=4, retry={"maxAttempts": 1})
    def silent(inputs: dict[str, bool], ctx: rhythm.Context) -> str:
        for _ in range(30):
            time.sleep(0.3)
            if inputs["beats"]:
                ctx.heartbeat()
        return "done"

    work(silent, ready, lease=lease)
    assert outcome(client, queue, "ready").state == "completed"
    beating = client.enqueue(name, {"beats": True}, queue=queue)
    hanging = client.enqueue(name, {"beats": False}, queue=queue)
    assert client.wait(beating, timeout=30).state == "completed"
    assert client.wait(hanging, timeout=30).state in ("failed", "timed_out")


def test_a_drain_lets_running_tasks_end(client: rhythm.Client, queue: str, work: Work) -> None:
    started = threading.Event()

    @rhythm.task
    def slow(inputs: Any) -> str:
        started.set()
        time.sleep(0.5)
        return "ended"

    worker = work(slow)
    run = client.enqueue("slow", queue=queue)
    assert started.wait(10)
    worker.drain()
    left = client.enqueue("slow", queue=queue)
    assert client.wait(run, timeout=10).value() == "ended"
    assert client.result(left).state == "pending"


def test_what_is_given_back_does_not_count_as_an_attempt(client: rhythm.Client, queue: str, work: Work) -> None:
    started = threading.Event()

    @rhythm.task
    def stubborn(inputs: Any, ctx: rhythm.Context) -> int:
        if not started.is_set():
            started.set()
            time.sleep(3)
        return ctx.attempt

    worker = work(stubborn)
    run = client.enqueue("stubborn", queue=queue, retry={"maxAttempts": 1})
    assert started.wait(10)
    worker.quit()
    work(stubborn)
    assert client.wait(run, timeout=10).value() == 1


def test_a_workflow_runs_tasks_in_python(client: rhythm.Client, queue: str, work: Work) -> None:
    square, root = f"square-{uuid.uuid4()}", f"root-{uuid.uuid4()}"

    @rhythm.task(name=square, queue=queue)
    def squares(inputs: int) -> int:
        return inputs**2

    @rhythm.task(name=root, queue=queue)
    async def refuses(inputs: Any) -> None:
        raise rhythm.NonRetryable("never")

    work(squares, refuses)
    flow = f"flow-{uuid.uuid4()}"
    client.deploy(
        flow,
        f"""
        const found = await Promise.all([1, 2, 3].map(n => Task.run("{square}", n, {{queue: "{queue}"}})));
        const refused = await Task.try("{root}", {{}}, {{queue: "{queue}"}});
        return {{ found, refused: refused.error.message }};
        """,
    )
    value = client.wait(client.start(flow), timeout=20).value()
    assert value["found"] == [1, 4, 9]
    assert "never" in value["refused"]
