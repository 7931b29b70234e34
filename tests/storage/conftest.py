"""Stores: real folders, and buckets of an S3 server on this machine."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer

import pkgdb
from pkgdb.storage import AsyncPublisher, Store, Worker
from tests.cli.conftest import run, run_json, spawn

__all__ = ["run", "run_json", "spawn"]  # fixtures

BUCKET = "packages"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_REGION": "us-east-1",
}
Files = list[tuple[pkgdb.File, Path]]


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server on the loopback interface, with one bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client(endpoint).create_bucket(Bucket=BUCKET)
        yield endpoint
    finally:
        server.stop()


def client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="tests",
        aws_secret_access_key="tests",
        region_name="us-east-1",
    )


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the S3 server, which the environment names as well."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": s3_endpoint}).items():
        monkeypatch.setenv(name, value)
    return client(s3_endpoint)


numbers = count(1)


@pytest.fixture(params=["folder", "bucket"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def folder_url(tmp_path: Path) -> str:
    return (tmp_path / "a folder").as_uri()


@pytest.fixture
def bucket_url(s3: Any) -> str:
    return f"s3://{BUCKET}/{os.getpid()}/{next(numbers)}"


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., tuple[pkgdb.File, Path]]:
    """Writes a file, always the same for the same arguments."""

    def make_file(name: str = "demo-1.0.tar.gz", size: int = 1000) -> tuple[pkgdb.File, Path]:
        content = random.Random(f"{name} {size}").randbytes(size)
        path = tmp_path / name
        path.write_bytes(content)
        return pkgdb.File(name, hashlib.sha256(content).hexdigest(), size), path

    return make_file


@pytest.fixture
def registry(dsn: str) -> Iterator[pkgdb.Registry]:
    with pkgdb.connect(dsn) as registry:
        registry.create_repository("acme", "main")
        yield registry


@pytest.fixture
def add_backend(registry: pkgdb.Registry) -> Callable[..., Any]:
    """Makes a store ready and known, and gives it to the repository."""

    async def add_backend(name: str, url: str, requirement: str = "required") -> Store:
        store = Store.open(url, create=True)
        await store.claim(registry.add_backend("acme", name, url).installation_id)
        if requirement != "none":
            registry.set_repository_backend("acme", "main", name, requirement)
        return store

    return add_backend


@pytest.fixture
async def two_stores(add_backend: Callable[..., Any], folder_url: str, bucket_url: str) -> Any:
    """A folder and a bucket that the repository requires."""
    return await add_backend("disk", folder_url), await add_backend("cloud", bucket_url)


@pytest.fixture
def publish(dsn: str) -> Callable[..., Any]:
    """Publishes files as a version of a package."""

    async def publish(
        files: Files,
        version: str = "1.0",
        publisher: type[AsyncPublisher] = AsyncPublisher,
        ecosystem: str = "pypi",
        name: str = "demo",
        **options: Any,
    ) -> Any:
        arguments = {
            name: options.pop(name)
            for name in ("request_key", "actor", "metadata", "role")
            if name in options
        }
        async with publisher.open(dsn, **options) as opened:
            return await opened.publish(
                "acme", "main", ecosystem, name, version, files=files, **arguments
            )

    return publish


@pytest.fixture
def work(dsn: str) -> Callable[..., Any]:
    """Lets a worker do all there is to do."""

    async def work(**options: Any) -> Any:
        worker = Worker(dsn, **({"purge_after": timedelta()} | options))
        return await worker.run(once=True)

    return work


@pytest.fixture
def copies(db: psycopg.Connection) -> Callable[..., dict[str, tuple[str, str, int]]]:
    """Where the ledger says that a blob is: url, key and generation by backend."""

    def copies(sha256: str) -> dict[str, tuple[str, str, int]]:
        rows = db.execute(
            "select backend, url, object_key, generation from pkgdb.blob_copies where sha256 = %s",
            [sha256],
        )
        return {backend: (url, key, generation) for backend, url, key, generation in rows}

    return copies


@pytest.fixture
def spawn_python(dsn: str) -> Callable[..., str]:
    """Runs a script in a process of its own and returns what it prints."""

    def spawn_python(script: str, *arguments: object) -> str:
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), *(str(a) for a in arguments)],
            env=os.environ | {"PKGDB_DSN": dsn},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    return spawn_python
