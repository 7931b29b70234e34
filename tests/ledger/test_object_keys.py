"""The keys of objects, as they go to a file system, or to a URL."""

import re

import pytest

from tests.behaviour.calls import Calls, file
from tests.publications.clock import Clock
from tests.publications.ledger import Ledger, digest

PLAIN = ["acme", "a", "0", "team-1", "a_b", "x" * 63]
HOSTILE = [
    "..", ".", "../acme", "acme/..", "/etc", "acme/00", "a//b", "C:", "con.", "A", "ACME", "\uff21",
    "é", "\u202eacme", "a b", "a\\b", "a%2fb", "-rf", "_x", "x" * 64, "x" * 255, "~", "$HOME",
    "a'b", 'a"b', "`id`", "*", "?", "#", "n-" + "0" * 40 + "!",
]  # fmt: skip


def key_in(db, namespace):
    api = Calls(db, (namespace,))
    api.create_repository("main")
    ledger = Ledger(api, Clock(db))
    ledger.backend("disk", "required")
    ledger.publish(api.at("main", "generic", "demo"), "1", file("a", "a"))
    (copy,) = api.ask("select * from pkgdb.blob_copies where namespace = %s", namespace)
    return copy.object_key, copy.generation


@pytest.mark.parametrize("namespace", PLAIN)
def test_a_plain_namespace_is_in_the_key(api, db, namespace):
    key, generation = key_in(db, namespace)
    assert key == f"{namespace}/{digest('a')[:2]}/{digest('a')}.{generation}"


@pytest.mark.parametrize("namespace", HOSTILE)
def test_a_hostile_one_is_not(api, db, namespace):
    key, generation = key_in(db, namespace)
    assert re.fullmatch(rf"_[0-9a-f]{{40}}/[0-9a-f]{{2}}/[0-9a-f]{{64}}\.{generation}", key)


def test_no_two_have_one_prefix(api, db):
    prefixes = [key_in(db, namespace)[0].split("/")[0] for namespace in (*PLAIN, *HOSTILE)]
    assert len({prefix.casefold() for prefix in prefixes}) == len(prefixes)


def test_nobody_takes_the_prefix_of_a_hostile_one(api, db):
    """By naming a namespace as the other's key begins."""
    key, _ = key_in(db, "..")
    mine, _ = key_in(db, key.split("/")[0])
    assert mine.split("/")[0] != key.split("/")[0]


def test_a_name_of_a_file_or_package_is_not_in_it(api, repo, disk, ledger):
    ledger.publish(repo.at("generic", "../../etc"), "1", file("passwd", "a"))
    assert re.fullmatch(r"acme/[0-9a-f]{2}/[0-9a-f]{64}\.\d+", ledger.present().object_key)


def test_every_key_is_told_alike(api, demo, disk, ledger):
    """By begin_publication, the view, claim_copies (source and target) and collect_blobs."""
    publication = demo.begin_publication("1.0", files=[file("a", "a")])
    ledger.record(publication)
    ledger.commit(publication)
    (announced,) = publication.copies
    assert ledger.present().object_key == announced["object_key"]
    ledger.backend("cold", "required")
    (task,) = ledger.claim()
    ledger.verify(task, task.sha256)
    assert task.source_key == announced["object_key"]
    assert ledger.present("cold").object_key == task.object_key
    demo.delete_version("1.0")
    api.purge()
    for backend, key in (("disk", announced["object_key"]), ("cold", task.object_key)):
        assert [gone.object_key for gone in ledger.collect(backend)] == [key]


def test_an_object_is_never_known_to_a_reader_that_may_not_see_it(api, demo, disk, ledger, connect):
    ledger.publish(demo, "1.0", file("a", "a"))
    with connect() as reader:
        reader.execute("set role pkgdb_reader")
        (key,) = reader.execute("select object_key from pkgdb.blob_copies").fetchone()
        assert key == ledger.present().object_key
        for view in ("dead_letters", "backends", "publications", "blob_copy"):
            with pytest.raises(Exception, match="permission denied"):
                reader.execute(f"select * from pkgdb.{view}")
