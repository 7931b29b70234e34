"""What validators say, and when it counts."""

import pytest

from tests.behaviour.calls import file
from tests.support import backend_pid, wait_until_blocked


@pytest.fixture
def scanned(repo, demo):
    """A name in a repository that asks for validation."""
    repo.alter_repository(
        {"validators": {"scan": "required", "license": "required", "lint": "advisory"}}
    )
    return demo


def begin(scanned, name="a", **more):
    return scanned.begin_publication("1.0", files=[file(name, name)], **more)


def passed(ledger, publication):
    for validator in ("scan", "license"):
        ledger.validate(publication, validator, "succeeded")
    return ledger.commit(publication)


def rows(api, publication):
    return [
        (row.validator, row.round, row.requirement, row.status, row.attempts)
        for row in api.ask(
            "select * from pkgdb.validations where publication_id = %s order by validator, round",
            publication.publication_id,
        )
    ]


def test_begin_says_what_is_asked_for(api, scanned, ledger):
    publication = begin(scanned, request_key="k")
    assert publication.validations == [
        {"validator": "license", "requirement": "required", "status": "pending"},
        {"validator": "lint", "requirement": "advisory", "status": "pending"},
        {"validator": "scan", "requirement": "required", "status": "pending"},
    ]
    ledger.validate(publication, "scan", "succeeded")
    again = begin(scanned, request_key="k")
    assert [v["status"] for v in again.validations] == ["pending", "pending", "succeeded"]


def test_a_commit_waits_for_all_that_are_required(api, scanned, ledger):
    publication = begin(scanned)
    with api.refused("RG422"):
        ledger.commit(publication)
    done = ledger.validate(publication, "scan", "succeeded", detail="clean", actor="clamav")
    assert done == (publication.publication_id, "scan", 1, "succeeded", 1, "recorded")
    with api.refused("RG422"):
        ledger.commit(publication)
    ledger.validate(publication, "license", "succeeded")
    assert ledger.commit(publication).outcome == "created"
    assert rows(api, publication) == [
        ("license", 1, "required", "succeeded", 1),
        ("lint", 1, "advisory", "pending", 0),
        ("scan", 1, "required", "succeeded", 1),
    ]


@pytest.mark.parametrize("result", ["failed", "error", "succeeded"])
def test_an_advisory_one_decides_nothing(scanned, ledger, result):
    publication = begin(scanned)
    assert ledger.validate(publication, "lint", result).outcome == "recorded"
    assert passed(ledger, publication).outcome == "created"


def test_a_required_failure_ends_it_and_frees_the_slot(api, scanned, ledger):
    publication = begin(scanned)
    found = ledger.validate(publication, "scan", "failed", detail="malware")
    assert (found.status, found.outcome) == ("failed", "recorded")
    assert ledger.publications() == [("rejected", "validator scan failed")]
    with api.refused("RG422"):
        ledger.commit(publication)
    with api.refused("RG422"):
        api.renew_publication(publication.publication_id, publication.fence)
    with api.changes_nothing():
        assert ledger.abort(publication).outcome == "unchanged"
    assert begin(scanned).outcome == "begun"


def test_a_required_failure_leaves_others_of_the_version(api, scanned, ledger):
    rejected, stays = begin(scanned), begin(scanned, "b")
    ledger.validate(rejected, "scan", "failed")
    assert passed(ledger, stays).outcome == "created"
    assert [f["filename"] for f in scanned.resolve("1.0").files] == ["b"]


def test_errors_are_tried_again(api, scanned, ledger):
    publication = begin(scanned)
    for attempt in (1, 2, 3):
        found = ledger.validate(publication, "scan", "error", detail=f"timeout {attempt}")
        assert (found.status, found.attempts, found.outcome) == ("pending", attempt, "recorded")
    assert ledger.publications() == [("open", None)]
    with api.refused("RG422"):
        ledger.commit(publication)
    found = ledger.validate(publication, "scan", "succeeded")
    assert (found.status, found.attempts) == ("succeeded", 4)
    with api.changes_nothing():
        assert ledger.validate(publication, "scan", "error").outcome == "unchanged"


