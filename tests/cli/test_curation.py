"""`repository`, `snapshot`, `distribution` and `mirror` on the command line."""

import json
import re
from pathlib import Path

import pytest

from pkgdb.cli import app
from pkgdb.mirrors import transport
from tests.mirrors.archives import Archive, Deb

HERE = ("--namespace", "n")
GROUPS = {
    "repository": "copy create drop edit list move remove rename search show",
    "mirror": "create drop edit list rename show update",
    "snapshot": "create diff drop filter list merge pull rename search show verify",
    "distribution": "create drop list render show switch",
}


def depends(name: str) -> list[dict]:
    return [{"kind": "depends", "alternatives": [{"name": name}]}]


@pytest.fixture
def packages(db):
    """A repository with an application, its library, and something else."""
    db.execute("select pkgdb.create_repository('n', 'r')")
    for name, version, needs in [
        ("app", "1.0", "lib"),
        ("lib", "1.0", None),
        ("other", "1.0", None),
    ]:
        db.execute(
            "select pkgdb.publish('n', 'r', 'deb', %s, %s, 'amd64', p_dependencies => %s)",
            [name, version, json.dumps(depends(needs) if needs else [])],
        )


def names(listed: dict) -> list[str]:
    return [f"{row['name']} {row['version']}" for row in listed["versions"]]


def test_commands_are_those_documented():
    assert {group: " ".join(sorted(app.cli.commands[group].commands)) for group in GROUPS} == GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_every_command_explains_itself(run, group):
    for command in GROUPS[group].split():
        result = run(group, command, "--help")
        assert result.exit_code == 0
        assert re.search(r"Usage: .*\n\n  [A-Z]", result.stdout)


class TestNothing:
    @pytest.mark.parametrize("group", ["mirror", "snapshot", "distribution"])
    def test_lists(self, run, run_json, group):
        assert run(group, "list", *HERE).stdout == f"no {group}s\n"
        assert run_json(group, "list", *HERE) == {f"{group}s": []}

    @pytest.mark.parametrize("group", ["repository", "mirror", "snapshot", "distribution"])
    def test_shows(self, run, group):
        result = run(group, "show", "x", *HERE)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"Error: no {group} 'x' in namespace 'n'\n"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("repository", "remove", "x", "a"),
            ("repository", "copy", "x", "y", "a"),
            ("repository", "search", "x"),
            ("snapshot", "create", "s", "--from-repository", "x"),
            ("snapshot", "merge", "s", "x"),
            ("snapshot", "diff", "x", "y"),
            ("snapshot", "drop", "x"),
            ("distribution", "create", "d", "--snapshot", "x"),
            ("distribution", "drop", "d"),
        ],
        ids=" ".join,
    )
    def test_errors_are_one_line_with_their_code(self, run, db, arguments):
        result = run(*arguments, *HERE)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("Error: RG404: ")


