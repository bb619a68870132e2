"""A worker process of the Python package, and waiting for what the server shows. Knows no measurement."""

import subprocess
import time

from server import HERE, ROOT, Server


class Worker:
    """Serves bench/tasks.py."""

    def __init__(self, server: Server, *options: str) -> None:
        command = [
            ROOT / ".venv/bin/python",
            "-m",
            "rhythm",
            "worker",
            "--url",
            server.url,
            "--quiet",
            *options,
            "tasks",
        ]
        self.process = subprocess.Popen([str(part) for part in command], cwd=HERE)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


def wait_for(server: Server, condition: str, seconds: float = 600) -> None:
    """Returns when this is true; looks 20 times a second."""
    until = time.monotonic() + seconds
    while server.sql(f"select {condition}") != "t":
        if time.monotonic() > until:
            raise SystemExit(f"not within {seconds} s: {condition}")
        time.sleep(0.05)
