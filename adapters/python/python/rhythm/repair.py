"""Repair, of both clients: results given by hand, runs that go on in another version or begin at an earlier step, and
versions of workflows."""

from __future__ import annotations

import json
from typing import Any, Literal, Union
from uuid import UUID

from rhythm import _native
from rhythm.pending import Pending
from rhythm.records import KeptState, MovedRun, OutlineRow, VersionInfo, rows_of

Id = Union[UUID, str]


class Calls:
    """Makes the compiled half's calls from Python's values. Shared by both clients, so that they cannot differ."""

    def __init__(self, client: _native.Client) -> None:
        self.native = _native.Repairs(client)

    def resolve(self, id: Id, result: Any) -> Pending[UUID | None]:
        call = self.native.resolve(str(id), json.dumps(result, allow_nan=False))
        return Pending(call, lambda run: None if run is None else UUID(run))

    def move(self, id: Id, version: int | None) -> Pending[int]:
        return Pending(self.native.move(str(id), version), int)

    def move_many(
        self, workflow: str, version: int | None, after: Id | None, max: int, dry_run: bool
    ) -> Pending[list[MovedRun]]:
        behind = None if after is None else str(after)
        return Pending(self.native.move_many(workflow, version, behind, max, dry_run), rows_of(MovedRun))

    def states(self, id: Id, max: int) -> Pending[list[KeptState]]:
        return Pending(self.native.states(str(id), max), rows_of(KeptState))

    def fork(self, id: Id, step: int, task_id: str | None, version: int | None) -> Pending[UUID]:
        return Pending(self.native.fork(str(id), step, task_id, version), UUID)

    def versions(self, workflow: str | None) -> Pending[list[VersionInfo]]:
        return Pending(self.native.versions(workflow), rows_of(VersionInfo))

    def explain_workflow(self, workflow: str, version: int | None, format: str) -> Pending[list[OutlineRow]]:
        return Pending(self.native.explain_workflow(workflow, version, format), rows_of(OutlineRow))

    def retire(self, workflow: str, reason: str | None) -> Pending[bool]:
        return Pending(self.native.retire(workflow, reason), bool)

    def unretire(self, workflow: str) -> Pending[bool]:
        return Pending(self.native.unretire(workflow), bool)

    def undeploy(self, workflow: str, version: int | None) -> Pending[int]:
        return Pending(self.native.undeploy(workflow, version), int)


