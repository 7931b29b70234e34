"""The outbox. That each function writes one event is in test_every_mutation.py."""

from tests.behaviour.calls import file


def events(api):
    return api.ask("""
        select event, name, version, variant, revision, actor, login
          from pkgdb.outbox order by event_id""")


def test_a_life_in_events(api, repo):
    demo = repo.at("deb", "demo")
    demo.publish("1.0", "amd64", [file("demo.deb")], actor="alice")
    demo.publish("1.0", "amd64", [file("demo.deb")], actor="bob")
    demo.add_files("1.0", "amd64", [file("demo.sig")])
    demo.set_tag("1.0", "amd64", "t")
    demo.drop_tag("t")
    demo.drop_tag("t")
    demo.delete_version("1.0", "amd64")
    api.purge("acme")
    login = api.connection.info.user
    assert events(api) == [
        ("repository_created", "main", None, None, 1, None, login),
        ("created", "demo", "1.0", "amd64", 1, "alice", login),
        ("files_added", "demo", "1.0", "amd64", 2, None, login),
        ("tagged", "demo", "1.0", "amd64", 3, None, login),
        ("tag_dropped", "demo", "1.0", "amd64", 4, None, login),
        ("deleted", "demo", "1.0", "amd64", 5, None, login),
    ]


def test_an_event_is_written_with_its_change(api, repo, connect):
    session = connect(autocommit=False)
    repo.on(session).publish("npm", "demo", "1.0.0")
    assert len(events(api)) == 1
    session.commit()
    assert len(events(api)) == 2


def test_the_name_is_the_registrations_and_the_version_as_published(api, repo):
    repo.publish("pypi", "Foo.Bar", "v1.0")
    repo.yank("pypi", "foo-bar", "1.0.0")
    assert [(e.name, e.version) for e in events(api)[1:]] == [("Foo.Bar", "v1.0")] * 2


def test_login_is_who_connected_whatever_role_acts(api, repo):
    login = api.connection.info.user
    api.ask("select set_config('role', 'pkgdb_publisher', false)")
    try:
        repo.publish("npm", "demo", "1.0.0", actor="alice")
    finally:
        api.ask("select set_config('role', 'none', false)")
    assert events(api)[-1][-2:] == ("alice", login)


def test_publish_many_writes_one_event_per_change(api, repo):
    items = [
        {"ecosystem": "npm", "name": name, "version": version}
        for name, version in (("a", "1.0.0"), ("b", "1.0.0"), ("a", "2.0.0"), ("a", "1.0.0"))
    ]
    rows = repo.rows("publish_many", items, actor="loader")
    assert [row.outcome for row in rows] == ["created", "created", "created", "unchanged"]
    written = [(e.name, e.version, e.revision, e.actor) for e in events(api)[1:]]
    assert written == [
        ("a", "1.0.0", 1, "loader"), ("b", "1.0.0", 1, "loader"), ("a", "2.0.0", 2, "loader"),
    ]  # fmt: skip


def test_events_outlive_what_they_speak_of(api, repo):
    repo.publish("npm", "demo", "1.0.0")
    repo.drop_repository(actor="alice")
    api.purge("acme")
    assert [e.event for e in events(api)] == ["repository_created", "created", "repository_dropped"]
    assert api.ask("select * from pkgdb.repository") == []


def test_a_rename_is_told_under_the_new_name(api, repo):
    repo.rename_repository("stable")
    assert (events(api)[-1].event, events(api)[-1].name) == ("repository_renamed", "stable")
