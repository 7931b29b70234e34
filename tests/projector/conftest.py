"""A repository on two stores, and the folder that shows it."""

from tests.storage.conftest import (
    add_backend,
    bucket_url,
    copies,
    folder_url,
    make_file,
    publish,
    registry,
    run,
    run_json,
    s3,
    s3_endpoint,
    spawn,
    two_stores,
    work,
)

__all__ = [
    "add_backend",
    "bucket_url",
    "copies",
    "folder_url",
    "make_file",
    "publish",
    "registry",
    "run",
    "run_json",
    "s3",
    "s3_endpoint",
    "spawn",
    "two_stores",
    "work",
]
