"""Each fault at each step of publishing and unpublishing, alone and beside a rival: the command,
issued again, ends well, and nothing is lost and nothing left over."""

from collections.abc import Callable
from contextlib import closing

import pytest

from tests.faults.actors import LEASE, Stop, unpublish, validate
from tests.faults.faults import FAULTS, PASSES, PUBLISHING, UNPUBLISHING, Fault, befall, unanswered
from tests.faults.stage import BACKENDS, Case, Database, Machine
from tests.faults.table import FAULT, Survived
from tests.incidents.protections import Edit
from tests.support import wait_until


def issues(rival: str | None) -> int:
    """After a fault a command that is alone ends well at once; a rival may be in its way."""
    return 2 if rival is None else 4


def publishing(database: Database, step: str, fault: Fault, rival: str | None) -> None:
    with Case(database, validated=step == "validate", issues=issues(rival)) as case:
        proxied = fault.strike is unanswered
        if step == "validate":
            case.publish("publisher", "one")
            begun = "select count(*) > 0 from pkgdb.publications where namespace = %s"
            wait_until(case.db, begun, [case.namespace])
            actor = case.issue("validator", validate, guided=True, proxied=proxied)
        else:
            actor = case.publish("publisher", "one", guided=True, proxied=proxied)
        befall(case, actor, step, fault, rival)

        case.answering = case.validated
        case.settle()
        case.again(actor)
        case.settle()
        contents = {"publisher": "one"} | ({"rival": rival} if rival is not None else {})
        winners = {content for name, content in contents.items() if case.outcome(name)}
        assert len(winners) == 1, case.issued
        live = case.machine.digests(*winners)
        assert case.live() == live
        case.check_live()
        case.drain()
        assert case.live() == live


def unpublishing(database: Database, step: str, fault: Fault, rival: str | None) -> None:
    with Case(database, issues=issues(rival)) as case:
        case.publish("publisher", "one")
        case.settle()
        proxied = fault.strike is unanswered
        actor = case.issue("operator", unpublish, guided=True, proxied=proxied)
        befall(case, actor, step, fault, rival)

        case.settle()
        case.again(actor)
        case.settle()
        assert case.outcome("operator") == "deleted"
        live = case.live()
        if rival is not None and case.outcome("rival") == "created":
            assert live == case.machine.digests(rival)
        else:  # it came before the deletion
            assert live in ({}, case.machine.digests("one") if rival == "one" else {})
        case.check_live()
        case.drain()
        assert case.live() == live


def each_fault(steps: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("step", "fault"),
        [
            pytest.param(step, fault, id=f"{step}, {fault}")
            for step in steps
            for fault in FAULTS
            if fault.concerns(step)
        ],
    )


each_pass = pytest.mark.parametrize("beside", PASSES)


def survived(
    command: str, steps: list[str], step: str, fault: Fault, beside: str
) -> tuple[object, ...]:
    """For the table. A plain tuple gets through from a worker of pytest-xdist."""
    places = (steps.index(step), FAULTS.index(fault))
    return tuple(Survived(command, places[0], step, places[1], str(fault), beside))


@each_pass
@each_fault(PUBLISHING)
def test_publishing(
    database: Database,
    step: str,
    fault: Fault,
    beside: str,
    record_property: Callable[..., None],
) -> None:
    publishing(database, step, fault, PASSES[beside])
    record_property(FAULT, survived("publish", PUBLISHING, step, fault, beside))


@each_pass
@each_fault(UNPUBLISHING)
def test_unpublishing(
    database: Database,
    step: str,
    fault: Fault,
    beside: str,
    record_property: Callable[..., None],
) -> None:
    unpublishing(database, step, fault, PASSES[beside])
    record_property(FAULT, survived("unpublish", UNPUBLISHING, step, fault, beside))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_upload_that_outlives_its_object(database: Database, backend: str) -> None:
    """It began when nobody had the bytes. When it ends somebody has brought them, and they have
    been deleted again: what it makes is not forgotten."""
    with Case(database) as case:
        actor = case.publish("publisher", "one", guided=True)
        actor.until(Stop("during", f"upload {backend}"))
        case.advance(2 * LEASE)
        case.publish("rival", "one")
        case.settle(but=actor)
        case.issue("operator", unpublish)
        case.settle(but=actor)
        assert case.ledger() == {}
        actor.until(Stop("after", f"upload {backend}"))
        actor.kill()
        assert len(case.stored()) == 1
        case.drain()


Run = Callable[[Database, str, Fault, str | None], None]
TOO_SLOW = next(each for each in FAULTS if str(each) == "slower than the lease before")


@pytest.mark.parametrize(
    ("name", "removal", "run", "step", "rival", "seen"),
    [
        (
            "generations",  # deletions hit what was uploaded since
            """
            create or replace function pkgdb.object_key(
                p_namespace text, p_sha256 bytea, p_generation bigint)
            returns text language sql immutable return encode(p_sha256, 'hex')
            """,
            unpublishing,
            "remove folder",
            "one",
            "live without its bytes",
        ),
        (
            "second_deletion",  # an upload that ends after the deletion stays
            Edit(
                "confirm_blob_deleted",
                r"if coalesce\(v_copy\.deleted_attempt.*?and",
                "if false and",
            ),
            publishing,
            "upload folder",
            None,
            "objects that the ledger does not know",
        ),
        (
            "marks",  # the collector never hears of what was purged
            Edit("mark_unneeded", r"\nbegin\n", "\nbegin\n    return;\n"),
            unpublishing,
            "purge",
            None,
            "the collector does not know",
        ),
    ],
)
def test_it_is_noticed_without(
    machine: Machine,
    name: str,
    removal: str | Edit,
    run: Run,
    step: str,
    rival: str | None,
    seen: str,
) -> None:
    with (
        closing(Database(machine, f"faults_without_{name}", removal)) as database,
        pytest.raises(AssertionError, match=seen),
    ):
        run(database, step, TOO_SLOW, rival)
