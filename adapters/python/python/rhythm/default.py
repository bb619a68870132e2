"""The client's calls as functions of the package, in the database that the environment names."""

from __future__ import annotations

import threading

from rhythm.calls import Calls
from rhythm.client import Client


class _Default(Client):
    """Looks at the environment at its first call, and not when the package is imported."""

    def __init__(self) -> None:
        self._made = None
        self._lock = threading.Lock()

    @property
    def _calls(self) -> Calls:
        with self._lock:
            if self._made is None:
                self._made = Calls(None, 4)
            return self._made


_default = _Default()

adopt = _default.adopt
attempts = _default.attempts
attributes = _default.attributes
backfill_schedule = _default.backfill_schedule
calendars = _default.calendars
call = _default.call
cancel = _default.cancel
cleanup = _default.cleanup
configure_queue = _default.configure_queue
cron_times = _default.cron_times
delete_calendar = _default.delete_calendar
deploy = _default.deploy
enqueue = _default.enqueue
enqueue_many = _default.enqueue_many
start_many = _default.start_many
terminate = _default.terminate
enqueue_rows = _default.enqueue_rows
execution = _default.execution
executions = _default.executions
explain_workflow = _default.explain_workflow
find = _default.find
fork = _default.fork
limits = _default.limits
log = _default.log
logs = _default.logs
move = _default.move
move_many = _default.move_many
near_limit_counts = _default.near_limit_counts
near_limits = _default.near_limits
pause_all = _default.pause_all
pause_queue = _default.pause_queue
pause_schedule = _default.pause_schedule
pause_task = _default.pause_task
pauses = _default.pauses
queues = _default.queues
resolve = _default.resolve
result = _default.result
resume_all = _default.resume_all
resume_queue = _default.resume_queue
resume_schedule = _default.resume_schedule
resume_task = _default.resume_task
retire = _default.retire
retry = _default.retry
retry_many = _default.retry_many
schedule = _default.schedule
schedule_runs = _default.schedule_runs
schedule_times = _default.schedule_times
set_calendar = _default.set_calendar
show_queue = _default.show_queue
signal = _default.signal
signal_with_start = _default.signal_with_start
start = _default.start
states = _default.states
tasks = _default.tasks
timeline = _default.timeline
tree = _default.tree
trigger_schedule = _default.trigger_schedule
undeploy = _default.undeploy
unretire = _default.unretire
unschedule = _default.unschedule
variables = _default.variables
versions = _default.versions
wait = _default.wait
why = _default.why
why_queue = _default.why_queue
workers = _default.workers
workflows = _default.workflows