class TestRepository:
    def test_create_edit_rename_drop(self, run, run_json):
        policies = ("--policy", "reuse=always", "--policy", "keep_versions=3")
        assert run("repository", "create", "r", *HERE, *policies).stdout == "r created\n"
        assert run_json("repository", "create", "r", *HERE, *policies)["outcome"] == "unchanged"
        assert run("repository", "create", "r", *HERE).exit_code == 2
        edited = run("repository", "edit", "r", *HERE, "--policy", "lookalike_guard=true")
        assert edited.stdout == "r altered\n"
        assert run("repository", "rename", "r", "q", *HERE).stdout == "q renamed\n"
        (row,) = run_json("repository", "list", *HERE)["repositories"]
        assert row["repository"] == "q"
        assert {
            key: row["policy"][key] for key in ("reuse", "keep_versions", "lookalike_guard")
        } == {
            "reuse": "always",
            "keep_versions": 3,
            "lookalike_guard": True,
        }
        assert run("repository", "drop", "q", *HERE).stdout == "q dropped\n"
        assert run_json("repository", "list", *HERE) == {"repositories": []}

    @pytest.mark.parametrize("policy", ["immutable", "=true", "nix=1", "immutable=7"])
    def test_what_is_no_policy(self, run, run_json, policy):
        assert run("repository", "create", "r", *HERE, "--policy", policy).exit_code == 2
        assert run_json("repository", "list", *HERE) == {"repositories": []}

    def test_copy_move_remove_search(self, run, run_json, packages):
        run("repository", "create", "q", *HERE)
        planned = run("repository", "copy", "r", "q", "app | lib", *HERE, "--dry-run")
        assert planned.stdout == "+ deb app 1.0 amd64\n+ deb lib 1.0 amd64\nplanned: 2 added\n"
        assert names(run_json("repository", "search", "q", *HERE)) == []
        copied = run("repository", "copy", "r", "q", "app", "lib", *HERE)
        assert copied.stdout.endswith("copied: 2 added\n")
        again = run("repository", "copy", "r", "q", "app", "lib", *HERE)
        assert again.stdout == "unchanged: 2 unchanged\n"
        moved = run_json("repository", "move", "r", "q", "other", *HERE)
        assert (moved["outcome"], moved["added"]) == ("moved", 1)
        assert names(run_json("repository", "search", "r", *HERE)) == ["app 1.0", "lib 1.0"]
        assert run("repository", "search", "q", "Name (% o*)", *HERE).stdout == (
            "deb other 1.0 amd64\n"
        )
        removed = run("repository", "remove", "q", "lib", *HERE)
        assert removed.stdout == "- deb lib 1.0 amd64\nremoved: 1 removed\n"
        assert run("repository", "remove", "q", "lib", *HERE).stdout == "unchanged: nothing\n"
        assert names(run_json("repository", "search", "q", *HERE)) == ["app 1.0", "other 1.0"]
        assert run("check").exit_code == 0

    def test_a_malformed_query_is_told_with_its_place(self, run, packages):
        result = run("repository", "search", "r", "app (", *HERE)
        assert result.exit_code == 2
        assert "RG400: query is malformed at character" in result.stderr

    def test_it_begins_with_a_snapshot(self, run, run_json, packages):
        run("snapshot", "create", "s", "--from-repository", "r", *HERE)
        created = run("repository", "create", "q", "--from-snapshot", "s", *HERE)
        assert created.stdout == "q created; 3 added\n"
        assert len(names(run_json("repository", "search", "q", *HERE))) == 3
        filled = run_json("repository", "create", "p", "--from-snapshot", "s", *HERE)
        assert filled["copied"]["added"] == 3

    def test_files_and_state(self, run, db):
        db.execute("select pkgdb.create_repository('n', 'r')")
        file = {"filename": "f.whl", "sha256": "ab" * 32, "size": 7}
        db.execute(
            "select pkgdb.publish('n', 'r', 'pypi', 'a', '1', p_files => %s)", [json.dumps([file])]
        )
        db.execute("select pkgdb.yank('n', 'r', 'pypi', 'a', '1', p_reason => 'oops')")
        searched = run("repository", "search", "r", *HERE, "--files")
        assert searched.stdout == f"pypi a 1 (yanked: oops)\n    {'ab' * 32} 7 f.whl\n"
        assert searched.stderr == "1 versions\n"