@pytest.mark.parametrize(("said", "other"), [("succeeded", "failed"), ("failed", "succeeded")])
def test_what_was_said_stays_said(api, scanned, ledger, said, other):
    """Of an advisory one, so that the publication stays open."""
    publication = begin(scanned)
    ledger.validate(publication, "lint", said)
    with api.changes_nothing():
        assert ledger.validate(publication, "lint", said, detail="again").outcome == "unchanged"
    with api.refused("RG409"):
        ledger.validate(publication, "lint", other)


@pytest.mark.parametrize("how", ["aborted", "expired", "rejected"])
@pytest.mark.parametrize("result", ["succeeded", "failed", "error"])
def test_late_messages_change_nothing(api, scanned, ledger, clock, how, result):
    publication = begin(scanned)
    if how == "aborted":
        ledger.abort(publication)
    elif how == "expired":
        clock.advance(hours=1)
        api.expire_publications()
    else:
        ledger.validate(publication, "license", "failed")
    for validator in ("scan", "license", "lint", "stranger"):
        for round_ in (1, 2):
            with api.changes_nothing():
                found = ledger.validate(
                    publication, validator, result, round=round_, quarantine=True
                )
            assert found.outcome == "unchanged"


def test_who_was_not_asked_is_advisory(api, scanned, ledger):
    publication = begin(scanned)
    found = ledger.validate(publication, "stranger", "failed")
    assert (found.status, found.outcome) == ("failed", "recorded")
    assert passed(ledger, publication).outcome == "created"
    assert ("stranger", 1, "advisory", "failed", 1) in rows(api, publication)


def test_a_later_round_comes_after_the_commit(api, scanned, ledger):
    publication = begin(scanned)
    with api.refused("RG422"):
        ledger.validate(publication, "scan", "succeeded", round=2)
    passed(ledger, publication)
    for round_ in (2, 3, 7):
        found = ledger.validate(publication, "scan", "succeeded", round=round_)
        assert (found.round, found.outcome) == (round_, "recorded")
    with api.refused("RG409"):
        ledger.validate(publication, "scan", "failed", round=3)


def test_after_the_commit_a_failure_changes_nothing_that_is_visible(api, scanned, ledger):
    publication = begin(scanned)
    passed(ledger, publication)
    before = scanned.resolve("1.0")
    assert ledger.validate(publication, "lint", "failed").outcome == "recorded"
    assert ledger.validate(publication, "scan", "failed", round=2).outcome == "recorded"
    assert scanned.resolve("1.0") == before


def test_after_the_commit_it_quarantines_only_if_asked(api, scanned, ledger):
    publication = begin(scanned)
    passed(ledger, publication)
    found = ledger.validate(
        publication, "scan", "failed", round=2, quarantine=True, actor="scanner"
    )
    assert found.outcome == "quarantined"
    (row,) = api.ask("select status, quarantine_reason from pkgdb.package_version")
    assert row == ("quarantined", "validator scan failed")
    with api.refused("RG404"):
        scanned.resolve("latest")
    (event,) = api.ask("select event, actor from pkgdb.outbox order by event_id desc limit 1")
    assert event == ("quarantined", "scanner")
    # A person has looked, and the message comes again.
    scanned.release_quarantine("1.0")
    with api.changes_nothing():
        again = ledger.validate(publication, "scan", "failed", round=2, quarantine=True)
    assert again.outcome == "unchanged"
    assert scanned.resolve("latest").version == "1.0"


@pytest.mark.parametrize("result", ["succeeded", "error"])
def test_only_a_failure_quarantines(scanned, ledger, result):
    publication = begin(scanned)
    passed(ledger, publication)
    found = ledger.validate(publication, "scan", result, round=2, quarantine=True)
    assert found.outcome == "recorded"
    assert scanned.resolve("1.0").status == "available"


def test_before_the_commit_nothing_is_quarantined(api, scanned, ledger):
    publication = begin(scanned)
    ledger.validate(publication, "lint", "failed", quarantine=True)
    assert api.ask("select status from pkgdb.package_version") == [("processing",)]
    passed(ledger, publication)
    found = ledger.validate(begin(scanned, "b"), "lint", "failed", quarantine=True)
    assert found.outcome == "recorded"
    assert scanned.resolve("1.0").status == "available"


