"""What reads answer with: rows of the views, in the words of SQL. Times are datetimes in UTC."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

T = TypeVar("T")


@dataclass(frozen=True)
class Execution:
    """One run of a task or of a workflow."""

    id: UUID
    #: "task" or "workflow".
    kind: str
    name: str
    #: Of a workflow's definition.
    version: int | None
    queue: str
    #: pending, scheduled, running, waiting, completed, failed, cancelled or timed_out.
    state: str
    #: The caller's key.
    task_id: str | None
    #: The workflow that started it.
    parent_id: UUID | None
    #: The first of its tree.
    root_id: UUID
    inputs: Any
    result: Any
    #: `name`, `message` and perhaps `code`, `stack`, `cause`, `data`.
    error: dict[str, Any] | None
    #: How often it was tried.
    attempt: int
    priority: int
    #: What a workflow has published with `Context.set`.
    attributes: dict[str, Any] | None
    created_at: datetime
    #: When it may run, or could first.
    run_at: datetime | None
    #: When its first attempt began.
    started_at: datetime | None
    finished_at: datetime | None
    trace_id: str | None
    #: Who runs it, or ran it last.
    worker: str | None
    #: Until when that worker holds it.
    lease_until: datetime | None
    #: How far it has got, as its handler said.
    progress: Any
    #: Why it does not go on, where the view knows; `Client.why` knows more.
    note: str | None
    #: Since when a live one is to be cancelled, and why.
    cancel_requested_at: datetime | None
    cancel_reason: str | None

    @property
    def done(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.finished_at is not None


@dataclass(frozen=True)
class TimelineEvent:
    """Something that happened to an execution."""

    at: datetime
    #: Such as "created", "task_created" or "attempt_failed"; "earlier" counts what is not told.
    event: str
    #: Of the task, timer or signal.
    name: str | None
    data: Any
    #: How long it had waited for a worker, or for its time.
    waited: timedelta | None
    #: How long it had run.
    ran: timedelta | None
    #: Who has run it.
    worker: str | None
    #: Which attempt that was.
    attempt: int | None


@dataclass(frozen=True)
class LogEntry:
    """A line of a run's log, with whose it is."""

    at: datetime
    #: "log", "info", "warn" or "error".
    level: str
    message: str
    execution_id: UUID
    #: Of the workflow.
    name: str


@dataclass(frozen=True)
class Variable:
    """A variable of a waiting run."""

    #: 1 is the workflow itself, others are functions that wait with it.
    frame: int
    #: Its name; "workflow" for the workflow itself.
    function: str
    #: Where it waits.
    line: int
    col: int
    #: The name of the variable; None for a frame that has none.
    variable: str | None
    #: The value as `console.log` shows it.
    value: str | None
    #: Whether there is more of it.
    cut: bool | None


@dataclass(frozen=True)
class LogLine:
    """A line that a workflow wrote with `console.log` and its like."""

    at: datetime
    #: "log", "info", "warn" or "error".
    level: str
    message: str


@dataclass(frozen=True)
class QueueInfo:
    """A queue that has settings, live tasks or dead letters."""

    name: str
    #: What a worker could take now, what is for later, and what workers hold; estimates if `estimated`.
    pending: int
    scheduled: int
    running: int
    #: Dead letters: what `retry_many` could retry, up to 10 000 each.
    failed: int
    timed_out: int
    estimated: bool
    paused: bool
    paused_at: datetime | None
    paused_by: str | None
    pause_reason: str | None
    rate_limit: str | None
    concurrency: int | None
    #: In words of SQL, such as "7 days", where it is set.
    retention: str | None
    oldest_pending_at: datetime | None


@dataclass(frozen=True)
class WorkerInfo:
    """A worker that was seen lately."""

    name: str
    tasks: list[str]
    #: None for the first ten seconds after its registration.
    queues: list[str] | None
    #: How many tasks it holds.
    running: int
    registered_at: datetime | None
    #: Exact to ten seconds.
    last_seen: datetime