class TestSnapshot:
    def test_from_a_repository_and_what_differs_later(self, run, run_json, packages):
        created = run("snapshot", "create", "s", "--from-repository", "r", *HERE)
        assert created.stdout == "s created\n"
        assert run("snapshot", "diff", "s", "s", *HERE).stdout == "no differences\n"
        run("repository", "remove", "r", "other", *HERE)
        run("snapshot", "create", "t", "--from-repository", "r", *HERE)
        diff = run("snapshot", "diff", "s", "t", *HERE)
        assert (diff.exit_code, diff.stdout) == (
            1,
            "- deb other amd64: removed, 1.0\n1 removed\n",
        )
        (row,) = run_json("snapshot", "diff", "t", "s", *HERE)["differences"]
        assert (row["change"], row["right_version"]) == ("added", "1.0")
        assert len(names(run_json("snapshot", "search", "s", *HERE))) == 3
        assert run("snapshot", "create", "s", *HERE).exit_code == 2

    def test_of_chosen_versions(self, run, run_json, packages, tmp_path):
        chosen = tmp_path / "chosen"
        lib = {"ecosystem": "deb", "name": "lib", "version": "1.0", "variant": "amd64"}
        chosen.write_text(f"pkg:deb/app@1.0?arch=amd64\n\n{json.dumps(lib)}\n")
        items = ("--from-repository", "r", "--items", chosen)
        assert run("snapshot", "create", "s", *HERE, *items).stdout == "s created, 2 versions\n"
        assert names(run_json("snapshot", "search", "s", *HERE)) == ["app 1.0", "lib 1.0"]
        assert run("snapshot", "create", "t", *HERE, "--items", chosen).exit_code == 2
        chosen.write_text("pkg:deb/app@1.0\nnix\n")
        wrong = run("snapshot", "create", "t", *HERE, *items)
        assert wrong.exit_code == 2
        assert f"{chosen}, line 2" in wrong.stderr

    def test_pull_merge_filter_verify(self, run, run_json, packages):
        run("snapshot", "create", "all", "--from-repository", "r", *HERE)
        run("snapshot", "create", "empty", *HERE)
        pull = ("snapshot", "pull", "p", "empty", "all", "app", *HERE, "--architecture", "amd64")
        planned = run(*pull, "--dry-run")
        assert planned.stdout == (
            "+ deb app 1.0 amd64\n+ deb lib 1.0 amd64\np planned, 2 versions\n"
        )
        assert run("snapshot", "show", "p", *HERE).exit_code == 2
        assert run(*pull).stdout.endswith("p created, 2 versions\n")
        assert run("snapshot", "verify", "p", *HERE).stdout == "nothing is missing\n"

        filtered = run("snapshot", "filter", "apps", "all", "app", *HERE)
        assert filtered.stdout == "apps created, 1 versions\n"
        verified = run("snapshot", "verify", "apps", *HERE)
        assert verified.exit_code == 1
        assert verified.stdout == "amd64: app 1.0 amd64 depends: lib\n1 missing\n"
        assert run("snapshot", "verify", "apps", "all", *HERE).exit_code == 0
        assert run("snapshot", "verify", "apps", *HERE, "--kind", "suggests").exit_code == 0
        with_deps = run_json("snapshot", "filter", "deps", "all", "app", *HERE, "--with-deps")
        assert with_deps["members"] == 2

        merged = run("snapshot", "merge", "m", "apps", "all", *HERE, "--latest")
        assert merged.stdout == "m created, 3 versions\n"
        both = run("snapshot", "merge", "x", "apps", "all", *HERE, "--latest", "--no-remove")
        assert both.exit_code == 2
        shown = run_json("snapshot", "show", "m", *HERE, "--packages")
        assert (shown["sources"], len(shown["versions"])) == (["all", "apps"], 3)
        assert "made of:     all, apps" in run("snapshot", "show", "m", *HERE).stdout
        listed = [row["snapshot"] for row in run_json("snapshot", "list", *HERE)["snapshots"]]
        assert listed == ["all", "empty", "p", "apps", "deps", "m"]
        assert "r at epoch" in run("snapshot", "list", *HERE).stdout

    def test_rename_and_drop(self, run, packages):
        run("snapshot", "create", "s", "--from-repository", "r", *HERE, "--description", "why")
        run("snapshot", "merge", "m", "s", *HERE)
        assert run("snapshot", "rename", "s", "t", *HERE).stdout == "t renamed\n"
        assert "why" in run("snapshot", "show", "t", *HERE).stdout
        refused = run("snapshot", "drop", "t", *HERE)
        assert refused.exit_code == 2
        assert "RG423" in refused.stderr
        assert run("repository", "drop", "r", *HERE).exit_code == 2
        assert run("snapshot", "drop", "t", *HERE, "--force").stdout == "t dropped\n"
        assert run("snapshot", "show", "t", *HERE).exit_code == 2

    def test_the_worker_notes_their_digests(self, run, run_json, packages):
        run("snapshot", "create", "s", "--from-repository", "r", *HERE)
        assert "not noted yet" in run("snapshot", "show", "s", *HERE).stdout
        assert run_json("worker", "--once", "--task", "seal")["done"] == {"seal": 1}
        digest = run_json("snapshot", "show", "s", *HERE)["digest"]
        assert re.fullmatch("[0-9a-f]{64}", digest)
        assert run("worker", "--once", "--task", "seal").stdout == "nothing to do\n"


