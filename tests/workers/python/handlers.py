"""The handlers of the test worker, as in every language. Run with: python -m rhythm worker --url URL handlers"""

import json
import os
import time

import rhythm


def note(what: str, inputs: dict, ctx: rhythm.Context) -> None:
    """Appends to the journal in one write, which other processes cannot tear."""
    worker = os.environ["RHYTHM_TEST_WORKER"]
    line = {"at": time.monotonic(), "what": what, "key": inputs["key"], "attempt": ctx.attempt, "worker": worker}
    journal = os.open(os.environ["RHYTHM_TEST_JOURNAL"], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(journal, (json.dumps(line) + "\n").encode())
    finally:
        os.close(journal)


@rhythm.task
def echo(inputs):
    return inputs


@rhythm.task
def fail_n(inputs: dict, ctx: rhythm.Context) -> dict:
    if ctx.attempt <= inputs["n"]:
        raise ValueError(f"attempt {ctx.attempt} fails")
    return {"attempt": ctx.attempt}


@rhythm.task
def sleep(inputs: dict) -> None:
    time.sleep(inputs["ms"] / 1000)


@rhythm.task
def heartbeat(inputs: dict, ctx: rhythm.Context) -> dict:
    end = time.monotonic() + inputs["ms"] / 1000
    while time.monotonic() < end:
        if ctx.cancelled:
            return {"cancelled": True}
        time.sleep(0.02)
    return {"cancelled": False}


@rhythm.task
def count(inputs: dict, ctx: rhythm.Context) -> dict:
    begun = ctx.progress or 0
    for n in range(begun + 1, inputs["to"] + 1):
        ctx.progress = n
        if n == inputs.get("fails_at") and ctx.attempt == 1:
            raise ValueError(f"{n} is not to be")
    time.sleep(inputs.get("ms", 0) / 1000)
    return {"attempt": ctx.attempt, "begun": begun}


@rhythm.task
async def snooze(inputs: dict, ctx: rhythm.Context) -> dict:
    times = rhythm.progress() or 0
    if times < inputs["times"]:
        rhythm.progress(times + 1)
        raise rhythm.Snooze(inputs["ms"] / 1000)
    return {"attempt": ctx.attempt, "times": times}


@rhythm.task
def effect(inputs: dict, ctx: rhythm.Context) -> str:
    note("begin", inputs, ctx)
    time.sleep(inputs.get("ms", 0) / 1000)
    note("end", inputs, ctx)
    return inputs["key"]