class Repairs:
    """The calls of `Client` that mend runs and look after versions."""

    @property
    def _repairs(self) -> Calls:
        raise NotImplementedError

    def resolve(self, id: Id, result: Any = None) -> UUID | None:
        """Gives a task the result that it did not give itself, or a child workflow that has ended; gives the run that
        awaits it. A waiting run goes on at once, one that has failed with the task by its `retry`. Raises
        `ControlError` when the run has already taken the failure, or when there is nothing to resolve."""
        return self._repairs.resolve(id, result).wait()

    def move(self, id: Id, version: int | None = None) -> int:
        """Lets a run that waits or has failed go on in another version of its workflow, the newest if none is given;
        gives that version. Raises `ControlError` with the line that differs where it could not have come to its state
        there."""
        return self._repairs.move(id, version).wait()

    def move_many(
        self,
        workflow: str,
        version: int | None = None,
        *,
        after: Id | None = None,
        max: int = 1000,
        dry_run: bool = False,
    ) -> list[MovedRun]:
        """Lets the live runs of a workflow that are on other versions go on in this one, each that can, as `move`.

        after: only runs with a later id: the last one of the call before.
        max: how many are looked at.
        dry_run: only says what would become of them.
        """
        return self._repairs.move_many(workflow, version, after, max, dry_run).wait()

    def states(self, id: Id, max: int = 1000) -> list[KeptState]:
        """Lists the states of a run from which `fork` can start another, the last `max`, the earliest first. None are
        kept unless the setting `rhythm.kept_states` says how many."""
        return self._repairs.states(id, max).wait()

    def fork(self, id: Id, step: int, *, task_id: str | None = None, version: int | None = None) -> UUID:
        """Starts a new run from the state that this step of a run has left; gives its id. What the run was waiting for
        then, and has ended since, is not done again. Raises `ControlError` when the state is not kept, or an outcome is
        not known any more.

        task_id: makes the call repeatable.
        version: goes on in this version, 0 being the newest, where `move` would allow it.
        """
        return self._repairs.fork(id, step, task_id, version).wait()

    def versions(self, workflow: str | None = None) -> list[VersionInfo]:
        """Tells the versions of workflows, also those that were undeployed, with their live runs, the newest first."""
        return self._repairs.versions(workflow).wait()

    def explain_workflow(
        self, workflow: str, version: int | None = None, format: Literal["tree", "mermaid", "dot"] = "tree"
    ) -> list[OutlineRow]:
        """Tells what a version of a workflow (the current one, if none is given) may do, as its source says.

        format: "tree" gives its parts; "mermaid" and "dot" the lines of a diagram, of which only `text` is there.
        """
        return self._repairs.explain_workflow(workflow, version, format).wait()

    def retire(self, workflow: str, reason: str | None = None) -> bool:
        """Stops new starts of a workflow; its runs go on. False: it was retired before."""
        return self._repairs.retire(workflow, reason).wait()

    def unretire(self, workflow: str) -> bool:
        """Lets a workflow be started again. False: it was not retired."""
        return self._repairs.unretire(workflow).wait()

    def undeploy(self, workflow: str, version: int | None = None) -> int:
        """Takes a version of a workflow away, or all of them; gives how many. Raises `ControlError` while runs live on
        one. Without the newest, starts use the one before."""
        return self._repairs.undeploy(workflow, version).wait()


class AsyncRepairs:
    """The calls of `AsyncClient` that mend runs and look after versions."""

    @property
    def _repairs(self) -> Calls:
        raise NotImplementedError

    async def resolve(self, id: Id, result: Any = None) -> UUID | None:
        """As `Client.resolve`."""
        return await self._repairs.resolve(id, result)

    async def move(self, id: Id, version: int | None = None) -> int:
        """As `Client.move`."""
        return await self._repairs.move(id, version)

    async def move_many(
        self,
        workflow: str,
        version: int | None = None,
        *,
        after: Id | None = None,
        max: int = 1000,
        dry_run: bool = False,
    ) -> list[MovedRun]:
        """As `Client.move_many`."""
        return await self._repairs.move_many(workflow, version, after, max, dry_run)

    async def states(self, id: Id, max: int = 1000) -> list[KeptState]:
        """As `Client.states`."""
        return await self._repairs.states(id, max)

    async def fork(self, id: Id, step: int, *, task_id: str | None = None, version: int | None = None) -> UUID:
        """As `Client.fork`."""
        return await self._repairs.fork(id, step, task_id, version)

    async def versions(self, workflow: str | None = None) -> list[VersionInfo]:
        """As `Client.versions`."""
        return await self._repairs.versions(workflow)

    async def explain_workflow(
        self, workflow: str, version: int | None = None, format: Literal["tree", "mermaid", "dot"] = "tree"
    ) -> list[OutlineRow]:
        """As `Client.explain_workflow`."""
        return await self._repairs.explain_workflow(workflow, version, format)

    async def retire(self, workflow: str, reason: str | None = None) -> bool:
        """As `Client.retire`."""
        return await self._repairs.retire(workflow, reason)

    async def unretire(self, workflow: str) -> bool:
        """As `Client.unretire`."""
        return await self._repairs.unretire(workflow)

    async def undeploy(self, workflow: str, version: int | None = None) -> int:
        """As `Client.undeploy`."""
        return await self._repairs.undeploy(workflow, version)