class TestDistribution:
    @pytest.fixture(autouse=True)
    def snapshots(self, run, packages):
        run("snapshot", "create", "s", "--from-repository", "r", *HERE)
        run("snapshot", "filter", "t", "s", "app | lib", *HERE)

    def test_create_switch_and_back(self, run, run_json):
        at = ("--prefix", "debian", *HERE)
        created = run("distribution", "create", "d", "--snapshot", "s", "--origin", "Acme", *at)
        assert created.stdout == "debian/d created, revision 1\n"
        components = ("--snapshot", "t", "--repository", "live=r")
        switched = run("distribution", "switch", "d", *components, *at)
        assert switched.stdout == "debian/d switched, revision 2\n"
        shown = run("distribution", "show", "d", *at)
        assert "live: repository r\nmain: snapshot t\norigin: Acme\n" in shown.stdout
        packages = run_json("distribution", "show", "d", *at, "--packages")["versions"]
        served = [(row["component"], row["name"]) for row in packages]
        assert served == [
            ("live", "app"),
            ("live", "lib"),
            ("live", "other"),
            ("main", "app"),
            ("main", "lib"),
        ]
        back = ("--snapshot", "s", "--drop-component", "live")
        stale = run("distribution", "switch", "d", *back, *at, "--if-revision", 1)
        assert stale.exit_code == 2
        assert "RG412" in stale.stderr
        assert run_json("distribution", "switch", "d", *back, *at, "--if-revision", 2) == {
            **{"outcome": "switched", "revision": 3},
            "distribution_id": run_json("distribution", "show", "d", *at)["distribution_id"],
        }
        (row,) = run_json("distribution", "list", *HERE)["distributions"]
        assert row["components"] == {"main": {"snapshot": "s"}}
        refused = run("snapshot", "drop", "s", *HERE, "--force")
        assert "RG423" in refused.stderr
        assert run("distribution", "drop", "d", *at).stdout == "debian/d dropped, revision 4\n"
        assert run("distribution", "list", *HERE).stdout == "no distributions\n"

    def test_settings_that_are_not_named_stay(self, run, run_json):
        settings = ("--origin", "Acme", "--architecture", "amd64", "--architecture", "arm64")
        run("distribution", "create", "d", "--snapshot", "s", *settings, *HERE)
        run("distribution", "switch", "d", "--snapshot", "t", "--label", "L", *HERE)
        run("distribution", "switch", "d", "--not-automatic", "--valid-for", 60, *HERE)
        shown = run_json("distribution", "show", "d", *HERE)
        assert shown["settings"] == {
            "origin": "Acme",
            "label": "L",
            "architectures": ["amd64", "arm64"],
            "not_automatic": True,
            "valid_for": 60,
        }
        assert shown["components"] == {"main": {"snapshot": "t"}}

    @pytest.mark.parametrize(
        "components",
        [(), ("--snapshot", "s", "--repository", "r"), ("--snapshot", "a=s", "--snapshot", "a=t")],
    )
    def test_what_are_no_components(self, run, components):
        result = run("distribution", "create", "d", *components, *HERE)
        assert result.exit_code == 2
        assert run("distribution", "list", *HERE).stdout == "no distributions\n"

    def test_what_cannot_be_served_is_not_rendered(self, run, run_json, tmp_path):
        run("distribution", "create", "d", "--repository", "r", *HERE)
        result = run("distribution", "render", tmp_path / "www", "--once", *HERE)
        assert result.exit_code == 2
        assert "has no file, which an apt archive needs" in result.stderr
        assert run("worker", "--once", "--archive", tmp_path / "www").exit_code == 1
        (failure,) = run_json("worker", "--once", "--archive", tmp_path / "www")["failures"]
        assert "has no file" in failure

    def test_which_are_rendered(self, run, run_json, tmp_path):
        www = tmp_path / "www"
        assert run("distribution", "render", www, "--once", *HERE).stdout == "no distributions\n"
        run("repository", "create", "e", *HERE)
        for name, prefix in (("a", ""), ("b", "p")):
            run("distribution", "create", name, "--prefix", prefix, "--repository", "e", *HERE)
        assert run("distribution", "render", www, "--once", "--prefix", "p", *HERE).exit_code == 2
        one = run("distribution", "render", www, "b", "--once", "--prefix", "p", *HERE)
        assert one.stdout == "p/b rendered, revision 1\n"
        assert (www / "p/dists/b/Release").exists()
        assert not (www / "dists/a").exists()
        every = run_json("distribution", "render", www, "--once", *HERE)["distributions"]
        assert [(row["distribution"], row["outcome"]) for row in every] == [
            ("a", "rendered"),
            ("b", "unchanged"),
        ]
        absent = run("distribution", "render", www, "nix", "--once", *HERE)
        assert absent.exit_code == 2
        assert "nix" in absent.stderr

    def test_the_worker_renders_too(self, run, run_json, tmp_path):
        www = tmp_path / "www"
        run("repository", "create", "e", *HERE)
        run("distribution", "create", "d", "--repository", "e", *HERE)
        assert run("worker", "--once", "--key", "x").exit_code == 2
        assert run_json("worker", "--once", "--archive", www)["done"]["render"] == 1
        assert (www / "dists/d/Release").exists()
        assert run_json("worker", "--once", "--archive", www)["done"]["render"] == 0
        run("distribution", "drop", "d", *HERE)
        assert run_json("worker", "--once", "--archive", www)["done"]["render"] == 1
        assert not (www / "dists/d").exists()


