"""The Python in docs/workers runs as written, but for the port."""

from __future__ import annotations

import pathlib
import re
import uuid

import pytest

import rhythm
from rhythm.task import tasks_of

DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs" / "workers"
WRITTEN_URL = "postgresql://postgres@127.0.0.1:5433/rhythm"


def blocks(name: str) -> list[str]:
    found = re.findall(r"^```python\n(.*?)^```$", (DOCS / name).read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no Python"
    return found


def test_the_tasks_of_the_pages_are_tasks() -> None:
    names = {}
    for page in ("README.md", "tasks.md"):
        space: dict[str, object] = {}
        for block in blocks(page):
            exec(block, space)
        names[page] = sorted(task.name for task in tasks_of(space))
        if page == "tasks.md":
            with pytest.raises(rhythm.NonRetryable):
                space["charge"]({"card": "expired"})  # type: ignore[operator]
            with pytest.raises(rhythm.Snooze):
                space["fetch_report"]({"ready": False})  # type: ignore[operator]
    assert names == {
        "README.md": ["compose"],
        "tasks.md": [
            "charge",
            "convert",
            "fetch_report",
            "import_pages",
            "pack",
            "send_mail",
            "ship",
            "summarise",
        ],
    }


def test_the_clients_page_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    space: dict[str, object] = {}
    for block in blocks("clients.md"):
        own = block.replace(WRITTEN_URL, url)
        exec(own.replace("greeting-17", str(uuid.uuid4())), space)
    said = capsys.readouterr().out.splitlines()
    assert said[:4] == ["Hello, Grace!", "Hello, Ada!", "00:01:30", "completed greet created"]
    assert said[-1] == "completed Hello, Grace!"
