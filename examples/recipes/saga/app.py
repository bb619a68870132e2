"""The tasks of a trip. What airline and hotel know is played by a file, outside.db."""

import sqlite3

import rhythm

SEATS = 2


def outside() -> sqlite3.Connection:
    db = sqlite3.connect("outside.db", timeout=60, isolation_level=None)
    db.execute("create table if not exists booking (what text, trip text, state text, primary key (what, trip))")
    return db


def book(what: str, trip: str) -> str:
    """Books once, however often it is asked; what was undone before it came is refused."""
    db = outside()
    db.execute("insert or ignore into booking values (?, ?, 'booked')", (what, trip))
    (state,) = db.execute("select state from booking where what = ? and trip = ?", (what, trip)).fetchone()
    if state == "undone":
        raise rhythm.NonRetryable(f"the {what} of {trip} is given up")
    return f"{what} of {trip}"


def undo(what: str, trip: str) -> None:
    """Undoes what was done, or what is still on its way: the mark stays."""
    outside().execute("insert or replace into booking values (?, ?, 'undone')", (what, trip))


@rhythm.task
def hold_seat(*, trip: str) -> str:
    others = "select count(*) from booking where what = 'seat' and state = 'booked' and trip <> ?"
    if outside().execute(others, (trip,)).fetchone()[0] >= SEATS:
        raise rhythm.NonRetryable("sold out")
    return book("seat", trip)


@rhythm.task
def release_seat(*, trip: str) -> None:
    undo("seat", trip)


@rhythm.task
def pay_flight(*, trip: str) -> str:
    return book("flight", trip)


@rhythm.task
def refund_flight(*, trip: str) -> None:
    undo("flight", trip)


@rhythm.task
def hold_room(*, trip: str) -> str:
    return book("room", trip)


@rhythm.task
def release_room(*, trip: str) -> None:
    undo("room", trip)


@rhythm.task
def pay_hotel(*, trip: str) -> str:
    return book("hotel", trip)


@rhythm.task
def refund_hotel(*, trip: str) -> None:
    undo("hotel", trip)
