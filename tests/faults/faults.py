"""What can go wrong at a step, and when."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import pkgdb.storage.publisher
import pkgdb.storage.worker
from tests.faults.actors import LEASE, Stop, unpublish
from tests.faults.stage import BACKENDS, Actor, Case
from tests.support import PATIENCE

# Who publishes the version at the same time: nobody, or somebody with one content or the other.
PASSES = {"alone": None, "same": "one", "other": "other"}


def on_each_backend(*steps: str) -> list[str]:
    return [f"{step} {backend}" for backend in BACKENDS for step in steps]


PUBLISHING = ["begin", *on_each_backend("upload", "record"), "validate", "commit"]
UNPUBLISHING = ["delete", "purge", "collect", *on_each_backend("remove", "confirm")]
assert {step.split()[0] for step in PUBLISHING} == {*pkgdb.storage.publisher.STEPS, "validate"}
assert {step.split()[0] for step in UNPUBLISHING} == {*pkgdb.storage.worker.STEPS}

# Steps that are a call of a function, and a table that it cannot do without.
CALLS = {
    "begin": "publication",
    "record": "publication",
    "validate": "publication",
    "commit": "publication",
    "delete": "package_version",
    "purge": "package_version",
    "collect": "blob",
    "confirm": "blob_copy",
}

Strike = Callable[[Case, Actor, str | None], None]


def interrupted(case: Case, actor: Actor, rival: str | None) -> None:
    """The step, or what comes after it, fails in the program."""
    actor.order("fail")


def killed(case: Case, actor: Actor, rival: str | None) -> None:
    actor.kill()


def disconnected(case: Case, actor: Actor, rival: str | None) -> None:
    case.disconnect(actor)
    actor.release()


def unanswered(case: Case, actor: Actor, rival: str | None) -> None:
    """What the step commits is committed, and its answer never comes."""
    case.proxy.cut = ["after"]
    actor.release()
    deadline = time.monotonic() + PATIENCE
    while case.proxy.cut:
        assert time.monotonic() < deadline
        actor.pipe.poll(0.01)


def crashed(case: Case, actor: Actor, rival: str | None) -> None:
    case.crash()
    actor.release()


def away(store: Callable[[Case], AbstractContextManager[None]]) -> Strike:
    """From the step on a store cannot be reached, until somebody has ended, done or failed."""

    def strike(case: Case, actor: Actor, rival: str | None) -> None:
        with store(case):
            actor.release()
            running = case.running()
            while all(each.runs or each.refused for each in running) and case.running():
                case.one_ends(case.running())

    return strike


def outlived(case: Case, actor: Actor, rival: str | None) -> None:
    """The step takes until its lease has ended and others have gone on. What it does then, and
    what comes after it, changes nothing."""
    case.advance(2 * LEASE)
    if rival != "one" or actor.command is unpublish:
        case.clean()
    if rival is not None:
        case.rival(rival)
    case.answering = case.validated
    case.settle(but=actor)
    before = case.state()
    while actor.next() not in (None, Stop("before", "begin")):
        pass
    assert case.state() == before
    actor.release()


class Fault(NamedTuple):
    """What happens before, during or after a step to the actor that takes it."""

    name: str
    moment: str
    strike: Strike

    def __str__(self) -> str:
        return f"{self.name} {self.moment}"

    def concerns(self, step: str) -> bool:
        kind = step.split()[0]
        if self.strike is outlived and self.moment == "before":
            return kind not in ("begin", "delete")  # nothing is stale yet
        if self.moment == "during":
            return kind == "upload" or (kind in CALLS and self.strike is not outlived)
        return self.strike is not unanswered or kind in CALLS


FAULTS = [
    Fault("exception", "before", interrupted),
    Fault("exception", "after", interrupted),
    Fault("kill -9", "before", killed),
    Fault("kill -9", "during", killed),
    Fault("kill -9", "after", killed),
    Fault("connection killed", "before", disconnected),
    Fault("connection killed", "during", disconnected),
    Fault("connection killed", "after", disconnected),
    Fault("answer lost", "after", unanswered),
    Fault("server kill -9", "before", crashed),
    Fault("server kill -9", "during", crashed),
    Fault("server kill -9", "after", crashed),
    Fault("bucket away", "before", away(Case.bucket_away)),
    Fault("folder away", "before", away(Case.folder_away)),
    Fault("slower than the lease", "before", outlived),
    Fault("slower than the lease", "during", outlived),
    Fault("slower than the lease", "after", outlived),
]


def befall(case: Case, actor: Actor, step: str, fault: Fault, rival: str | None) -> None:
    """Bring the actor to its step, let a rival begin, and let the fault happen."""
    kind = step.split()[0]
    first = kind in ("begin", "delete")

    def meet(now: bool) -> None:
        if now and rival is not None and fault.strike is not outlived:
            case.rival(rival)

    actor.until(Stop("before", step))
    # At a first step the rival comes before it or after the fault, so that either may win.
    meet(not first or fault.moment == "before")
    if fault.moment == "during" and kind in CALLS:
        with case.held(actor, CALLS[kind]):
            fault.strike(case, actor, rival)
    else:
        if fault.moment != "before" and fault.strike is not unanswered:
            actor.until(Stop(fault.moment, step))
        fault.strike(case, actor, rival)
    meet(first and fault.moment != "before")
