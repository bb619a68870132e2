"""Durable workflows and tasks inside Postgres.

Tasks are functions with `@rhythm.task`, run by `python -m rhythm worker --url URL module`. `Client` and `AsyncClient`
start, signal, cancel and await executions; `rhythm.start`, `rhythm.enqueue` and the other functions here do the same
with the database that the environment names (RHYTHM_URL, or PGHOST and its like).
"""

from rhythm.client import (
    AsyncClient,
    Client,
    Diagnostic,
    Enqueued,
    Outcome,
    cancel,
    deploy,
    enqueue,
    enqueue_many,
    result,
    retry,
    schedule,
    signal,
    start,
    unschedule,
    wait,
)
from rhythm.errors import (
    ConfigError,
    ConnectionFailed,
    ControlError,
    DefinitionError,
    ExecutionFailed,
    InputError,
    LeaseError,
    LimitExceeded,
    NonRetryable,
    PermissionDenied,
    Retry,
    RhythmError,
    ServerError,
    TaskCancelled,
)
from rhythm.task import Context, task
from rhythm.worker import Worker

__all__ = [
    "AsyncClient",
    "Client",
    "ConfigError",
    "ConnectionFailed",
    "Context",
    "ControlError",
    "DefinitionError",
    "Diagnostic",
    "Enqueued",
    "ExecutionFailed",
    "InputError",
    "LeaseError",
    "LimitExceeded",
    "NonRetryable",
    "Outcome",
    "PermissionDenied",
    "Retry",
    "RhythmError",
    "ServerError",
    "TaskCancelled",
    "Worker",
    "cancel",
    "deploy",
    "enqueue",
    "enqueue_many",
    "result",
    "retry",
    "schedule",
    "signal",
    "start",
    "task",
    "unschedule",
    "wait",
]
