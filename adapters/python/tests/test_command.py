"""`python -m rhythm worker`, as a process."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest

import rhythm

APP = """
import sys
import time
import rhythm

@rhythm.task(queue="{queue}")
def echo_{name}(inputs):
    return inputs

@rhythm.task(queue="{queue}")
def nap_{name}(inputs):
    print("napping", file=sys.stderr, flush=True)
    time.sleep(inputs)
    return "rested"
"""


def command(*arguments: str, cwd: pathlib.Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "rhythm", "worker", *arguments],
        cwd=cwd,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Reads what it says up to a line with these words."""
    assert process.stderr is not None
    said = ""
    while words not in said:
        line = process.stderr.readline()
        assert line, f"it ended before it said {words!r}: {said}"
        said += line
    return said


@pytest.fixture
def app(tmp_path: pathlib.Path, queue: str) -> tuple[pathlib.Path, str]:
    name = queue.replace("-", "_")
    (tmp_path / "app.py").write_text(APP.format(queue=queue, name=name))
    return tmp_path, name


def test_it_serves_and_drains_at_sigterm(
    url: str, client: rhythm.Client, queue: str, app: tuple[pathlib.Path, str]
) -> None:
    folder, name = app
    process = command("--url", url, "--slots", "2", "--name", queue, "--lease", "30s", "app", cwd=folder)
    try:
        run = client.enqueue(f"echo_{name}", {"a": [1, "ü"]}, queue=queue)
        assert client.wait(run, timeout=20).value() == {"a": [1, "ü"]}
        nap = client.enqueue(f"nap_{name}", 6, queue=queue)
        read_until(process, "napping")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "leaving, 1 tasks still run" in log
    assert client.result(nap).value() == "rested"


def test_a_second_signal_gives_back_what_runs(
    url: str, client: rhythm.Client, queue: str, app: tuple[pathlib.Path, str]
) -> None:
    folder, name = app
    process = command("--url", url, "app", cwd=folder)
    try:
        nap = client.enqueue(f"nap_{name}", 60, queue=queue)
        read_until(process, "napping")
        process.send_signal(signal.SIGINT)
        read_until(process, "leaving")
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "gave back 1 unfinished" in log
    assert client.result(nap).state == "pending"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "there is no module 'nowhere'"),
        (["app:nothing"], "module 'app' has no 'nothing'"),
        (["json"], "has no tasks"),
        (["--slots", "0", "app"], "slots must be between"),
        (["--url", "postgresql://127.0.0.1/x?sslmode=perhaps", "app"], "sslmode"),
    ],
)
def test_mistakes_are_named(app: tuple[pathlib.Path, str], arguments: list[str], says: str) -> None:
    process = command(*arguments, cwd=app[0])
    _, log = process.communicate(timeout=20)
    assert process.returncode == 1
    assert says in log and "Traceback" not in log
