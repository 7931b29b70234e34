"""The state machine of `machine`, on the schema as it is, and on broken ones that it must catch.

PKGDB_TEST_EXAMPLES asks for more examples.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.interleavings.sessions import Sessions
from tests.model import call
from tests.publications.clock import Clock
from tests.stateful.machine import SESSIONS, CatalogMachine, Registry, publish
from tests.support import Trials

pytestmark = pytest.mark.slow
SETTINGS = settings(
    max_examples=int(os.environ.get("PKGDB_TEST_EXAMPLES", "80")),
    stateful_step_count=35,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def registry(dsn: str, db: psycopg.Connection) -> Iterator[Registry]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        sessions = runner.run(Sessions.open(stack, dsn, SESSIONS))
        yield Registry(runner, sessions, Clock(db))
        runner.run(stack.aclose())


def test_any_transactions_do_what_the_model_says(registry: Registry, trials: Trials) -> None:
    run_state_machine_as_test(partial(CatalogMachine, registry), settings=SETTINGS)
    print(registry)
    trials(registry.counts["commits"] + registry.counts["rollbacks"])


def test_of_a_deadlock_one_transaction_goes_on(registry: Registry) -> None:
    """Two transactions that publish two packages in opposite order."""
    machine = CatalogMachine(registry)
    machine.create(policy={"reuse": "never"}, shared=False)
    first, second = (publish("main", name=name, version="3.0", files=[]) for name in ("a", "b"))
    for place, asked in [(0, first), (1, second), (0, second), (1, first)]:
        machine.do(machine.ask(place, asked))
    assert registry.counts["deadlocks"] == 1
    machine.teardown()
    assert {r.name: r.revision for r in machine.model.registrations} == {"pkg": 2, "a": 1, "b": 1}


def test_who_has_to_commit_at_once_comes_before_who_waited_with_it(registry: Registry) -> None:
    """A repository is found as one transaction has left it, while another one changes it."""
    for _ in range(5):  # the server decides who of the two gets on first
        machine = CatalogMachine(registry)
        machine.create(policy={"reuse": "never"}, shared=False)
        main = {"repository": "main"}
        left = {"reuse": "never", "keep_versions": 3, "validators": {}}
        for place, asked in [
            (0, call("alter_repository", **main, policy={"keep_versions": 3})),
            (2, call("create_repository", **main, policy=left)),
            (1, call("alter_repository", **main, policy={"reuse": "always"})),
        ]:
            machine.do(machine.ask(place, asked, commits=place > 0))
        machine.do(machine.commit(0))
        machine.teardown()
    assert registry.counts["waits"] == 10


BROKEN = {
    "latest is never computed again": ("touch", r"latest_version_id = .*?(?=latest_stable)", ""),
    "latest is what was published last": ("touch", r"order by v.version_key desc,", "order by"),
    "a yanked version can be latest": ("touch", r"and v.listed\n", "\n"),
    "versions are not counted": ("touch", r"r.version_count \+ p_versions", "r.version_count"),
    "nobody remembers what was deleted": ("remember_deleted", r"begin.*end;", "begin end;"),
    "any fence will do": ("check_fence", r"if p_publication.fence.*?end if;", ""),
    "bytes may be anywhere": ("check_stored", r"begin.*end;", "begin end;"),
    "nobody locks": ("lock_keys", r"begin.*end;", "begin end;"),
    "listed versions can be purged": ("pins", r"union all.*;", ";"),
    "snapshots have what was removed": (
        "snapshot_members",
        r"and \(o.removed_epoch is null or [^)]*\)",
        "",
    ),
    "snapshots have what came later": (
        "create_snapshot",
        r"epoch = r.epoch \+ 1",
        "epoch = r.epoch",
    ),
    "snapshots leave out what was removed since": (
        "snapshot_members",
        r"or o.removed_epoch > p_snapshot.epoch",
        "",
    ),
    "what is served can be dropped": ("drop_snapshot", r"if exists \(.*?end if;", ""),
    "sources are forgotten": ("insert_sources", r"begin.*end;", "begin end;"),
    "what is quarantined is served": (
        "without_quarantined",
        r"where v.status <> 'quarantined' and v.quarantine_reason is null",
        "",
    ),
}
# What would refuse as well where a function does not.
BESIDES = {
    "listed versions can be purged": (
        "alter table pkgdb.snapshot_member drop constraint snapshot_member_version_fkey"
    ),
    "what is served can be dropped": (
        "alter table pkgdb.distribution_component"
        " drop constraint distribution_component_snapshot_fkey"
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_machine_catches_a_broken_function(
    fault: str, registry: Registry, db: psycopg.Connection
) -> None:
    function, pattern, replacement = BROKEN[fault]
    query = "select pg_get_functiondef(%s::regproc)"
    [(source,)] = db.execute(query, [f"pkgdb.{function}"]).fetchall()
    broken = re.sub(pattern, replacement, source, count=1, flags=re.DOTALL)
    assert broken != source
    db.execute(broken.encode())
    db.execute(BESIDES.get(fault, "").encode())
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            partial(CatalogMachine, registry),
            settings=settings(
                # It ends with the first that is caught: this only says when to give up.
                SETTINGS,
                max_examples=5000,
                phases=[Phase.generate],
                database=None,
                derandomize=True,
            ),
        )
