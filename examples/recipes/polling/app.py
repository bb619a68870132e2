"""The tasks of an export. The service is played by a file, outside.db."""

import sqlite3

import rhythm

LOOKS = 4  # The service is ready when it has been asked this often.


def service() -> sqlite3.Connection:
    db = sqlite3.connect("outside.db", timeout=60, isolation_level=None)
    db.execute("create table if not exists export (job text primary key, customer text, looks int, dropped int)")
    return db


def look(job: str) -> dict:
    """What the service says: GET /exports/JOB."""
    db = service()
    db.execute("update export set looks = looks + 1 where job = ?", (job,))
    found = db.execute("select customer, looks from export where job = ?", (job,)).fetchone()
    if found is None:
        raise rhythm.NonRetryable(f"there is no export {job}", code="404")
    customer, looks = found
    if customer == "nobody":
        return {"state": "failed", "reason": "there is no such customer"}
    if looks < LOOKS:
        return {"state": "working"}
    return {"state": "ready", "url": f"https://exports.example.org/{job}"}


@rhythm.task
def order_export(*, customer: str, ctx: rhythm.Context) -> str:
    """Orders it once: each attempt sends the same idempotency key."""
    service().execute("insert or ignore into export values (?, ?, 0, 0)", (ctx.id, customer))
    return ctx.id


@rhythm.task
def look_at_export(*, job: str) -> dict:
    return look(job)


@rhythm.task
def fetch_export(*, job: str, ctx: rhythm.Context) -> str:
    """Puts itself off until the export is ready, longer each time; that costs no attempt."""
    found = look(job)
    if found["state"] == "failed":
        raise rhythm.NonRetryable(found["reason"])
    if found["state"] != "ready":
        pause = min(2 * (ctx.progress or 2.5), 300)
        ctx.progress = pause
        raise rhythm.Snooze(pause)
    return found["url"]


@rhythm.task
def drop_export(*, job: str) -> None:
    service().execute("update export set dropped = 1 where job = ?", (job,))
