"""A database under RHYTHM_TEST_URL, and workers that run in threads. Each test has a queue of its own."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import rhythm


@pytest.fixture(scope="session")
def url() -> str:
    given = os.environ.get("RHYTHM_TEST_URL")
    if not given:
        pytest.skip("RHYTHM_TEST_URL names no database")
    return given


@pytest.fixture
def client(url: str) -> Iterator[rhythm.Client]:
    with rhythm.Client(url) as made:
        yield made


@pytest.fixture
def queue() -> str:
    return f"q-{uuid.uuid4()}"


@pytest.fixture
def work(url: str, queue: str) -> Iterator[Callable[..., rhythm.Worker]]:
    """Starts workers for functions, on the test's queue; stops them at the end."""
    running: list[tuple[rhythm.Worker, threading.Thread]] = []

    def start(*tasks: Any, **options: Any) -> rhythm.Worker:
        options = {"lease": 30.0, "grace": 5.0, "queues": [queue], "name": f"w-{uuid.uuid4()}", **options}
        worker = rhythm.Worker(tasks, url=url, **options)
        thread = threading.Thread(target=worker.run)
        thread.start()
        running.append((worker, thread))
        return worker

    yield start
    for worker, _ in running:
        worker.drain()
    for _, thread in running:
        thread.join(timeout=20)
        assert not thread.is_alive(), "a worker does not leave"
