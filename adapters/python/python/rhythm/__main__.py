"""`python -m rhythm worker`: runs the tasks of a module."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import re
import sys
from typing import Any

from rhythm import RhythmError, Worker

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def duration(text: str) -> float:
    """Reads `500ms`, `30s`, `5m`, `1h`, or seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: give one such as 500ms, 30s or 5m")
    return float(match[1]) * _UNITS[match[2]]


def load(target: str) -> Any:
    """Imports `module` or `module:object`, looking in the current folder first."""
    sys.path.insert(0, os.getcwd())
    module_name, _, path = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that the user's module lacks is the user's bug, and shall show where.
        if error.name is None or not (module_name == error.name or module_name.startswith(error.name + ".")):
            raise
        raise SystemExit(f"error: there is no module {module_name!r} here or on the path") from None
    for name in path.split(".") if path else ():
        try:
            found = getattr(found, name)
        except AttributeError:
            raise SystemExit(f"error: module {module_name!r} has no {path!r}") from None
    return found


def parser() -> argparse.ArgumentParser:
    """Describes the command line."""
    top = argparse.ArgumentParser(prog="python -m rhythm", description="Rhythm's worker for tasks in Python.")
    commands = top.add_subparsers(dest="command", required=True)
    worker = commands.add_parser(
        "worker",
        help="run the tasks of a module",
        description="Runs tasks until SIGTERM or SIGINT; lets those that run end. A second signal gives them back.",
    )
    worker.add_argument("target", metavar="module[:object]", help="where the functions with @rhythm.task are")
    worker.add_argument("--url", help="the database; otherwise RHYTHM_URL, or PGHOST and its like")
    worker.add_argument("--queues", default="", help="comma-separated, in this order; otherwise the tasks' own")
    worker.add_argument("--slots", type=int, default=10, help="how many tasks run at once (default 10)")
    worker.add_argument("--name", help="the worker's name; otherwise made from host and process")
    worker.add_argument("--lease", type=duration, default=60.0, help="how long a claim holds by itself (default 60s)")
    worker.add_argument("--grace", type=duration, default=30.0, help="how long tasks may go on then (default 30s)")
    worker.add_argument(
        "--relaxed-claims",
        action="store_true",
        help="start tasks before their claim is on disk: sooner, but perhaps once more after a crash of the server",
    )
    worker.add_argument("--quiet", action="store_true", help="log warnings only")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    given = parser().parse_args(arguments)
    level = logging.WARNING if given.quiet else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        worker = Worker(
            load(given.target),
            url=given.url,
            name=given.name,
            queues=[name.strip() for name in given.queues.split(",") if name.strip()],
            slots=given.slots,
            lease=given.lease,
            grace=given.grace,
            relaxed_claims=given.relaxed_claims,
        )
        worker.run()
    except (RhythmError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3 if isinstance(error, RhythmError) and error.retryable else 1
    return 0


def run() -> None:
    """Runs the command and leaves, also when a task's thread never ends."""
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of tasks that were given back may hold the interpreter's exit up for as long as they like.
    os._exit(code)


if __name__ == "__main__":
    run()
