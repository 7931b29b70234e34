from tests.behaviour.calls import file


def test_repositories(api):
    ref = api.create_repository("acme", "main", "mirror", {"reuse": "always"})
    (row,) = api.ask("select * from pkgdb.repositories")
    assert row._fields == (
        "namespace", "repository", "repository_id", "kind", "policy", "revision", "epoch",
        "created_at",
    )  # fmt: skip
    assert row[:4] == ("acme", "main", ref.repository_id, "mirror")
    assert row.policy["reuse"] == "always"


def test_registrations(api, repo):
    repo.publish("pypi", "Foo.Bar", "1.0", files=[file("a", "12345")])
    repo.publish("pypi", "Foo.Bar", "2.0a1", files=[file("b", "123")])
    repo.reserve_name("pypi", "kept")
    (row,) = api.ask("select * from pkgdb.registrations")
    assert row._fields == (
        "namespace", "repository", "ecosystem", "name", "normalized_name", "registration_id",
        "revision", "latest", "latest_stable", "versions", "files", "bytes", "created_at",
        "updated_at",
    )  # fmt: skip
    assert row[:5] == ("acme", "main", "pypi", "Foo.Bar", "foo-bar")
    assert row[6:12] == (2, "2.0a1", "1.0", 2, 2, 8)


def test_a_package_without_versions_is_a_package(api, repo):
    repo.publish("npm", "demo", "1.0.0")
    repo.delete_version("npm", "demo", "1.0.0")
    (row,) = api.ask("select latest, latest_stable, versions from pkgdb.registrations")
    assert row == (None, None, 0)


def test_package_versions(api, repo):
    demo = repo.at("pypi", "demo")
    for version in ("1.0", "2.0", "3.0", "4.0a1"):
        demo.publish(version, metadata={"v": version})
    demo.yank("1.0", reason="broken")
    demo.quarantine("2.0")
    demo.delete_version("3.0")
    demo.deprecate("4.0a1", message="old")
    rows = api.ask("select * from pkgdb.package_versions order by version_id")
    assert rows[0]._fields == (
        "namespace", "repository", "ecosystem", "name", "registration_id", "version_id", "version",
        "normalized_version", "variant", "prerelease", "status", "listed", "yank_reason",
        "deprecation", "metadata", "published_at",
    )  # fmt: skip
    assert [row[6:15] for row in rows] == [
        ("1.0", "1", "", False, "available", False, "broken", None, {"v": "1.0"}),
        ("2.0", "2", "", False, "quarantined", True, None, None, {"v": "2.0"}),
        ("4.0a1", "4a1", "", True, "available", True, None, "old", {"v": "4.0a1"}),
    ]


def test_files(api, repo):
    tool = repo.at("deb", "tool")
    main = file("tool.deb", "main", media_type="a/b", attributes={"k": 1})
    tool.publish("1.0", "amd64", [main])
    tool.add_files("1.0", "amd64", [file("tool.sig")])
    tool.add_files("1.0", "amd64", [file("gone")])
    tool.delete_file("1.0", "amd64", "gone")
    tool.publish("2.0", files=[file("two")])
    tool.quarantine("2.0")
    tool.publish("3.0", files=[file("three")])
    tool.delete_version("3.0")
    rows = api.ask("select * from pkgdb.files order by filename")
    assert rows[0]._fields == (
        "namespace", "repository", "ecosystem", "name", "version", "variant", "registration_id",
        "version_id", "filename", "sha256", "size", "media_type", "attributes", "role",
    )  # fmt: skip
    assert rows[0][:6] == ("acme", "main", "deb", "tool", "1.0", "amd64")
    assert rows[0][8:] == ("tool.deb", main["sha256"], 4, "a/b", {"k": 1}, "main")
    assert [(row.filename, row.role) for row in rows] == [
        ("tool.deb", "main"),
        ("tool.sig", "side"),
    ]


def test_tags(api, repo):
    demo = repo.at("npm", "demo")
    for version in ("1.0.0", "2.0.0"):
        demo.publish(version)
        demo.set_tag(version, tag=f"t{version[0]}")
    demo.quarantine("2.0.0")
    (row,) = api.ask("select * from pkgdb.tags")
    assert row._fields == (
        "namespace", "repository", "ecosystem", "name", "tag", "version", "variant",
        "registration_id", "version_id",
    )  # fmt: skip
    assert row[:7] == ("acme", "main", "npm", "demo", "t1", "1.0.0", "")