@dataclass(frozen=True)
class TaskInfo:
    """A task that workers have registered, with its defaults."""

    name: str
    queue: str
    #: The JSON Schema of its inputs.
    input_schema: Any
    #: What happens to inputs that do not fit: "refuse", "warn" or "off"; None without a schema.
    schema_check: str | None
    retry: dict[str, Any] | None
    timeout: timedelta | None
    start_timeout: timedelta | None
    attempt_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    priority: int | None
    #: How long a completed one keeps its `task_id`: an interval as SQL writes it, or "forever".
    remember: str | None
    #: "keep" or "discard", where it is registered.
    result: str | None
    #: Those that were seen in the last minute.
    workers: list[str]
    last_seen: datetime | None
    first_served_at: datetime | None


@dataclass(frozen=True)
class WorkflowInfo:
    """One version of a deployed workflow."""

    name: str
    version: int
    #: Whether it is the one that `start` uses.
    is_current: bool
    #: The role as which its SQL runs.
    deployer: str
    uses_sql: bool
    #: The JSON Schema of its inputs.
    input_type: Any
    created_at: datetime
    source: str


@dataclass(frozen=True)
class LimitInfo:
    """A limit of runs."""

    #: Of a setting, its name.
    name: str
    #: How much it allows; None: there is no limit.
    most: int | None
    #: In what it is counted, such as "bytes".
    unit: str
    #: What it bounds.
    bounds: str
    #: Whether it is a setting of the server.
    setting: bool
    #: From how much on runs are marked; None: they are not.
    near: int | None
    #: How many runs are marked; None: they are not.
    runs: int | None


@dataclass(frozen=True)
class NearLimit:
    """A run that has passed a quarter of a limit."""

    id: UUID
    workflow: str
    #: The limit.
    name: str
    #: How far it had come then, and the limit at that time.
    value: int
    most: int
    at: datetime


@dataclass(frozen=True)
class NearLimitCount:
    """How many runs of a workflow have passed a quarter of a limit."""

    workflow: str
    #: The limit.
    name: str
    #: As far as they are kept.
    runs: int
    #: Those of them that are alive.
    live: int
    #: When the last one did.
    last_at: datetime


@dataclass(frozen=True)
class VersionInfo:
    """One version of a workflow, also one that was undeployed."""

    workflow: str
    version: int
    deployed_at: datetime
    #: The role as which its SQL runs.
    deployed_by: str
    #: Whether it is the one that `start` uses.
    is_current: bool
    #: Since when nobody may start the workflow.
    retired_at: datetime | None
    undeployed_at: datetime | None
    #: Live runs on it.
    runs: int


@dataclass(frozen=True)
class MovedRun:
    """What `move_many` has done with a run."""

    id: UUID
    #: The version that it was on.
    from_version: int | None
    #: "moved", "refused", or "busy": somebody steps it just now.
    outcome: str
    #: Why it was refused.
    reason: str | None
    #: `file:line:column` where its own version differs.
    old_place: str | None
    #: The same in the other version.
    new_place: str | None


@dataclass(frozen=True)
class KeptState:
    """A state of a run from which `fork` can start another."""

    #: The step that has left it.
    step: int
    at: datetime
    #: The version that it ran on.
    version: int
    #: `file:line:column` where it waited.
    place: str | None
    #: Such as "task 'charge'".
    waits_for: str | None
    bytes: int


@dataclass(frozen=True)
class OutlineRow:
    """What `explain_workflow` tells: a part of a workflow, or a line of a diagram, of which only `text` is there."""

    depth: int | None
    #: "task", "child", "signal", "timer", "sql", "await", "call", or what is around them: "workflow", "function",
    #: "loop", "branch".
    kind: str | None
    #: Its name, or the text that stands for it.
    name: str | None
    line: int | None
    col: int | None
    #: Whether a run may wait there.
    waits: bool | None
    #: How often it happens at most in one call of the function around it; None: any number of times.
    times: int | None
    #: All that, indented.
    text: str


