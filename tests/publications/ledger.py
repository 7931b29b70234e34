"""Backends without bytes: what publishers, workers and the collector tell the ledger."""

from hashlib import sha256
from typing import Any
from uuid import UUID

from tests.behaviour.calls import Calls
from tests.publications.clock import Clock


def digest(content: str = "content") -> str:
    """Of the bytes that tests.behaviour.calls.file() describes."""
    return sha256(content.encode()).hexdigest()


class Ledger:
    """The calls about bytes, with the arguments that every test would give."""

    def __init__(self, api: Calls, clock: Clock) -> None:
        self.api = api
        self.clock = clock
        self.installations: dict[str, UUID] = {}

    def backend(self, name: str, requirement: str = "none") -> str:
        """A new backend, given to repository `main`."""
        made = self.api.add_backend(name, f"file:///{name}")
        self.installations[name] = made.installation_id
        if requirement != "none":
            self.api.set_repository_backend("main", name, requirement)
        return name

    def record(self, publication: Any, *backends: str) -> list[str]:
        """A publisher has uploaded what it was told, or what of it goes to some backends."""
        return [
            self.api.record_copy(
                publication.publication_id, publication.fence,
                copy["backend"], copy["sha256"], copy["generation"],
            ).outcome
            for copy in publication.copies
            if not backends or copy["backend"] in backends
        ]  # fmt: skip

    def commit(self, publication: Any, **named: object) -> Any:
        return self.api.commit_publication(publication.publication_id, publication.fence, **named)

    def abort(self, publication: Any, *reason: str) -> Any:
        return self.api.abort_publication(publication.publication_id, publication.fence, *reason)

    def publish(self, package: Calls, version: str, *files: dict[str, object]) -> Any:
        """All steps of a publication."""
        publication = package.begin_publication(version, files=list(files))
        self.record(publication)
        return self.commit(publication)

    def long_ago(self) -> None:
        """Let the time pass in which another upload of what is there could be on its way: until
        then an object is deleted twice."""
        self.clock.advance(days=2)

    def validate(self, publication: Any, validator: str, result: str, **named: object) -> Any:
        return self.api.record_validation(publication.publication_id, validator, result, **named)

    def claim(self, **named: object) -> list[Any]:
        """What a worker is given to copy."""
        return self.api.rows("claim_copies", **named)

    def verify(self, copy: Any, found: str | None) -> Any:
        """What was found at a task's, or a view's, object."""
        return self.api.verify_copy(copy.backend, copy.sha256, copy.generation, found)

    def make(self, **named: object) -> int:
        """Make all the copies that are due; how many."""
        return len([self.verify(task, task.sha256) for task in self.claim(**named)])

    def collect(self, backend: str = "disk", **named: object) -> list[Any]:
        """What a collector is given to delete."""
        return self.api.rows("collect_blobs", backend, self.installations[backend], **named)

    def confirm(self, task: Any) -> Any:
        return self.api.confirm_blob_deleted(
            task.backend, task.sha256, task.generation, task.attempt
        )

    def fail(self, task: Any, error: str | None = "timed out") -> Any:
        return self.api.record_copy_failure(
            task.backend, task.sha256, task.generation, task.attempt, error
        )

    def copies(self) -> list[tuple[str, str]]:
        """Backend and state of every object, in the order in which they were announced."""
        rows = self.api.ask("""
            select b.name::text, c.state
              from pkgdb.blob_copy c join pkgdb.backend b using (namespace, backend_id)
             order by c.generation""")
        return [(name, state) for name, state in rows]

    def present(self, backend: str = "disk") -> Any:
        """The one copy that is on a backend."""
        (copy,) = self.api.ask("select * from pkgdb.blob_copies where backend = %s", backend)
        return copy

    def publications(self) -> list[tuple[str, str | None]]:
        """Status and reason of each, in the order in which they began."""
        rows = self.api.ask("select * from pkgdb.publications order by publication_id")
        return [(row.status, row.reason) for row in rows]
