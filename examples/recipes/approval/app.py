"""The tasks of an approval. The mails that go out are rows of a file, outside.db."""

import sqlite3
from typing import Optional

import rhythm


def send(key: str, person: str, text: str) -> None:
    """Sends one mail for each key, however often it is asked, as mail services with idempotency keys do."""
    db = sqlite3.connect("outside.db", timeout=60, isolation_level=None)
    db.execute("create table if not exists mail (key text primary key, person text, text text)")
    db.execute("insert or ignore into mail values (?, ?, ?)", (key, person, text))


@rhythm.task
def ask(*, expense: str, amount: float, person: str, ctx: rhythm.Context) -> None:
    send(ctx.id, person, f"Please decide about {expense}: {amount}")


@rhythm.task
def tell(*, expense: str, approved: bool, by: Optional[str], ctx: rhythm.Context) -> None:
    send(ctx.id, "everybody", f"{expense} is {'approved' if approved else 'refused'} by {by or 'nobody'}")
