"""GitLab's sweeper: a worker dies between claiming a package and destroying it, which then stays in
`processing` and is never tried again. Right: a claim has a lease, attempts are counted, what fails
waits longer each time, and a view shows what a person should look at."""

from typing import Any

import pytest

from tests.incidents.pipeline import Pipeline, digest, refusal
from tests.support import backend_pid, wait_until

TASKS = ["delete", "copy"]


def given_task(pipeline: Pipeline, task: str) -> None:
    """A deletion that is due, or a copy."""
    demo = pipeline.repository().package("demo")
    pipeline.publish(demo, "1.0", "demo.whl", "bytes")
    if task == "delete":
        demo.delete_version("1.0")
        pipeline.api.purge()
    else:
        pipeline.api.add_backend("cold", "file:///cold")
        pipeline.api.set_repository_backend("main", "cold")


def claim(pipeline: Pipeline, task: str) -> list[Any]:
    return pipeline.claim() if task == "delete" else pipeline.api.rows("claim_copies")


def finish(pipeline: Pipeline, task: str, given: Any) -> str:
    if task == "delete":
        return pipeline.destroy(given)
    found = digest(b"bytes")
    return pipeline.api.verify_copy(given.backend, given.sha256, given.generation, found).outcome


def fail(pipeline: Pipeline, given: Any, error: str = "timed out") -> str:
    return pipeline.api.record_copy_failure(
        given.backend, given.sha256, given.generation, given.attempt, error
    ).outcome


@pytest.mark.parametrize("task", TASKS)
def test_a_dead_workers_task_is_handed_out_again(pipeline: Pipeline, task: str) -> None:
    given_task(pipeline, task)
    (first,) = claim(pipeline, task)
    assert claim(pipeline, task) == []
    pipeline.clock.advance(minutes=6)
    (second,) = claim(pipeline, task)
    assert second == first._replace(attempt=2)
    assert finish(pipeline, task, second) == ("deleted" if task == "delete" else "present")
    pipeline.clock.advance(minutes=6)
    assert claim(pipeline, task) == []
    assert pipeline.violated() == set()


@pytest.mark.parametrize("task", TASKS)
def test_fails_without_its_lease(pipeline: Pipeline, task: str) -> None:
    given_task(
        pipeline.without("lease of a deletion" if task == "delete" else "lease of a copy"), task
    )
    claim(pipeline, task)
    pipeline.clock.advance(days=365)
    assert claim(pipeline, task) == []


def late(pipeline: Pipeline, task: str) -> str | None:
    """What a worker hears that was not dead but slow, and reports when another has the task."""
    given_task(pipeline, task)
    (first,) = claim(pipeline, task)
    pipeline.clock.advance(minutes=6)
    claim(pipeline, task)
    return refusal(fail, pipeline, first)


@pytest.mark.parametrize("task", TASKS)
def test_a_late_report_is_refused(pipeline: Pipeline, task: str) -> None:
    assert late(pipeline, task) == "RG412"
    assert pipeline.api.ask("select last_error from pkgdb.blob_copy where attempts > 0") == [
        (None,)
    ]


@pytest.mark.parametrize("task", TASKS)
def test_it_is_not_without_attempt(pipeline: Pipeline, task: str) -> None:
    assert late(pipeline.without("attempt"), task) is None


def test_a_late_confirmation_is_refused(pipeline: Pipeline) -> None:
    given_task(pipeline, "delete")
    (first,) = pipeline.claim()
    pipeline.clock.advance(minutes=6)
    (second,) = pipeline.claim()
    assert refusal(pipeline.confirm, first) == "RG412"
    assert pipeline.confirm(second) == "deleted"


@pytest.mark.parametrize("task", TASKS)
def test_what_fails_waits_and_is_then_shown(pipeline: Pipeline, task: str) -> None:
    given_task(pipeline, task)
    waits = []
    for attempt in range(1, 7):
        shown = pipeline.api.ask("select * from pkgdb.dead_letters")
        assert len(shown) == (attempt > 5)
        (given,) = claim(pipeline, task)
        assert given.attempt == attempt
        assert fail(pipeline, given, f"failure {attempt}") == "recorded"
        waits.append(wait_for(pipeline, task))
    assert waits == sorted(set(waits))  # longer each time
    (letter,) = pipeline.api.ask("select * from pkgdb.dead_letters")
    assert (letter.task, letter.attempts, letter.last_error) == (task, 6, "failure 6")
    (given,) = claim(pipeline, task)
    finish(pipeline, task, given)
    assert pipeline.api.ask("select * from pkgdb.dead_letters") == []


def wait_for(pipeline: Pipeline, task: str) -> int:
    """Let time pass until the task is due again; how many steps of ten seconds that took."""
    for steps in range(1000):
        (due,) = pipeline.api.ask(
            "select bool_or(next_attempt_at <= pkgdb.clock()) as due from pkgdb.blob_copy"
            " where attempts > 0"
        )
        if due.due:
            return steps
        assert claim(pipeline, task) == []
        pipeline.clock.advance(seconds=10)
    raise AssertionError("it never comes again")


def test_a_purge_that_dies_leaves_no_claim(pipeline: Pipeline) -> None:
    """GitLab's own case: the worker that removes the rows has them locked, and nothing else."""
    demo = pipeline.repository().package("demo")
    pipeline.publish(demo, "1.0", "demo.whl", "bytes")
    demo.delete_version("1.0")
    worker = pipeline.world.connect(autocommit=False)
    worker.execute("select pkgdb.purge('acme')")
    pid = backend_pid(worker)
    worker.close()
    wait_until(
        pipeline.db, "select not exists (select from pg_stat_activity where pid = %s)", [pid]
    )
    assert pipeline.api.purge().versions == 1
