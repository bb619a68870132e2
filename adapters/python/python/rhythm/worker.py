"""A worker: claims tasks and runs their functions, synchronous ones in threads, `async` ones in an event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Any

from rhythm import _native
from rhythm.outcome import call, encode, fail
from rhythm.running import running
from rhythm.task import tasks_of

log = logging.getLogger("rhythm.worker")


class Worker:
    """Runs the tasks of a module, of an object, or of a list of decorated functions.

    url: the database; otherwise RHYTHM_URL, or PGHOST and its like.
    name: how it appears in `rhythm.workers`; otherwise made from host and process.
    queues: where to claim, in this order; otherwise the queues of its tasks.
    slots: how many tasks run at once.
    lease: for how many seconds a claim holds without a heartbeat. A task whose worker dies is taken over after that.
    grace: how many seconds running tasks may take when the worker is asked to leave.
    relaxed_claims: start handlers before their claim is on the server's disk: they start sooner, but a crash of the
        server may forget the claim and give the task out once more, as if the first time had not been.
    """

    def __init__(
        self,
        tasks: Any,
        *,
        url: str | None = None,
        name: str | None = None,
        queues: Iterable[str] = (),
        slots: int = 10,
        lease: float = 60.0,
        grace: float = 30.0,
        relaxed_claims: bool = False,
    ) -> None:
        self.tasks = {task.name: task for task in tasks_of(tasks)}
        if not self.tasks:
            raise ValueError(f"{tasks!r} has no tasks: decorate functions with @rhythm.task")
        self.name = name or f"{socket.gethostname()}-{os.getpid()}"
        self._threads = _Threads(slots)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._async: dict[int, asyncio.Task[None]] = {}
        self._native = _native.Worker(
            url or os.environ.get("RHYTHM_URL") or None,
            self.name,
            list(queues),
            slots,
            lease,
            grace,
            relaxed_claims,
            list(self.tasks.values()),
            _Crew(self),
        )

    def run(self) -> None:
        """Serves until it is told to leave: by SIGTERM or SIGINT when called in the main thread, by `drain` otherwise.

        A second signal makes it give back at once what still runs.
        """
        if any(task.is_async for task in self.tasks.values()):
            self._start_loop()
        done = threading.Event()
        failure: list[BaseException] = []

        def serve() -> None:
            try:
                self._native.run()
            except BaseException as error:
                failure.append(error)
            finally:
                done.set()

        with _Signals(self):
            threading.Thread(target=serve, name="rhythm-worker", daemon=True).start()
            # Not join: this wait lets Python run its signal handlers.
            done.wait()
        self._threads.close()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop_loop)
        if failure:
            raise failure[0]

    def drain(self) -> None:
        """Claims nothing more, lets what runs end, and leaves. May be called from any thread."""
        self._native.drain()

    def quit(self) -> None:
        """Gives back what runs and leaves. May be called from any thread."""
        self._native.quit()

    def _start_loop(self) -> None:
        loop = self._loop = asyncio.new_event_loop()

        def serve() -> None:
            loop.run_forever()
            loop.close()

        threading.Thread(target=serve, name="rhythm-asyncio", daemon=True).start()

    def _stop_loop(self) -> None:
        for task in self._async.values():
            task.cancel()
        # After the tasks have seen it.
        asyncio.get_running_loop().call_later(0.05, asyncio.get_running_loop().stop)

    def _start(self, attempts: list[_native.Attempt]) -> None:
        coming = []
        for attempt in attempts:
            if self.tasks[attempt.name].is_async:
                coming.append(attempt)
            else:
                self._threads.submit(partial(self._run, attempt))
        if coming and self._loop is not None:
            self._loop.call_soon_threadsafe(self._start_async, coming)

    def _start_async(self, attempts: list[_native.Attempt]) -> None:
        for attempt in attempts:
            task = asyncio.ensure_future(self._run_async(attempt))
            self._async[attempt.number] = task
            task.add_done_callback(partial(self._ended_async, attempt.number))

    def _ended_async(self, number: int, _: asyncio.Task[None]) -> None:
        self._async.pop(number, None)

    def _cancel(self, number: int) -> None:
        # A synchronous task looks at its context by itself.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel_async, number)

    def _cancel_async(self, number: int) -> None:
        task = self._async.get(number)
        if task is not None:
            task.cancel()

    def _run(self, attempt: _native.Attempt) -> None:
        task = self.tasks[attempt.name]
        try:
            with running(attempt):
                result = call(task, attempt)
            attempt.complete(encode(task, result))
        except BaseException as error:
            fail(task, attempt, error)

    async def _run_async(self, attempt: _native.Attempt) -> None:
        task = self.tasks[attempt.name]
        try:
            with running(attempt):
                result = await call(task, attempt)
            attempt.complete(encode(task, result))
        except BaseException as error:
            fail(task, attempt, error)


class _Crew:
    """What the compiled half talks to, from a thread of its own."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def start(self, attempts: list[_native.Attempt]) -> None:
        self._worker._start(attempts)

    def cancel(self, number: int) -> None:
        self._worker._cancel(number)

    def note(self, important: bool, text: str) -> None:
        log.log(logging.WARNING if important else logging.INFO, "%s: %s", self._worker.name, text)


class _Threads:
    """Threads for synchronous tasks, started as needed. Daemons: a task that never ends must not keep the process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._started = 0
        self._idle = threading.Semaphore(0)
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def submit(self, work: Callable[[], None]) -> None:
        """Called by one thread only."""
        if not self._idle.acquire(blocking=False) and self._started < self._most:
            self._started += 1
            threading.Thread(target=self._run, name=f"rhythm-task-{self._started}", daemon=True).start()
        self._work.put(work)

    def close(self) -> None:
        """Lets the threads end when they are done."""
        for _ in range(self._started):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            self._idle.release()


class _Signals:
    """SIGTERM and SIGINT let a worker drain, a second one lets it quit. Only the main thread may handle signals."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._asked:
            self._worker.quit()
        else:
            self._worker.drain()
        self._asked = True
