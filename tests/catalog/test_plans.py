"""Publishing updates in place, and lookups are index probes at any number of rows."""

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.permissions.tour import NAMESPACE, PACKAGE, REPOSITORY, Call, file, perform, walk

STORED = NAMESPACE | {"p_repository": "stored"}


def some_file(number: int) -> dict[str, Any]:
    return file(f"{number}.whl") | {"sha256": f"{number:064}"}


@pytest.fixture
def many(db: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A thousand packages, and one that has two thousand versions; in another repository a thousand
    that are being published. Some of these were given up, and some bytes are not needed."""
    backend = {"p_backend": "disk"}
    policy = {"validators": {"scan": "advisory"}}
    walk(db, [Call("create_repository", REPOSITORY)])
    walk(db, [Call("create_repository", STORED | {"p_policy": policy})])
    walk(db, [Call("add_backend", NAMESPACE | backend | {"p_url": "file:///srv"})])
    walk(db, [Call("set_repository_backend", STORED | backend)])
    wide = [
        {"ecosystem": "pypi", "name": f"p{n}", "version": "1", "files": [some_file(n)]}
        for n in range(1000)
    ]
    needed = [{"kind": "depends", "alternatives": [{"name": "p7"}]}]
    deep = [
        {"ecosystem": "pypi", "name": "Demo.App", "version": f"1.{n}", "dependencies": needed}
        for n in range(2000)
    ]
    perform(db, "publish_many", REPOSITORY | {"p_items": wide + deep})
    for version in ("1.7", "1.8", "1.9"):
        perform(db, "delete_version", PACKAGE | {"p_version": version})
    perform(db, "set_tag", PACKAGE | {"p_version": "1.5", "p_tag": "lts"})
    perform(db, "create_snapshot", REPOSITORY | {"p_snapshot": "all"})
    perform(db, "merge_snapshots", NAMESPACE | {"p_snapshot": "listed", "p_sources": ("all",)})
    db.execute("""
        select pkgdb.begin_publication('acme', 'stored', 'pypi', 'p' || n, '2', p_files =>
                   jsonb_build_array(jsonb_build_object('filename', n || '-2.whl', 'size', 1,
                                                        'sha256', lpad(n::text, 64, 'f'))))
          from generate_series(0, 999) n""")
    db.execute("""
        update pkgdb.publication set lease_until = '-infinity' where publication_id <= 5;
        update pkgdb.blob set unneeded_since = '-infinity' where sha256 in (
            select sha256 from pkgdb.file where publication_id > 995);
        delete from pkgdb.file where publication_id > 995;
        update pkgdb.blob_copy set attempts = 1""")
    db.execute("vacuum analyze")
    return db


def test_publishing_updates_the_registration_in_place(db: psycopg.Connection[Any]) -> None:
    walk(db, [Call("create_repository", REPOSITORY)])
    perform(db, "publish", PACKAGE | {"p_version": "0"})
    db.execute("vacuum full pkgdb.registration")
    counted = """
        select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables
         where relid = 'pkgdb.registration'::regclass"""
    with db.transaction():
        before = db.execute(counted).fetchone() or (0, 0)
        for number in range(1, 11):
            version = PACKAGE | {"p_version": str(number)}
            perform(db, "publish", version | {"p_files": [some_file(number)]})
            perform(db, "yank", version)
        after = db.execute(counted).fetchone() or (0, 0)
    assert (after[0] - before[0], after[1] - before[1]) == (20, 20)


def test_no_index_covers_what_a_publish_changes(db: psycopg.Connection[Any]) -> None:
    """The reason why it can be in place, which no page's size hides."""
    covered = db.execute("""
        select distinct a.attname from pg_index i
          cross join lateral unnest(i.indkey::int2[]) k (attnum)
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
         where i.indrelid = 'pkgdb.registration'::regclass""").fetchall()
    changed = {"latest_version_id", "latest_stable_version_id", "revision", "updated_at"}
    changed |= {"version_count", "file_count", "byte_count"}
    assert {name for (name,) in covered}.isdisjoint(changed)
    options = db.execute(
        "select reloptions from pg_class where oid = 'pkgdb.registration'::regclass"
    ).fetchone()
    assert options == (["fillfactor=70"],)


def plans(db: psycopg.Connection[Any], function: str, arguments: dict[str, Any]) -> list[Any]:
    """The plan of every statement inside the call, as auto_explain sees them."""
    logged: list[str] = []
    handler = lambda notice: logged.append(notice.message_primary or "")  # noqa: E731
    db.add_notice_handler(handler)
    try:
        db.execute("load 'auto_explain'")
    except psycopg.errors.UndefinedFile:
        pytest.skip("auto_explain is not part of this server")
    db.execute("""
        set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;
        set auto_explain.log_format = json; set auto_explain.log_level = notice;
        set auto_explain.log_analyze = on; set auto_explain.log_timing = off""")
    try:
        perform(db, function, arguments)
    finally:
        db.execute("set auto_explain.log_min_duration = -1")
        db.remove_notice_handler(handler)
    found = [json.loads(text.partition("plan:\n")[2]) for text in logged if "plan:\n" in text]
    assert found
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


CALLS = [
    ("resolve", {"p_want": "latest"}),
    ("resolve", {"p_want": "latest_stable"}),
    ("resolve", {"p_want": "1.77"}),
    ("resolve", {"p_want": "tag:lts"}),
    ("resolve", {"p_want": "latest", "p_variants": ("any", "")}),
    ("publish", {"p_version": "3", "p_files": [some_file(5000)]}),
    ("publish", {"p_version": "1.1"}),
    ("yank", {"p_version": "1.1999"}),
    ("quarantine", {"p_version": "1.1998"}),
    ("delete_version", {"p_version": "1.55"}),
    ("restore_version", {"p_version": "1.8"}),
    ("begin_publication", {"p_version": "4", "p_files": [some_file(6000)]}),
    (
        "begin_publication",
        {"p_repository": "stored", "p_name": "p7", "p_version": "2", "p_files": [some_file(6001)]},
    ),
]
FENCED = {"p_fence": 1}
COPY = {"p_backend": "disk", "p_sha256": f"{11:f>64}", "p_generation": 12}
CALLS_BY_ID = [
    ("renew_publication", {"p_publication_id": 11} | FENCED),
    ("record_copy", {"p_publication_id": 12} | FENCED | COPY),
    (
        "record_validation",
        {"p_publication_id": 12, "p_validator": "scan", "p_result": "succeeded"},
    ),
    ("commit_publication", {"p_publication_id": 12} | FENCED),
    ("abort_publication", {"p_publication_id": 13} | FENCED),
    ("expire_publications", {}),
    ("locate_blob", {"p_sha256": COPY["p_sha256"]}),
    ("verify_copy", COPY | {"p_found_sha256": None}),
    ("record_copy_failure", COPY | {"p_attempt": 1, "p_error": "full"}),
    ("collect_blobs", {"p_limit": 5}),
]
SMALL = {"ecosystem", "version_scheme", "repository", "namespace", "tag", "tombstone", "request"}
SMALL |= {"outbox", "snapshot", "backend", "repository_backend"}
SMALL |= {"mirror_version", "mirror_file"}  # a page or two here, or nothing


def test_only_index_probes(many: psycopg.Connection[Any]) -> None:
    """No statement reads more rows than it is about, and none reads a table from end to end."""
    calls = [(function, PACKAGE | changes) for function, changes in CALLS]
    calls += [(function, NAMESPACE | changes) for function, changes in CALLS_BY_ID]
    for function, changes in calls:
        for logged in plans(many, function, changes):
            for node in nodes(logged["Plan"]):
                where = (function, changes, logged["Query Text"], node)
                relation = node.get("Relation Name")
                if relation is not None and relation not in SMALL:
                    assert node["Node Type"] != "Seq Scan", where
                    read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                    assert read * node["Actual Loops"] <= 40, where
                if "Sort" in node["Node Type"]:
                    assert node["Actual Rows"] <= 10, where


def test_a_latest_pointer_is_one_probe_of_a_partial_index(
    many: psycopg.Connection[Any],
) -> None:
    logged = plans(many, "yank", PACKAGE | {"p_version": "1.1998"})
    update = next(
        plan for plan in logged if re.search(r"update pkgdb\.registration", plan["Query Text"])
    )
    probes = {node.get("Index Name") for node in nodes(update["Plan"])}
    assert {"package_version_latest_idx", "package_version_latest_stable_idx"} <= probes


def test_files_are_listed_by_keys_before_the_first_analyze(db: psycopg.Connection[Any]) -> None:
    """A planner without statistics takes a namespace for one row."""
    walk(db, [Call("create_repository", REPOSITORY)])
    items = [
        {"ecosystem": "pypi", "name": f"p{n % 5}", "version": str(n), "files": [some_file(n)]}
        for n in range(60)
    ]
    perform(db, "publish_many", REPOSITORY | {"p_items": items})
    (plan,) = db.execute(
        "explain (analyze, timing off, format json) select * from pkgdb.files"
    ).fetchone() or ([],)
    seen = [
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan[0]["Plan"])
    ]
    assert plan[0]["Plan"]["Actual Rows"] == 60
    assert max(seen) <= 2 * 60
