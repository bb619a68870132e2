"""What makes a function a task. Needs no server."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import rhythm
from rhythm.__main__ import duration
from rhythm.task import kept, tasks_of


def test_a_decorated_function_stays_a_function() -> None:
    @rhythm.task
    def double(inputs: dict[str, int]) -> int:
        return inputs["n"] * 2

    @rhythm.task(name="triple it", queue="numbers", retry={"maxAttempts": 2}, timeout=timedelta(minutes=1))
    def triple(inputs: dict[str, int]) -> int:
        return inputs["n"] * 3

    assert (double({"n": 2}), triple({"n": 2})) == (4, 6)
    plain, configured = tasks_of([double, triple])
    assert (plain.name, plain.queue, plain.retry, plain.timeout) == ("double", None, None, None)
    assert (configured.name, configured.queue) == ("triple it", "numbers")
    assert (configured.retry, configured.timeout) == ('{"maxAttempts": 2}', 60.0)


def test_options_take_durations_as_flow_writes_them_and_classes_of_exceptions() -> None:
    @rhythm.task(
        retry={"initial": timedelta(seconds=2), "nonRetryable": [KeyError]},
        non_retryable=[LookupError, "E42"],
        attempt_timeout="1m30s",
        start_timeout=5,
        result="discard",
    )
    def one(inputs: Any) -> None: ...

    (made,) = tasks_of([one])
    assert made.retry == '{"initial": 2.0, "nonRetryable": ["KeyError", "LookupError", "E42"]}'
    assert made.non_retryable == (KeyError, LookupError)
    assert (made.attempt_timeout, made.start_timeout, made.result) == (90.0, 5.0, "discard")
    with pytest.raises(ValueError, match="no duration"):
        rhythm.task(timeout="soon")(lambda: None)
    with pytest.raises(TypeError, match="no class of exceptions"):
        rhythm.task(non_retryable=[int])(lambda: None)  # type: ignore[list-item]


def test_arguments_are_counted() -> None:
    @rhythm.task
    def none() -> None: ...

    @rhythm.task
    def one(inputs: Any) -> None: ...

    @rhythm.task
    async def two(inputs: Any, ctx: rhythm.Context) -> None: ...

    @rhythm.task
    def defaulted(inputs: Any = None, ctx: Any = None, more: int = 1) -> None: ...

    @rhythm.task
    def starred(*args: Any) -> None: ...

    found = tasks_of([none, one, two, defaulted, starred])
    assert [task.arguments for task in found] == [0, 1, 2, 2, 2]
    assert [task.is_async for task in found] == [False, False, True, False, False]


def test_what_cannot_be_a_task_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="must take"):

        @rhythm.task
        def three(a: Any, b: Any, c: Any) -> None: ...

    with pytest.raises(TypeError, match="must take"):

        @rhythm.task
        def named(inputs: Any, *, customer: str) -> None: ...

    with pytest.raises(TypeError, match="generator"):

        @rhythm.task
        def yielding(inputs: Any) -> Any:
            yield 1


def test_tasks_are_found_in_modules_objects_and_lists() -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @rhythm.task
        def greet(self, inputs: dict[str, str]) -> str:
            return f"{inputs['who']} at {self.name}"

    (method,) = tasks_of(Shop("corner"))
    assert method.arguments == 1
    assert method.function({"who": "Ada"}) == "Ada at corner"

    @rhythm.task
    def other() -> None: ...

    assert [t.name for t in tasks_of(SimpleNamespace(x=1, other=other, again=other))] in ([], ["other"])
    assert [t.name for t in tasks_of({"a": other, "b": other})] == ["other"]


def test_two_tasks_of_one_name_are_refused() -> None:
    def make() -> Any:
        @rhythm.task
        def same() -> None: ...

        return same

    with pytest.raises(ValueError, match="two tasks with the name 'same'"):
        tasks_of([make(), make()])
    with pytest.raises(ValueError, match="has no tasks"):
        rhythm.Worker([])


def test_durations_of_the_command_line() -> None:
    assert [duration(text) for text in ("500ms", "3s", "1.5m", "1h", "7")] == [0.5, 3, 90, 3600, 7]


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(days=2), "2 days"),
        (timedelta(hours=25, microseconds=1), "1 day 1 hour 0.000001 seconds"),
        (90, "1 minute 30 seconds"),
        (1.5, "1.5 seconds"),
        (1, "1 second"),
        (0, "0"),
        (-90, "-1 minute -30 seconds"),
        (float("inf"), "inf seconds"),
        ("forever", "forever"),
        (None, None),
    ],
)
def test_times_of_retention_are_given_as_people_write_them(time: object, words: str | None) -> None:
    assert kept(time) == words  # type: ignore[arg-type]
