"""GitLab, the cleaner of empty packages: it removes a package whose last file it took, while a push
adds a file. Right: both take the same lock and read under it; an empty version stays until somebody
deletes it, and who decides to delete it names the revision that was read."""

from typing import Any

import pytest

from tests.incidents.pipeline import Pipeline, of, texts
from tests.incidents.support import Package, Race

DEMO = Package("generic", "demo")
DELETE_FILE = DEMO("delete_file", "1.0", p_filename="a")
PUSH = DEMO("publish", "1.0", p_files=texts(("b", "b")))


def given_one_file(pipeline: Pipeline) -> Any:
    pipeline.repository("none")
    pipeline.world.given(DEMO("publish", "1.0", p_files=texts(("a", "a"))))
    return pipeline.package("demo", "generic")


@pytest.mark.parametrize("deleted_first", [True, False])
def test_the_last_file_goes_while_another_comes(pipeline: Pipeline, deleted_first: bool) -> None:
    given_one_file(pipeline)
    both = (DELETE_FILE, PUSH) if deleted_first else (PUSH, DELETE_FILE)
    race = pipeline.world.race(*both)
    assert race.waited == "lock"
    assert {race.first, race.second} == {"file_deleted", "files_added"}
    assert pipeline.world.files(DEMO, "1.0") == ["b"]
    assert pipeline.violated() == set()


@pytest.mark.parametrize("deleted_first", [True, False])
def test_the_same_for_a_publication(pipeline: Pipeline, deleted_first: bool) -> None:
    demo = given_one_file(pipeline)
    publication = demo.begin_publication("1.0", files=texts(("b", "b")))
    commit = of(publication, "commit_publication")
    race = pipeline.world.race(*((DELETE_FILE, commit) if deleted_first else (commit, DELETE_FILE)))
    assert race.waited == "lock"
    assert {race.first, race.second} == {"file_deleted", "files_added"}
    assert pipeline.world.files(DEMO, "1.0") == ["b"]
    assert pipeline.violated() == set()


def test_an_empty_version_stays(pipeline: Pipeline) -> None:
    given_one_file(pipeline)
    pipeline.world.given(DELETE_FILE)
    pipeline.api.purge()
    assert pipeline.world.live(DEMO) == ["1.0"]
    assert pipeline.world.files(DEMO, "1.0") == []


def cleaned(pipeline: Pipeline) -> Race:
    """A cleaner that has seen an empty version removes it, while a push adds a file."""
    demo = given_one_file(pipeline)
    pipeline.world.given(DELETE_FILE)
    empty = demo.resolve("1.0")
    assert empty.files == []
    remove = DEMO("delete_version", "1.0", p_if_revision=empty.revision)
    return pipeline.world.race(PUSH, remove)


def test_a_cleaner_is_told_that_its_reading_is_stale(pipeline: Pipeline) -> None:
    assert cleaned(pipeline) == Race("files_added", "lock", "RG412")
    assert pipeline.world.files(DEMO, "1.0") == ["b"]
    assert pipeline.violated() == set()


def test_fails_without_registration_lock(pipeline: Pipeline) -> None:
    """The version goes, and with it the file that has just been pushed."""
    race = cleaned(pipeline.without("registration lock"))
    assert (race.first, race.second) == ("files_added", "deleted")
    assert pipeline.world.live(DEMO) == []
    assert "ghosts and epochs" in pipeline.violated()