class TestMirror:
    @pytest.fixture
    def archive(self, tmp_path: Path, monkeypatch) -> Archive:
        monkeypatch.setattr(transport, "_PAUSE", 0.001)
        archive = Archive(tmp_path / "archive")
        archive.publish(Deb("app", fields="Depends: lib\n"), Deb("lib"), Deb("other"))
        return archive

    def test_from_an_archive_to_what_is_served(self, run, run_json, archive, tmp_path):
        run("backend", "add", "disk", tmp_path / "objects", *HERE)
        created = run(
            *("mirror", "create", "m", archive.folder, "stable", "main", *HERE),
            *("--backend", "disk", "--architecture", "amd64"),
        )
        assert created.stdout == "m created\n"
        assert "never" in run("mirror", "list", *HERE).stdout
        assert "never updated" in run("mirror", "show", "m", *HERE).stdout
        too_early = run("snapshot", "create", "s", "--from-repository", "m", *HERE)
        assert "RG422" in too_early.stderr

        updated = run("mirror", "update", "m", *HERE)
        assert updated.stdout == "m committed: 3 added\n3 files downloaded, 0 found\n"
        assert run("mirror", "update", "m", *HERE).stdout == "m unchanged\n"
        shown = run_json("mirror", "show", "m", *HERE)
        assert shown["upstream"] == {
            "url": archive.folder.as_uri(),
            "distribution": "stable",
            "components": ["main"],
            "architectures": ["amd64"],
        }
        assert [update["status"] for update in shown["updates"]] == ["committed"]
        assert "committed: 3 added" in run("mirror", "show", "m", *HERE).stdout

        run("snapshot", "create", "s", "--from-repository", "m", *HERE)
        run("distribution", "create", "stable", "--snapshot", "s", *HERE)
        assert run("distribution", "render", tmp_path / "www", "--once", *HERE).exit_code == 0
        index = (tmp_path / "www/dists/stable/main/binary-amd64/Packages").read_text()
        assert re.findall("^Package: (.*)", index, re.MULTILINE) == ["app", "lib", "other"]
        for path in re.findall("^Filename: (.*)", index, re.MULTILINE):
            assert (tmp_path / "www" / path).is_file()

    def test_edit(self, run, run_json, archive):
        run("mirror", "create", "m", archive.folder, "stable", *HERE, "--keyring", "k.gpg")
        result = run("mirror", "update", "m", *HERE)
        assert result.exit_code == 2  # there is no such keyring
        without = ("--keyring", "", "--filter", "app", "--filter-with-deps")
        assert run("mirror", "edit", "m", *HERE, *without).stdout == "m altered\n"
        assert run_json("mirror", "update", "m", *HERE)["report"]["added"] == 2
        run("mirror", "edit", "m", *HERE, "--filter", "", "--no-filter-with-deps")
        assert run_json("mirror", "update", "m", *HERE)["report"]["added"] == 1
        assert run_json("mirror", "show", "m", *HERE)["upstream"] == {
            "url": archive.folder.as_uri(),
            "distribution": "stable",
            "filter_with_deps": False,
        }
        assert run("mirror", "edit", "m", *HERE, "--filter", "a (").exit_code == 2

    def test_rename_and_drop_know_mirrors_alone(self, run, run_json, archive):
        run("repository", "create", "r", *HERE)
        assert "no mirror 'r'" in run("mirror", "drop", "r", *HERE).stderr
        assert "no mirror 'r'" in run("mirror", "rename", "r", "q", *HERE).stderr
        assert "no mirror 'r'" in run("mirror", "update", "r", *HERE).stderr
        run("mirror", "create", "m", archive.folder, "stable", *HERE)
        assert run("mirror", "rename", "m", "o", *HERE).stdout == "o renamed\n"
        assert run("mirror", "drop", "o", *HERE).stdout == "o dropped\n"
        assert [row["repository"] for row in run_json("mirror", "list", *HERE)["mirrors"]] == []

    def test_upstream_that_is_away_is_one_line(self, run, tmp_path):
        run("mirror", "create", "m", tmp_path / "nothing", "stable", *HERE)
        result = run("mirror", "update", "m", *HERE)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("Error: ")
