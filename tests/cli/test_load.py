"""`load`, and what `show` and `check` say afterwards."""

from pathlib import Path

import pytest

import pkgdb
from pkgdb.cli.database import connected
from pkgdb.cli.load import Loader

SAMPLE = Path(pkgdb.__file__).parent / "sample"
THERE = ("--namespace", "n", "--repository", "r")
INTO = (*THERE, "--create")
SHA = "ab" * 32


def file(name: str, digest: str = SHA) -> dict:
    return {"filename": name, "sha256": digest, "size": 7}


def test_it_loads_and_shows_and_checks(run, run_json, items):
    path = items(
        {"version": "1.0", "files": [file("thing-1.0.tar.gz")]},
        {"version": "1.1", "yanked": "broken"},
        {"version": "2.0rc1", "tags": ["next"]},
        {"version": "0.9", "deprecated": "old"},
    )
    result = run("load", path, *INTO)
    assert result.exit_code == 0
    assert "4 entries" in result.stdout
    assert "4 created, 1 yanked, 1 tagged, 1 deprecated" in result.stdout

    shown = run_json("show", "n", "r", "Thing")
    assert shown["package"]["latest"] == "2.0rc1"
    assert shown["package"]["latest_stable"] == "1.0"
    assert [(v["version"], v["listed"]) for v in shown["versions"]] == [
        ("2.0rc1", True),
        ("1.1", False),
        ("1.0", True),
        ("0.9", True),
    ]
    assert [(t["tag"], t["version"]) for t in shown["tags"]] == [("next", "2.0rc1")]
    assert shown["versions"][2]["files"][0]["sha256"] == SHA
    assert run("check").exit_code == 0


def test_a_second_load_changes_nothing(run_json, items):
    path = items("1.0", {"version": "1.1", "yanked": True, "tags": ["t"], "deprecated": "d"})
    first = run_json("load", path, *INTO)
    before = run_json("show", "n", "r", "thing")
    second = run_json("load", path, *THERE)
    assert first["outcomes"] == {"created": 2, "yanked": 1, "deprecated": 1, "tagged": 1}
    assert second["outcomes"] == {"unchanged": 2}
    assert second["loaded"] is True
    assert run_json("show", "n", "r", "thing") == before


def test_bad_entries_are_reported_with_their_line_and_the_rest_is_loaded(run, run_json, items):
    path = items(
        "1.0",
        "what is this",
        {"version": "1.2", "files": [file("a", "short")]},
        {"version": 7},
        {"version": "1.3", "tags": ["a b\t"]},
        "1.4",
    )
    report = run_json("load", path, *INTO)
    assert report["entries"] == 6
    assert report["outcomes"] == {"created": 3, "refused": 2, "unreadable": 1}
    assert [(r["line"], r["sqlstate"]) for r in report["refused"]] == [
        (2, "RG400"),
        (3, "RG400"),
        (4, None),
        (5, "RG400"),
    ]
    assert {r["file"] for r in report["refused"]} == {str(path)}
    shown = run_json("show", "n", "r", "thing")
    assert [v["version"] for v in shown["versions"]] == ["1.4", "1.3", "1.0"]

    result = run("load", path, *THERE)
    assert result.exit_code == 1
    assert "4 not loaded" in result.stdout
    assert "thing what is this" in result.stdout
    assert run("check").exit_code == 0


@pytest.mark.parametrize("bad", ["not a version", {"version": 1}])
def test_strict_loads_nothing_and_names_everything_bad(run, run_json, items, bad):
    path = items("1.0", bad, {"version": "1.1", "yanked": True}, bad)
    result = run("load", path, *INTO, "--strict", "--batch", 1)
    assert result.exit_code == 1
    assert "2 not loaded" in result.stdout
    assert "nothing was loaded" in result.stdout
    assert run_json("show") == {"repositories": []}
    report = run_json("load", path, *INTO, "--strict")
    assert (report["loaded"], len(report["refused"])) == (False, 2)


def test_strict_loads_all_where_all_is_well(run_json, items):
    path = items("1.0", {"version": "1.1", "yanked": True, "tags": ["t"]}, "1.2")
    report = run_json("load", path, *INTO, "--strict", "--batch", 1)
    assert (report["loaded"], report["refused"]) == (True, [])
    assert run_json("show", "n", "r", "thing")["package"]["versions"] == 3


def test_a_version_that_is_to_be_yanked_is_never_latest(dsn, items):
    from pkgdb.indexes import read

    path = items("1.0", {"version": "2.0", "yanked": True})
    with connected(dsn) as connection, connected(dsn) as reader:
        connection.execute("select pkgdb.create_repository('n', 'r')")
        seen = []
        for _ in Loader(connection, "n", "r", batch=1).load("x", read(path)):
            row = reader.execute("select latest from pkgdb.registrations").fetchone()
            seen.append(row["latest"])
    assert seen == ["1.0", "1.0", "1.0"]


def test_other_content_is_refused_and_changes_nothing(run_json, items):
    run_json("load", items({"version": "1", "files": [file("a.tar.gz")]}), *INTO)
    path = items({"version": "1", "files": [file("a.tar.gz", "cd" * 32)]}, "2")
    report = run_json("load", path, *THERE)
    assert [refusal["sqlstate"] for refusal in report["refused"]] == ["RG409"]
    assert report["outcomes"] == {"refused": 1, "created": 1}


def test_every_format_of_the_sample(run, run_json):
    files = sorted([*SAMPLE.glob("npm/*"), *SAMPLE.glob("pypi/*")])
    report = run_json("load", *files, *INTO)
    # Some of the oldest versions of one package are not valid in today's SemVer.
    assert {r["sqlstate"] for r in report["refused"]} <= {"RG400"}
    assert report["unregistered_files"] > 0
    packages = {row["name"]: row for row in run_json("show", "n", "r")["packages"]}
    assert set(packages) == {"django", "express", "flask", "left-pad", "react", "requests"}
    assert all(row["latest"] == row["latest_stable"] for row in packages.values())
    tags = run_json("show", "n", "r", "react")["tags"]
    assert [(tag["tag"], tag["version"]) for tag in tags] == [
        ("latest", packages["react"]["latest"])
    ]
    assert run("check").exit_code == 0


def test_one_file_of_many_that_nobody_knows_is_named(run, tmp_path, items):
    unknown = tmp_path / "unknown"
    unknown.write_text("root:x:0:0\n")
    result = run("load", unknown, *INTO)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {unknown}: not an index file of a known format\n"
    forced = run("load", unknown, *THERE, "--format", "jsonl")
    assert forced.exit_code == 1
    assert "not JSON" in forced.stdout


def test_a_missing_repository_is_one_line(run, items):
    result = run("load", items("1.0"), *THERE)
    assert result.exit_code == 2
    assert result.stderr == "Error: RG404: no repository 'r' in namespace 'n'\n"
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("/nowhere/at/all",),
        ("/nowhere/at/all", *THERE),
        (__file__,),
        (__file__, *THERE, "--batch", 0),
        (__file__, *THERE, "--format", "nix"),
    ],
)
def test_wrong_usage(run, arguments):
    result = run("load", *arguments)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_create_leaves_a_repository_as_it_is(run_json, items, db):
    db.execute("""select pkgdb.create_repository('n', 'r', 'hosted', '{"reuse": "always"}')""")
    run_json("load", items("1.0"), *INTO)
    (row,) = run_json("show", "n")["repositories"]
    assert row["policy"]["reuse"] == "always"
