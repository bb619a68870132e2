"""`rhythm.testing`: workflows against Python handlers. Needs no database."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import rhythm
from rhythm import testing

ROOT = pathlib.Path(__file__).resolve().parents[3]
ORDER = ROOT / "examples" / "orders" / "order.flow"
INPUTS = {"order": "A-1", "sku": "book", "qty": 2, "amount": 30}
APPROVED = {"name": "approved", "payload": {"by": "Ada"}, "at": "3h"}


@pytest.fixture(scope="session")
def app() -> Any:
    spec = importlib.util.spec_from_file_location("orders_app", ORDER.parent / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Write = Callable[[str], pathlib.Path]


@pytest.fixture
def flow(tmp_path: pathlib.Path) -> Write:
    """Writes a workflow."""

    def write(text: str) -> pathlib.Path:
        path = tmp_path / "made.flow"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("durable", [True, False])
def test_an_order_runs_against_the_tasks_of_its_worker(app: Any, durable: bool) -> None:
    run = testing.run(ORDER, INPUTS, handlers=app, signals=[APPROVED], durable=durable)
    assert run.value() == {"state": "shipped", "parcel": "parcel-A-1", "approvedBy": "Ada", "attempts": 3}
    assert run.order == ["reserve_stock", "charge", "ship"]
    assert run.calls_of("charge")[0].attempts == 3
    assert run.attributes == {"state": "approved"}
    # The pauses of charge run while nobody has approved yet.
    assert run.duration == 3 * 3600
    assert (run.loads > 0) == durable


def test_an_order_that_cannot_be_shipped_is_undone(app: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = testing.run(ORDER, {**INPUTS, "sku": "piano"}, handlers=app, signals=[APPROVED])
    assert run.result["reason"] == "a piano does not fit into the van"
    assert run.calls_of("ship")[0].attempts == 1
    assert [line["level"] for line in run.log] == ["warn"]
    assert capsys.readouterr().out.splitlines() == ["refunded 30 for A-1", "released 2 x piano"]


def test_one_task_is_replaced(app: Any) -> None:
    refused = rhythm.NonRetryable("card refused", code="E7", data={"left": 2})
    run = testing.run(ORDER, INPUTS, handlers=app, replace={"charge": refused})
    assert run.state == "failed"
    assert run.error is not None
    assert (run.error["name"], run.error["code"], run.error["data"]) == ("TaskError", "E7", {"left": 2})
    assert "order.flow:8:" in run.error["stack"]
    with pytest.raises(rhythm.ExecutionFailed, match="card refused"):
        run.value()


def test_async_handlers_run_together(flow: Write) -> None:
    path = flow("return await Promise.all([1, 2, 3].map((n) => Task.run('wait', { n })))")
    running, most = 0, 0

    async def wait(inputs: Any) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return inputs["n"] * 10  # type: ignore[no-any-return]

    assert testing.run(path, handlers={"wait": wait}).result == [10, 20, 30]
    assert most == 3

    async def test() -> testing.Run:
        return await testing.run_async(path, handlers={"wait": wait})

    assert asyncio.run(test()).result == [10, 20, 30]


def test_decorated_tasks_bring_their_retries_and_see_their_attempt(flow: Write) -> None:
    path = flow("return await Task.run('charge', { amount: 5 }, { timeout: '1h' })")
    seen = []

    @rhythm.task(name="charge", retry={"maxAttempts": 3, "initial": "10s", "backoff": 3})
    def pay(inputs: Any, ctx: rhythm.Context) -> str:
        seen.append((inputs["amount"], ctx.attempt, ctx.name, ctx.cancelled))
        if ctx.attempt < 3:
            raise ConnectionError("no answer")
        return "paid"

    run = testing.run(path, handlers=[pay])
    assert run.result == "paid"
    assert seen == [(5, 1, "charge", False), (5, 2, "charge", False), (5, 3, "charge", False)]
    assert run.duration == 10 + 30


def test_a_task_may_say_when_to_try_again(flow: Write) -> None:
    path = flow("return await Task.run('charge')")
    errors = iter([rhythm.Retry("busy", in_=60)])

    def charge() -> str:
        for error in errors:
            raise error
        return "paid"

    run = testing.run(path, handlers={"charge": charge})
    assert (run.result, run.duration) == ("paid", 60)


def test_a_task_may_snooze_and_go_on_from_its_progress(flow: Write) -> None:
    path = flow("return await Task.run('audit', {}, { retry: { maxAttempts: 1 } })")

    def audit(inputs: Any, ctx: rhythm.Context) -> list[int]:
        pages = (ctx.progress or 0) + 1
        rhythm.progress(pages)
        if pages < 3:
            raise rhythm.Snooze("10m")
        return [pages, ctx.attempt]

    run = testing.run(path, handlers={"audit": audit})
    assert (run.result, run.duration) == ([3, 1], 1200)
    assert run.calls[0].attempts == 1


def test_time_passes_for_late_answers_and_not_for_those_that_never_come(flow: Write) -> None:
    path = flow(
        "const slow = await Task.run('slow')\n"
        "const lost = await Task.try('lost', {}, { timeout: '2d' })\n"
        "return [slow, lost.error.cause.name]"
    )
    handlers = {"slow": testing.later("1d12h", 5), "lost": lambda: testing.NEVER}
    run = testing.run(path, handlers=handlers)
    assert run.result == [5, "TimeoutError"]
    assert run.duration == 3.5 * 86400
    waiting = testing.run(path, handlers={"slow": testing.NEVER})
    assert (waiting.state, waiting.calls[0].state) == ("waiting", "running")


def test_sql_is_played(flow: Write) -> None:
    path = flow(
        "const [{ n }] = await Sql.query('select n from orders where id = $1', [7])\n"
        "try { await Sql.query('delete from orders') } catch (error) { return [n, error.code] }"
    )

    def sql(text: str, params: list[Any]) -> Any:
        if text.startswith("delete"):
            raise testing.SqlError("not allowed", "42501")
        return [{"n": params[0]}]

    assert testing.run(path, sql=sql).result == [7, "42501"]
    run = testing.run(path, sql=[[{"n": 1}], testing.SqlError("no", "23503")])
    assert run.result == [1, "23503"]
    assert [query["params"] for query in run.queries] == [[7], []]
    with pytest.raises(LookupError, match="select n from orders"):
        testing.run(path)


def test_a_run_is_cancelled_or_looked_at(flow: Write) -> None:
    path = flow("try { while (true) await sleep('1h') } finally { await Task.run('clean') }")
    run = testing.run(path, handlers={"clean": None}, cancel={"at": "90m", "reason": "enough"})
    assert (run.state, run.order, run.duration) == ("cancelled", ["clean"], 5400)
    assert run.error is not None and run.error["message"] == "enough"
    assert testing.run(path, until="3d").state == "waiting"


def test_a_handler_fails_for_a_while(flow: Write) -> None:
    path = flow("return await Task.run('charge', { amount: 5 })")
    charge = testing.failing("down", times=2, then=lambda inputs: inputs["amount"])
    assert testing.run(path, handlers={"charge": charge}).result == 5
    run = testing.run(path, handlers={"charge": testing.failing(ValueError("no"))})
    assert run.error is not None and run.error["cause"]["name"] == "ValueError"
    assert run.calls[0].attempts == 5


def test_what_is_wrong_with_a_test_is_said(flow: Write) -> None:
    path = flow("return await Task.run('charge')")
    with pytest.raises(LookupError, match="'charge', and no handler plays it; there are ship"):
        testing.run(path, handlers={"ship": None})
    with pytest.raises(TypeError, match="name, payload, at"):
        testing.run(path, signals=[{"named": "approved"}])
    with pytest.raises(ValueError, match="no duration"):
        testing.run(path, until="soon")
    with pytest.raises(ValueError, match="order"):
        testing.run(ORDER, {"order": 5})
    with pytest.raises(ValueError, match=r"made.flow:1:8: error\[E0101\]"):
        testing.run(flow("return nowhere"))
    with pytest.raises(ValueError, match="has no tasks"):
        testing.run(path, handlers=pathlib)
    with pytest.raises(FileNotFoundError):
        testing.run("nowhere.flow")

    def charge() -> None:
        assert 1 == 2, "the test's own"

    with pytest.raises(AssertionError, match="the test's own"):
        testing.run(flow("return await Task.run('charge')"), handlers={"charge": charge})


def test_a_result_that_is_not_json_fails_the_task(flow: Write) -> None:
    run = testing.run(flow("return await Task.run('charge')"), handlers={"charge": lambda: object()})
    assert run.error is not None and run.error["cause"]["name"] == "TypeError"
    assert run.calls[0].attempts == 1


def test_a_child_workflow_is_played_by_the_handler_of_its_name(flow: Write) -> None:
    path = flow("return (await Workflow.run('ship', {n: 2})) + (await Task.run('ship', {n: 1}))")
    run = testing.run(path, handlers={"ship": lambda inputs: inputs["n"] * 10})
    assert run.result == 30
    assert [call.kind for call in run.calls] == ["workflow", "task"]
    failed = testing.run(path, handlers={"ship": testing.failing("no")})
    assert (failed.calls[0].attempts, failed.state) == (1, "failed")


def test_random_numbers_are_the_same_in_each_run(flow: Write) -> None:
    path = flow("await sleep(1)\nreturn [Math.random(), crypto.randomUUID(), Date.now()]")
    first = testing.run(path).result
    assert testing.run(path, durable=False).result == first
    assert testing.run(path, seed=5).result != first


#: What pytest-asyncio does for tests that are async.
ASYNC_TESTS = """
import asyncio, inspect

def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        wanted = pyfuncitem._fixtureinfo.argnames
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
        return True
"""


def test_the_tests_of_the_guide_pass(tmp_path: pathlib.Path) -> None:
    page = (ROOT / "docs" / "flow" / "testing.md").read_text()
    found = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found
    (tmp_path / "conftest.py").write_text(ASYNC_TESTS)
    for number, block in enumerate(found):
        (tmp_path / f"test_{number}.py").write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=ORDER.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ORDER.parent), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