@dataclass(frozen=True)
class ScheduleRun:
    """A start of a schedule, or a tick that it holds back."""

    schedule: str
    tick: datetime
    #: "tick", "trigger" or "backfill".
    cause: str
    #: The execution; None while it is held.
    id: UUID | None
    #: Of the execution; "held" while it waits for the running one, None once retention has swept it.
    state: str | None
    created_at: datetime | None
    finished_at: datetime | None
    error: dict[str, Any] | None


@dataclass(frozen=True)
class Calendar:
    """A calendar of exclusion."""

    name: str
    days: list[date]
    #: Such as "sat".
    weekdays: list[str]
    #: From one moment to another; None: without a beginning, or without an end.
    during: list[tuple[datetime | None, datetime | None]]
    #: The schedules that exclude it.
    schedules: list[str]


@dataclass(frozen=True)
class Why:
    """Why something does not move."""

    #: A short name that stays the same between versions, such as "rate_limited" or "key_full".
    reason: str | None
    #: The sentence.
    explanation: str | None
    since: datetime | None
    #: Until when, where that is known.
    until: datetime | None
    #: What to do.
    hint: str | None


@dataclass(frozen=True)
class QueueSetting:
    """A setting of a queue."""

    #: In words of SQL, such as "00:01:30"; None: nothing of the kind.
    value: str | None
    #: Whether nobody has set it.
    is_default: bool


@dataclass(frozen=True)
class Pause:
    """Something that is paused."""

    #: "queue", "task", "all"; "restored" or "copied" for a database that nobody has adopted.
    what: str
    #: Of the queue or the task.
    name: str | None
    reason: str | None
    paused_by: str | None
    paused_at: datetime | None


@dataclass(frozen=True)
class FailedAttempt:
    """An attempt that failed."""

    attempt: int
    worker: str | None
    started_at: datetime | None
    failed_at: datetime
    #: `name`, `message` and perhaps `code`, `stack`, `cause`, `data`.
    error: dict[str, Any] | None
    #: When it was to be tried again; None for the last one.
    next_at: datetime | None


_TIMES = frozenset(
    (
        "at",
        "since",
        "until",
        "tick",
        "paused_at",
        "cancel_requested_at",
        "started_at",
        "failed_at",
        "next_at",
        "created_at",
        "run_at",
        "finished_at",
        "last_at",
        "lease_until",
        "last_seen",
        "registered_at",
        "first_served_at",
        "oldest_pending_at",
        "deployed_at",
        "retired_at",
        "undeployed_at",
    )
)
_IDS = frozenset(("id", "parent_id", "root_id", "execution_id"))
_DURATIONS = frozenset(("timeout", "start_timeout", "attempt_timeout", "heartbeat_timeout", "waited", "ran"))


def record(made: Callable[..., T], parts: dict[str, Any]) -> T:
    """One of the classes above from the JSON of the compiled half, whose times are text in UTC."""
    for key, value in parts.items():
        if value is None:
            continue
        if key in _TIMES:
            parts[key] = _moment(value)
        elif key in _IDS:
            parts[key] = UUID(value)
        elif key in _DURATIONS:
            parts[key] = timedelta(seconds=value)
    return made(**parts)


def rows_of(made: Callable[..., T]) -> Callable[[str], list[T]]:
    """Reads rows of one of the classes above."""
    return lambda text: [record(made, row) for row in json.loads(text)]


def row_of(made: Callable[..., T]) -> Callable[[str], T]:
    """Reads one row."""
    return lambda text: record(made, json.loads(text))


def calendars(text: str) -> list[Calendar]:
    """Reads calendars, whose days and times are within lists."""
    rows = json.loads(text)
    for row in rows:
        row["days"] = [date.fromisoformat(day) for day in row["days"]]
        row["during"] = [(_moment(part["from"]), _moment(part["to"])) for part in row["during"]]
    return [Calendar(**row) for row in rows]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))
