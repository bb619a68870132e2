"""The tasks of an agent. The model is played, and payments go into a file, outside.db."""

import sqlite3

import rhythm


def outside() -> sqlite3.Connection:
    db = sqlite3.connect("outside.db", timeout=60, isolation_level=None)
    db.execute("create table if not exists refund (key text primary key, orders text, amount int)")
    return db


@rhythm.task(attempt_timeout="5m", retry={"maxAttempts": 8, "initial": "2s", "max": "2m"})
def model(*, messages: list, tools: list) -> dict:
    """Here stands the call of your model, and its answer is brought into this form."""
    results = [message["content"] for message in messages if message["role"] == "tool"]
    tokens = 100 * len(messages)
    if not results:
        call = {"id": "a", "tool": "find_order", "inputs": {"order": "o-17"}}
        return {"content": "I look for the order.", "calls": [call], "tokens": tokens}
    if len(results) == 1:
        call = {"id": "b", "tool": "refund", "inputs": {"order": "o-17", "amount": results[0]["paid"]}}
        return {"content": "It has been lost.", "calls": [call], "tokens": tokens}
    return {"content": f"About your order o-17: {results[-1]}", "calls": [], "tokens": tokens}


@rhythm.task
def find_order(*, order: str) -> dict:
    return {"order": order, "paid": 30, "state": "lost by the carrier"}


@rhythm.task
def refund(*, order: str, amount: int, ctx: rhythm.Context) -> str:
    """Pays back once, however often it is tried: the service knows the key."""
    outside().execute("insert or ignore into refund values (?, ?, ?)", (ctx.id, order, amount))
    return f"{amount} are paid back."
