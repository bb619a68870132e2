"""A call on its way, for both clients: one blocks for its answer, the other awaits it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from rhythm import _native

log = logging.getLogger("rhythm")

T = TypeVar("T")


class Pending(Generic[T]):
    """A call that has not been started: `wait` blocks for its answer, `await` does not."""

    def __init__(self, call: _native.Call, decode: Callable[[Any], T]) -> None:
        self._call = call
        self._decode = decode

    def wait(self) -> T:
        """Blocks for the answer."""
        return self._decode(wait(self._call))

    def __await__(self) -> Generator[Any, None, T]:
        return self._decode((yield from answer(self._call).__await__()))


def wait(call: _native.Call) -> Any:
    """Blocks for the answer."""
    try:
        return call.wait()
    finally:
        _note(call)


def _note(call: _native.Call) -> None:
    """Logs what the server has said beside its answer, where the call was made: in its thread, or in its task."""
    for is_warning, text in call.notices():
        log.log(logging.WARNING if is_warning else logging.INFO, "%s", text)


async def answer(call: _native.Call) -> Any:
    """Waits for the answer without blocking."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)

    def told(answer: Any, error: BaseException | None) -> None:
        # A loop that was closed meanwhile has nobody who waits.
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, answer, error)

    started = call.then(told)
    try:
        return await future
    except asyncio.CancelledError:
        started.abort()
        raise
    finally:
        _note(call)
