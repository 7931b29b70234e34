"""Whose objects they are: a restored or cloned database must not delete what the original needs."""

from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.behaviour.calls import Calls, file
from tests.migrations.tools import psql, run_program
from tests.publications.clock import Clock
from tests.publications.ledger import Ledger
from tests.support import backend_pid, wait_until_blocked


@pytest.fixture
def unneeded(api, demo, disk, ledger):
    ledger.publish(demo, "1.0", file("a.whl", "a"))
    demo.delete_version("1.0")
    api.purge()


def test_only_the_installation_that_the_store_names(api, unneeded, ledger):
    for installation in (None, uuid4()):
        with api.refused("RG412"):
            api.rows("collect_blobs", "disk", installation)
    assert len(ledger.collect()) == 1


def test_the_installation_of_another_backend(api, unneeded, ledger):
    ledger.backend("other")
    with api.refused("RG412"):
        api.rows("collect_blobs", "disk", ledger.installations["other"])


def test_adopting_takes_it_from_the_others(api, unneeded, ledger):
    adopted = api.adopt_backend("disk", actor="jo")
    assert adopted.outcome == "adopted"
    assert adopted.installation_id != ledger.installations["disk"]
    with api.refused("RG412"):
        ledger.collect()
    ledger.installations["disk"] = adopted.installation_id
    assert len(ledger.collect()) == 1
    (row,) = api.ask("select * from pkgdb.backends")
    assert (row.installation_id, row.backend_id) == (adopted.installation_id, adopted.backend_id)
    assert api.adopt_backend("disk").installation_id != adopted.installation_id


def test_a_server_that_is_another(api, db, unneeded, ledger):
    """As after a restore: the rows say where they were written."""
    db.execute("update pkgdb.backend set server_identity = 'another/16384/00000001'")
    with api.refused("RG422"):
        ledger.collect()
    with api.refused("RG412"):
        api.rows("collect_blobs", "disk", uuid4())
    # Everything else goes on.
    again = api.add_backend("disk", "file:///disk")
    assert (again.outcome, again.installation_id) == ("unchanged", ledger.installations["disk"])
    ledger.installations["disk"] = api.adopt_backend("disk").installation_id
    assert len(ledger.collect()) == 1


def test_adopting_waits_for_a_purge_that_removes_it(api, ledger, connect, background):
    ledger.backend("disk")
    api.retire_backend("disk")
    purging, adopting = connect(autocommit=False), connect()
    assert api.on(purging).purge().backends == 1
    adopted = background.submit(api.on(adopting).adopt_backend, "disk")
    wait_until_blocked(api.connection, backend_pid(adopting))
    purging.commit()
    assert getattr(adopted.exception(), "sqlstate", None) == "RG404"


@pytest.fixture
def retired_elsewhere(api, repo, db, unneeded, ledger):
    """A backend that was retired before a restore."""
    repo.set_repository_backend("disk", "none")
    api.retire_backend("disk")
    db.execute("update pkgdb.backend set server_identity = 'another/16384/00000001'")
    with api.refused("RG422"):
        ledger.collect()


def test_a_retired_backend_of_another_server_is_adopted(api, retired_elsewhere, ledger):
    adopted = api.adopt_backend("disk")
    with api.refused("RG412"):
        ledger.collect()
    ledger.installations["disk"] = adopted.installation_id
    ledger.long_ago()
    assert [ledger.confirm(task).outcome for task in ledger.collect()] == ["deleted"]
    assert api.purge().backends == 1


def test_a_retired_backend_of_another_server_is_abandoned(api, retired_elsewhere, ledger):
    api.retire_backend("disk", True)
    assert ledger.copies() == []
    assert api.purge().backends == 1


def copied_by_template(server, admin, dsn, empty_dsn):
    copy = psycopg.conninfo.conninfo_to_dict(empty_dsn)["dbname"]
    original = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    names = {"copy": sql.Identifier(copy), "original": sql.Identifier(original)}
    admin.execute(sql.SQL("drop database {copy}").format(**names))
    admin.execute(sql.SQL("create database {copy} template {original}").format(**names))


def copied_by_dump(server, admin, dsn, empty_dsn):
    script = run_program([server.program("pg_dump"), "--no-owner"], dsn)
    psql(server, empty_dsn, script=script)


@pytest.fixture
def production(new_database, template):
    """A database of its own, as it is copied with all that is in it."""
    dsn = new_database(template)
    with psycopg.connect(dsn, autocommit=True) as connection:
        api = Calls(connection, ("acme",))
        api.create_repository("main")
        ledger = Ledger(api, Clock(connection))
        ledger.backend("disk", "required")
        demo = api.at("main", "pypi", "demo")
        ledger.publish(demo, "1.0", file("a.whl", "a"))
        demo.delete_version("1.0")
        api.purge()
    return dsn, ledger.installations


@pytest.mark.parametrize("copied", [copied_by_template, copied_by_dump])
def test_a_copy_of_the_database_deletes_nothing(server, admin, production, empty_dsn, copied):
    """Its store is the original's, and says the original's id, which the copy knows as well."""
    dsn, installations = production
    copied(server, admin, dsn, empty_dsn)
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        copy = Ledger(Calls(connection, ("acme",)), Clock(connection))
        copy.installations = dict(installations)
        with copy.api.refused("RG422"):
            copy.collect()
        adopted = copy.api.adopt_backend("disk").installation_id
        with copy.api.refused("RG412"):
            copy.collect()  # the store still says that it is the original's
        copy.installations["disk"] = adopted
        assert len(copy.collect()) == 1
        assert Calls(connection).rows("check_integrity") == []
    with psycopg.connect(dsn, autocommit=True) as connection:
        original = Ledger(Calls(connection, ("acme",)), Clock(connection))
        original.installations = installations
        assert len(original.collect()) == 1
        original.installations = {"disk": adopted}  # the copy has written its id into the store
        with original.api.refused("RG412"):
            original.collect()
