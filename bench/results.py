"""Writes sections of bench/RESULTS.md: each script its own, under a heading."""

import datetime
import os
import pathlib
import re

FILE = pathlib.Path(__file__).resolve().parent / "RESULTS.md"
INTRODUCTION = """# Results

The reference is the minimal SKIP LOCKED queue of `bench/reference`: no retries, leases, fencing, results, idempotency
or workflows. It completes a batch and claims the next one in one statement, unless two transactions are named. Only
ratios carry over to another machine.

The language itself (speed beside V8, steps, saves, checking, memory) is measured in [flow/RESULTS.md](flow/RESULTS.md).
"""


def write(title: str, command: str, version: str, lines: list[str]) -> None:
    """Puts a section in the place of the one with the same title."""
    text = FILE.read_text() if FILE.exists() else ""
    old = {found[1]: found[0] for found in re.finditer(r"^## (.+?)\n.*?(?=^## |\Z)", text, re.M | re.S)}
    measured = (
        f"Measured on {datetime.date.today()} with `{command}` (PostgreSQL {version}, {os.cpu_count()} cores shared by "
        "server and load, durable defaults)."
    )
    old[title] = "\n".join([f"## {title}", "", measured, "", *lines, ""])
    FILE.write_text(INTRODUCTION + "\n" + "\n".join(section.rstrip("\n") + "\n" for section in old.values()))
