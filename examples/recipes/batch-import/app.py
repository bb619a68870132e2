"""The tasks of an import. The system that it fills is played by a file, outside.db."""

import csv
import sqlite3

import rhythm

CHUNK = 10


def read(file: str) -> list:
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


@rhythm.task
def split(*, file: str) -> list:
    """Says where the chunks are; the rows stay in the file, and not in the workflow."""
    rows = len(read(file))
    return [{"file": file, "begin": n, "end": min(n + CHUNK, rows)} for n in range(0, rows, CHUNK)]


@rhythm.task(retry={"maxAttempts": 8, "initial": "1s", "max": "1m"})
def import_chunk(*, file: str, begin: int, end: int) -> dict:
    """Writes all rows of a chunk or none of them; a row that is there already is written over."""
    rows = read(file)[begin:end]
    good = [row for row in rows if "@" in row["mail"]]
    db = sqlite3.connect("outside.db", timeout=60, isolation_level=None)
    db.execute("create table if not exists person (id integer primary key, name text, mail text)")
    db.execute("begin immediate")
    db.executemany("insert or replace into person values (:id, :name, :mail)", good)
    db.execute("commit")
    return {"imported": len(good), "rejected": [row["id"] for row in rows if row not in good]}
