"""The other commands: what they print, for people and for scripts, and how they exit."""

import subprocess

import pytest

from pkgdb.cli import app


def test_help_and_version(run):
    result = run("--help")
    assert result.exit_code == 0
    for command in ("up", "down", "demo", "migrate", "load", "show", "check", "locks"):
        assert f"  {command} " in result.stdout
        assert run(command, "--help").exit_code == 0
    assert run("--version").exit_code == 0


@pytest.mark.parametrize("arguments", [("nix",), ("check", "--nix"), ("show", "a", "b", "c", "d")])
def test_wrong_usage(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage" in result.stderr


class TestShow:
    def test_nothing(self, run, run_json):
        assert run("show").stdout == "no repositories\n"
        assert run_json("show") == {"repositories": []}

    def test_repositories(self, run, run_json, db):
        db.execute("select pkgdb.create_repository('n', 'empty')")
        db.execute("select pkgdb.create_repository('n', 'r')")
        db.execute("select pkgdb.create_repository('other', 'r')")
        db.execute("select pkgdb.publish('n', 'r', 'pypi', 'a', '1')")
        db.execute("select pkgdb.publish('n', 'r', 'pypi', 'a', '2')")
        db.execute("select pkgdb.publish('n', 'r', 'npm', 'a', '1.0.0')")
        rows = run_json("show", "n")["repositories"]
        assert [(r["repository"], r["packages"], r["versions"]) for r in rows] == [
            ("empty", 0, 0),
            ("r", 2, 3),
        ]
        assert len(run_json("show")["repositories"]) == 3
        assert "empty" in run("show").stdout

    def test_a_repository(self, run, run_json, db):
        db.execute("select pkgdb.create_repository('n', 'r')")
        for name in ("b", "A", "c"):
            db.execute("select pkgdb.publish('n', 'r', 'pypi', %s, '1.0')", [name])
        shown = run_json("show", "n", "r", "--limit", 2)
        assert [row["name"] for row in shown["packages"]] == ["A", "b"]
        assert shown["more"] is True
        assert shown["repository"]["kind"] == "hosted"
        assert "the first 2" in run("show", "n", "r", "--limit", 2).stdout
        assert run_json("show", "n", "r", "--ecosystem", "npm")["packages"] == []

    def test_a_package_by_any_spelling(self, run, run_json, db):
        db.execute("select pkgdb.create_repository('n', 'r')")
        files = '[{"filename": "f.whl", "sha256": "%s", "size": 5}]' % ("0" * 64)
        db.execute(
            "select pkgdb.publish('n', 'r', 'pypi', 'Foo.Bar', '1.0', p_files => %s)", [files]
        )
        db.execute("select pkgdb.publish('n', 'r', 'pypi', 'foo-bar', '1.1')")
        db.execute("select pkgdb.yank('n', 'r', 'pypi', 'foo-bar', '1.1', p_reason => 'oops')")
        db.execute("select pkgdb.set_tag('n', 'r', 'pypi', 'foo-bar', '1.0', p_tag => 'good')")
        assert run_json("show", "n", "r", "FOO_bar")["package"]["name"] == "Foo.Bar"
        shown = run("show", "n", "r", "foo-bar", "--files").stdout
        for text in ("Foo.Bar", "latest 1.0", "yanked: oops", "good", "f.whl", "5 bytes"):
            assert text in shown
        assert "the highest 1" in run("show", "n", "r", "foo-bar", "--limit", 1).stdout

    def test_a_name_in_two_ecosystems(self, run, run_json, db):
        db.execute("select pkgdb.create_repository('n', 'r')")
        db.execute("select pkgdb.publish('n', 'r', 'pypi', 'a', '1')")
        db.execute("select pkgdb.publish('n', 'r', 'npm', 'a', '1.0.0')")
        result = run("show", "n", "r", "a")
        assert result.exit_code == 2
        assert "npm, pypi" in result.stderr
        shown = run_json("show", "n", "r", "a", "--ecosystem", "npm")
        assert shown["package"]["ecosystem"] == "npm"

    @pytest.mark.parametrize("arguments", [("n", "nix"), ("n", "r", "nix")])
    def test_what_is_not_there(self, run, db, arguments):
        db.execute("select pkgdb.create_repository('n', 'r')")
        result = run("show", *arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: no ")


class TestCheck:
    def test_a_sound_database(self, run, run_json):
        assert run("check").stdout == "no violations\n"
        assert run("check").exit_code == 0
        assert run_json("check") == {"violations": []}

    def test_a_broken_one(self, run, run_json, db):
        db.execute("select pkgdb.create_repository('n', 'r')")
        db.execute("select pkgdb.publish('n', 'r', 'pypi', 'a', '1')")
        db.execute("update pkgdb.registration set latest_version_id = null")
        result = run("check")
        assert result.exit_code == 1
        assert "registration" in result.stdout
        (violation, *_) = run_json("check")["violations"]
        assert set(violation) == {"promise", "relation", "key", "detail"}
        assert run("check", "--namespace", "other").exit_code == 0


class TestLocks:
    def test_none(self, run, run_json):
        assert run("locks").stdout == "no locks\n"
        assert run_json("locks") == {"locks": []}

    def test_who_holds_what(self, run, run_json, connect):
        setup = connect()
        setup.execute("select pkgdb.create_repository('n', 'r')")
        setup.execute("select pkgdb.publish('n', 'r', 'pypi', 'thing', '1')")
        holder = connect(autocommit=False)
        holder.execute("select pkgdb.yank('n', 'r', 'pypi', 'thing', '1')")
        rows = run_json("locks")["locks"]
        assert {(row["lock_kind"], row["name"], row["granted"]) for row in rows} == {
            ("repository", None, True),
            ("registration", "thing", True),
        }
        shown = run("locks")
        assert shown.exit_code == 0
        assert "n/r/pypi/thing" in shown.stdout
        holder.rollback()


class TestMigrate:
    def test_an_empty_database(self, run, empty_dsn):
        assert "nothing -> " in run("migrate", "--dsn", empty_dsn).stdout
        assert " already" in run("migrate", "--dsn", empty_dsn).stdout
        assert run("check", "--dsn", empty_dsn).exit_code == 0

    def test_the_script(self, run):
        result = run("migrate", "--sql", "--dsn", "host=/nowhere")
        assert result.exit_code == 0
        assert "create function pkgdb.publish(" in result.stdout

    def test_how_long_it_may_wait(self, run):
        result = run("migrate", "--sql", "--lock-timeout", "200")
        assert result.stdout.startswith("SET lock_timeout = '200ms';")

    def test_an_unknown_revision_is_one_line(self, run, empty_dsn):
        result = run("migrate", "--to", "nix", "--dsn", empty_dsn)
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: ")

    @pytest.mark.parametrize(
        "arguments", [("check",), ("show",), ("locks",), ("show", "a", "b")], ids="-".join
    )
    def test_without_a_schema_there_is_a_hint(self, run, empty_dsn, arguments):
        result = run(*arguments, "--dsn", empty_dsn)
        assert result.exit_code == 2
        assert "run `pkgdb migrate`" in result.stderr


def test_no_server_is_one_line(run):
    result = run("check", "--dsn", "host=/nowhere/at/all")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr


def test_a_role_without_the_right_is_told_so(run, server, db):
    db.execute("create role pkgdb_cli_nobody login")
    try:
        dsn = server.dsn(db.info.dbname, "pkgdb_cli_nobody")
        result = run("check", "--dsn", dsn)
        assert result.exit_code == 2
        assert "42501" in result.stderr
    finally:
        db.execute("drop role pkgdb_cli_nobody")


def test_missing_extra_is_named(monkeypatch, capsys):
    import builtins

    from pkgdb import cli

    imported = builtins.__import__

    def without_click(name, *arguments, **keywords):
        if name == "pkgdb.cli.app":
            raise ModuleNotFoundError("No module named 'click'", name="click")
        return imported(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_click)
    with pytest.raises(SystemExit) as exited:
        cli.main()
    assert exited.value.code == 2
    assert capsys.readouterr().err == "click is missing: install pkgdb[cli]\n"


class TestProcess:
    def test_dsn_by_option_and_by_environment(self, spawn, dsn):
        assert spawn("check", "--dsn", dsn).stdout == "no violations\n"
        assert spawn("check", PKGDB_DSN=dsn).returncode == 0
        assert spawn("check", PKGDB_DSN="host=/nowhere").returncode == 2
        assert spawn("nix").returncode == 2

    def test_findings_exit_with_one(self, spawn, dsn, db):
        db.execute("select pkgdb.create_repository('n', 'r')")
        db.execute("select pkgdb.publish('n', 'r', 'pypi', 'a', '1')")
        db.execute("update pkgdb.registration set version_count = 7")
        assert spawn("check", "--dsn", dsn).returncode == 1

    def test_a_closed_pipe_is_no_traceback(self, spawn, dsn, tmp_path):
        import os
        import sys

        read_end, write_end = os.pipe()
        os.close(read_end)
        with os.fdopen(write_end, "w") as closed:
            process = subprocess.run(
                [sys.executable, "-m", "pkgdb", "migrate", "--sql"],
                stdout=closed,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert "Traceback" not in process.stderr


def test_commands_are_those_documented():
    assert sorted(app.cli.commands) == sorted(
        [
            *("up", "down", "demo", "migrate", "load", "show", "check", "locks", "upgrade-schemes"),
            *("backend", "publish", "unpublish", "worker", "project"),
            *("repository", "mirror", "snapshot", "distribution", "import-aptly"),
        ]
    )
