import pytest

from tests.behaviour.calls import file

SIGNATURE = file("a.sig", "signature")


def roles(info):
    return {f["filename"]: f["role"] for f in info.files}


@pytest.mark.parametrize("ecosystem", ["npm", "cargo", "deb", "pypi", "generic"])
def test_side_files_stand_beside_the_main_file(repo, ecosystem):
    tool = repo.at(ecosystem, "tool")
    published = tool.publish("1.0.0", files=[file("a", "main content")])
    added = tool.add_files("1.0.0", files=[SIGNATURE, file("a.sbom", "{}")])
    assert (added.revision, added.outcome) == (2, "files_added")
    assert added.version_id == published.version_id
    assert roles(tool.resolve("1.0.0")) == {"a": "main", "a.sbom": "side", "a.sig": "side"}
    assert tool.publish("1.0.0", files=[file("a", "main content")]).outcome == "unchanged"


def test_only_missing_files_are_added(api, repo):
    tool = repo.at("npm", "tool")
    tool.publish("1.0.0", files=[file("a")])
    tool.add_files("1.0.0", files=[SIGNATURE])
    with api.changes_nothing():
        assert tool.add_files("1.0.0", files=[SIGNATURE, file("a")]).outcome == "unchanged"
    assert tool.add_files("1.0.0", files=[SIGNATURE, file("b")]).outcome == "files_added"
    (counted,) = api.ask("select versions, files, bytes from pkgdb.registrations")
    assert counted == (1, 3, 7 + 9 + 7)


def test_other_content(api, repo):
    tool = repo.at("npm", "tool")
    tool.publish("1.0.0", files=[file("a")])
    tool.add_files("1.0.0", files=[SIGNATURE])
    for other in (file("a", "other"), file("a.sig", "other"), SIGNATURE | {"filename": "x"}):
        other = other | ({"size": 99} if other["filename"] == "x" else {})
        with api.refused("RG409"):
            tool.add_files("1.0.0", files=[file("new"), other])


def test_a_file_must_be_given(api, repo):
    repo.publish("npm", "tool", "1.0.0")
    with api.refused("RG400"):
        repo.add_files("npm", "tool", "1.0.0")
    with api.refused("RG400"):
        repo.add_files("npm", "tool", "1.0.0", files=None)


def test_the_version_must_exist(api, repo):
    tool = repo.at("npm", "tool")
    with api.refused("RG404"):
        tool.add_files("1.0.0", files=[SIGNATURE])
    tool.publish("1.0.0")
    for version, variant in (("2.0.0", ""), ("1.0.0", "linux")):
        with api.refused("RG404"):
            tool.add_files(version, variant, [SIGNATURE])
    tool.delete_version("1.0.0")
    with api.refused("RG404"):
        tool.add_files("1.0.0", files=[SIGNATURE])


def test_pypi_side_files_share_the_scope_of_the_package(api, repo):
    demo = repo.at("pypi", "demo")
    demo.publish("1.0", files=[file("demo-1.0.whl")])
    demo.publish("2.0")
    demo.add_files("1.0", files=[SIGNATURE])
    for taken in (SIGNATURE, file("demo-1.0.whl")):
        with api.refused("RG409"):
            demo.add_files("2.0", files=[taken])


def test_under_a_protected_name(api, repo):
    repo.publish("npm", "tool", "1.0.0")
    repo.alter_repository({"protected_names": ["tool"]})
    with api.refused("RG403"):
        repo.add_files("npm", "tool", "1.0.0", files=[SIGNATURE])


def test_a_deleted_file_comes_back_as_the_reuse_policy_says(api, repo, subtests):
    may_return = {"never": set(), "same_content": {"same"}, "always": {"same", "other"}}
    for policy, allowed in may_return.items():
        repo.alter_repository({"reuse": policy})
        for content in ("same", "other"):
            for purged in (False, True):
                with subtests.test(policy=policy, content=content, purged=purged):
                    tool = repo.at("npm", f"{policy.replace('_', '-')}-{content}-{purged}".lower())
                    tool.publish("1.0.0", files=[file("a")])
                    tool.add_files("1.0.0", files=[file("s", "same")])
                    tool.delete_file("1.0.0", filename="s")
                    if purged:
                        assert api.purge("acme").files == 1
                    if content in allowed:
                        added = tool.add_files("1.0.0", files=[file("s", content)])
                        assert added.outcome == "files_added"
                        assert tool.delete_file("1.0.0", filename="s").outcome == "file_deleted"
                    else:
                        with api.refused("RG410"):
                            tool.add_files("1.0.0", files=[file("s", content)])
                    api.purge("acme")