def test_what_is_gone_is_not_quarantined(api, scanned, ledger):
    publication = begin(scanned)
    passed(ledger, publication)
    scanned.delete_version("1.0")
    found = ledger.validate(publication, "scan", "failed", round=2, quarantine=True)
    assert found.outcome == "recorded"
    api.purge()
    found = ledger.validate(publication, "scan", "failed", round=3, quarantine=True)
    assert found.outcome == "recorded"


def test_the_policy_that_was_there_when_it_began_counts(api, repo, scanned, ledger):
    before = begin(scanned)
    repo.alter_repository({"validators": {"sbom": "required"}})
    after = begin(scanned, "b")
    assert passed(ledger, before).outcome == "created"
    assert [v["validator"] for v in after.validations] == ["sbom"]
    with api.refused("RG422"):
        ledger.commit(after)
    ledger.validate(after, "sbom", "succeeded")
    assert ledger.commit(after).outcome == "files_added"


@pytest.mark.parametrize("requirement", ["required", "advisory"])
def test_one_call_cannot_pass_validators(api, repo, demo, requirement):
    ledger_item = {"ecosystem": "pypi", "name": "other", "version": "1.0"}
    demo.publish("0.9", files=[file("old")])
    repo.alter_repository({"validators": {"scan": requirement}})
    if requirement == "advisory":
        assert demo.publish("1.0").outcome == "created"
        return
    with api.refused("RG422"):
        demo.publish("1.0")
    with api.refused("RG422"):
        demo.publish("0.9", files=[file("new")])
    with api.refused("RG422"):
        demo.add_files("0.9", files=[file("new")])
    (row,) = repo.rows("publish_many", [ledger_item], strict=False)
    assert (row.outcome, row.sqlstate) == ("refused", "RG422")
    assert demo.publish("0.9", files=[file("old")]).outcome == "unchanged"
    demo.delete_version("0.9")
    assert demo.restore_version("0.9").outcome == "restored"  # it was validated when it came


@pytest.mark.parametrize(
    "given",
    [
        {"validator": None}, {"validator": ""}, {"validator": "x" * 256}, {"result": None},
        {"result": "maybe"}, {"result": "pending"}, {"result": "Failed"}, {"round": None},
        {"round": 0}, {"round": -1}, {"quarantine": None}, {"detail": "x" * 65537}, {"actor": ""},
    ],
)  # fmt: skip
def test_malformed_arguments(api, scanned, given):
    publication = begin(scanned)
    arguments = {"validator": "scan", "result": "succeeded"} | given
    with api.refused("RG400"):
        api.record_validation(publication.publication_id, **arguments)


@pytest.mark.parametrize(
    "policy",
    [
        None, [], "scan", {"scan": None}, {"scan": "optional"}, {"scan": 1}, {"": "required"},
        {"x" * 256: "required"},
    ],
)  # fmt: skip
def test_malformed_policies(api, repo, policy):
    with api.refused("RG400"):
        repo.alter_repository({"validators": policy})


def test_a_policy_is_shown(api, repo):
    repo.alter_repository({"validators": {"scan": "required"}})
    (row,) = api.ask("select policy from pkgdb.repositories")
    assert row.policy["validators"] == {"scan": "required"}


def test_a_verdict_waits_for_the_commit(api, scanned, ledger, connect, background):
    publication = begin(scanned)
    for validator in ("scan", "license"):
        ledger.validate(publication, validator, "succeeded")
    committing, validating = connect(autocommit=False), connect()
    api.on(committing).commit_publication(publication.publication_id, publication.fence)
    late = background.submit(
        api.on(validating).record_validation, publication.publication_id, "lint", "failed"
    )
    wait_until_blocked(api.connection, backend_pid(validating))
    committing.commit()
    assert late.result().outcome == "recorded"
    assert scanned.resolve("1.0").status == "available"


def test_a_commit_waits_for_the_verdict(api, scanned, ledger, connect, background):
    publication = begin(scanned)
    ledger.validate(publication, "license", "succeeded")
    validating, committing = connect(autocommit=False), connect()
    api.on(validating).record_validation(publication.publication_id, "scan", "succeeded")
    done = background.submit(
        api.on(committing).commit_publication, publication.publication_id, publication.fence
    )
    wait_until_blocked(api.connection, backend_pid(committing))
    validating.commit()
    assert done.result().outcome == "created"
