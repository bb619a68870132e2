"""The tasks of bench/queue."""

import time

import rhythm


@rhythm.task
def noop() -> None:
    """Does nothing."""


@rhythm.task
async def stamp(inputs: dict) -> float:
    """Returns how many milliseconds ago it was enqueued."""
    return (time.time() - inputs["at"]) * 1000
