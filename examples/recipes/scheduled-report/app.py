"""The task of a report. The mails that go out are rows of a file, outside.db."""

import sqlite3

import rhythm


@rhythm.task(retry={"maxAttempts": 20, "initial": "5s", "max": "1h"})
def send_mail(*, to: str, subject: str, text: str, ctx: rhythm.Context) -> None:
    """Sends one mail, however often it is tried: the service knows the key."""
    db = sqlite3.connect("outside.db", timeout=60, isolation_level=None)
    db.execute("create table if not exists mail (key text primary key, person text, subject text, text text)")
    db.execute("insert or ignore into mail values (?, ?, ?, ?)", (ctx.id, to, subject, text))
