"""Statements that break one constraint or unique index, and nothing else.

On a database with something of everything in it, see test_constraints.py, and with `pkgdb` in the
search_path.
"""

import json

NOW = "now"


def again(table: str, where: str = "true", **changes: object) -> str:
    """Insert a row once more, with some columns otherwise."""
    return f"""insert into {table} overriding system value
        select (jsonb_populate_record(t, '{json.dumps(changes)}')).* from {table} t
         where {where} limit 1"""


CHECKS: dict[str, list[str]] = {
    # the catalog
    "repository_kind_check": ["update repository set kind = 'proxy' where kind = 'hosted'"],
    "repository_status_check": ["update repository set status = 'archived'"],
    "repository_dropped_check": [
        "update repository set status = 'dropped'",
        "update repository set dropped_at = now()",
    ],
    "repository_reuse_check": ["update repository set reuse = 'sometimes'"],
    "repository_name_scope_check": ["update repository set name_scope = 'version'"],
    "repository_keep_versions_check": ["update repository set keep_versions = 0"],
    "repository_upstream_check": ["update repository set kind = 'hosted'"],
    "repository_immutable_check": ["update repository set immutable = true, keep_versions = 1"],
    "registration_scope_check": ["update registration set scope_id = -1 where name = 'kit'"],
    "registration_status_check": [
        "update registration set status = 'retired' where name = 'brand'"
    ],
    "registration_reserved_check": [
        "update registration set version_count = 1 where status = 'reserved'",
        """update registration
              set status = 'reserved', version_count = 0, latest_version_id = null
            where name = 'kit'""",
        """update registration
              set status = 'reserved', version_count = 0, latest_stable_version_id = null
            where name = 'kit'""",
    ],
    "registration_counts_check": [
        "update registration set version_count = -1 where status = 'active'",
        "update registration set file_count = -1",
        "update registration set byte_count = -1",
    ],
    "package_version_status_check": [
        "update package_version set status = 'gone' where status = 'available'"
    ],
    "package_version_added_check": [
        "update package_version set added_epoch = 1 where status = 'processing'",
        "update package_version set published_at = now() where status = 'processing'",
        "update package_version set added_epoch = null where status = 'available'",
        "update package_version set published_at = null where status = 'available'",
        """update package_version set status = 'failed', removed_at = now(), added_epoch = 1
            where status = 'processing'""",
        """update package_version set status = 'quarantined', published_at = null
            where status = 'available'""",
    ],
    "package_version_removed_check": [
        "update package_version set removed_epoch = 9 where status = 'available'",
        "update package_version set removed_at = now() where status = 'available'",
        "update package_version set removed_epoch = null where status = 'pending_destruction'",
        "update package_version set removed_at = null where status = 'pending_destruction'",
        "update package_version set removed_epoch = 0 where status = 'pending_destruction'",
        "update package_version set status = 'failed' where status = 'processing'",
    ],
    "package_version_yank_check": ["update package_version set yank_reason = 'broken'"],
    "package_version_quarantine_check": ["update package_version set quarantine_reason = 'virus'"],
    "blob_sha256_check": [again("blob", sha256="\\x00")],
    "blob_size_check": ["update blob set size = -1"],
    "file_scope_check": ["update file set filename_scope_id = -1"],
    "file_role_check": ["update file set role = 'other'"],
    "file_status_check": ["update file set status = 'gone' where status = 'available'"],
    "file_publication_check": [
        "update file set publication_id = null where status = 'processing'",
        """update file set publication_id = (select min(publication_id) from publication)
            where status = 'available'""",
    ],
    "file_added_check": [
        "update file set added_epoch = 1 where status = 'processing'",
        "update file set added_epoch = null where status = 'available'",
        """update file
              set status = 'failed', publication_id = null, removed_at = now(), added_epoch = 1
            where status = 'processing'""",
    ],
    "file_removed_check": [
        "update file set removed_epoch = 9 where status = 'available'",
        "update file set removed_at = now() where status = 'available'",
        "update file set removed_epoch = null where status = 'pending_destruction'",
        "update file set removed_at = null where status = 'pending_destruction'",
        "update file set removed_epoch = 0 where status = 'pending_destruction'",
        "update file set status = 'failed', publication_id = null where status = 'processing'",
    ],
    # curation
    "dependency_position_check": [
        "update dependency set position = -position",
        "update dependency set alternative = -alternative",
    ],
    "dependency_kind_check": [
        "update dependency set kind = 'Depends'",
        "update dependency set kind = ''",
    ],
    "snapshot_kind_check": [
        "update snapshot set epoch = 1 where repository_id is null",
        "update snapshot set epoch = null where repository_id is not null",
        "update snapshot set member_count = null where repository_id is null",
        "update snapshot set member_count = 0 where repository_id is not null",
    ],
    "snapshot_digest_check": ["update snapshot set digest = ''"],
    "snapshot_source_self_check": [
        """update snapshot_source set source_id = snapshot_id
            where snapshot_id = (select snapshot_id from snapshot where name = 'slim')"""
    ],
    "mirror_update_status_check": [
        "update mirror_update set status = 'gone' where status = 'aborted'"
    ],
    "mirror_update_ended_check": [
        "update mirror_update set ended_at = now() where status = 'open'",
        "update mirror_update set expires_at = now() where status = 'open'",
        "update mirror_update set ended_at = null where status = 'aborted'",
        "update mirror_update set expires_at = null where status = 'aborted'",
    ],
    "mirror_update_report_check": [
        "update mirror_update set report = '{}' where status = 'open'",
        "update mirror_update set report = null where status = 'committed'",
    ],
    "mirror_update_fence_check": ["update mirror_update set fence = 0"],
    "mirror_update_staged_check": ["update mirror_update set staged = -1"],
    "mirror_version_content_check": ["update mirror_version set content = ''"],
    "distribution_component_source_check": [
        "update distribution_component set snapshot_id = null, repository_id = null",
        """update distribution_component
              set repository_id = (select min(repository_id) from repository)
            where snapshot_id is not null""",
    ],
    # publications
    "publication_role_check": ["update publication set role = 'other'"],
    "publication_status_check": ["update publication set status = 'gone' where status = 'aborted'"],
    "publication_ended_check": [
        "update publication set ended_at = now() where status = 'open'",
        "update publication set ended_at = null where status = 'aborted'",
    ],
    "publication_committed_check": [
        "update publication set outcome = 'created', revision = 1 where status = 'open'",
        "update publication set outcome = null, revision = null where status = 'committed'",
        "update publication set revision = 1 where status = 'open'",
        "update publication set revision = null where status = 'committed'",
    ],
    "publication_fence_check": ["update publication set fence = 0"],
    "publication_expires_check": [
        "update publication set expires_at = now() where status = 'open'",
        "update publication set expires_at = null where status = 'aborted'",
    ],
    "validation_round_check": ["update validation set round = 0"],
    "validation_requirement_check": ["update validation set requirement = 'optional'"],
    "validation_status_check": ["update validation set status = 'gone'"],
    "validation_attempts_check": ["update validation set attempts = -1"],
    # where bytes are
    "backend_status_check": ["update backend set status = 'gone' where status = 'live'"],
    "backend_retired_check": [
        "update backend set status = 'retired' where status = 'live'",
        "update backend set retired_at = now() where status = 'live'",
    ],
    "repository_backend_requirement_check": ["update repository_backend set requirement = 'none'"],
    "blob_copy_state_check": ["update blob_copy set state = 'gone' where state = 'present'"],
    "blob_copy_present_check": [
        "update blob_copy set present_at = null where state = 'present'",
        "update blob_copy set state = 'lost', present_at = null where state = 'present'",
        "update blob_copy set present_at = now() where state = 'pending'",
    ],
    "blob_copy_deleted_check": ["update blob_copy set deleted_attempt = 1 where state = 'present'"],
    "blob_copy_due_check": [
        "update blob_copy set next_attempt_at = null where state = 'pending'",
        "update blob_copy set next_attempt_at = null where state = 'deleting'",
    ],
    "blob_copy_attempts_check": ["update blob_copy set attempts = -1"],
    # the feed
    "feed_head_pruned_check": [
        "update feed_head set pruned_to = -1",
        "update feed_head set pruned_to = position + 1",
    ],
    "feed_incarnation_began_check": ["update feed_incarnation set began_after = -1"],
    "consumer_position_check": ["update consumer set position = -1"],
    # ecosystems
    "ecosystem_claim_scope_check": ["update ecosystem set claim_scope = 'version'"],
    "ecosystem_file_rule_check": ["update ecosystem set file_rule = 'two'"],
    "ecosystem_filename_scope_check": ["update ecosystem set filename_scope = 'file'"],
    "ecosystem_name_max_check": [
        "update ecosystem set name_max = 0",
        "update ecosystem set name_max = 256",
    ],
    "ecosystem_version_max_check": [
        "update ecosystem set version_max = 0",
        "update ecosystem set version_max = 256",
    ],
}

# To what is not there.
REFERENCES: dict[str, list[str]] = {
    # the catalog
    "repository_namespace_fkey": [again("repository", namespace="none")],
    "registration_repository_fkey": [
        "update registration set repository_id = 0 where scope_id = 0"
    ],
    "registration_ecosystem_fkey": [
        "update registration set ecosystem = 'none' where name = 'kit'"
    ],
    "registration_scheme_fkey": ["update registration set scheme = 'none' where name = 'brand'"],
    "registration_latest_fkey": [
        "update registration set latest_version_id = 0 where name = 'kit'"
    ],
    "registration_latest_stable_fkey": [
        "update registration set latest_stable_version_id = 0 where name = 'kit'"
    ],
    "package_version_registration_fkey": [
        "update package_version set scheme = 'debian' where version = '4.0'"
    ],
    "file_version_fkey": ["update file set version_id = 0 where filename_scope_id = 0"],
    "file_blob_fkey": ["update file set sha256 = ''"],
    "file_publication_fkey": ["update file set publication_id = 0 where status = 'processing'"],
    "tag_version_fkey": ["update tag set version_id = 0"],
    "tombstone_registration_fkey": ["update tombstone set registration_id = -registration_id"],
    # curation
    "dependency_version_fkey": ["update dependency set version_id = -version_id"],
    "dependency_scheme_fkey": [
        """update dependency set scheme = 'none'
            where lower_version is null and upper_version is null"""
    ],
    "snapshot_namespace_fkey": [again("snapshot", "repository_id is null", namespace="none")],
    "snapshot_repository_fkey": ["update snapshot set repository_id = -repository_id"],
    "snapshot_member_snapshot_fkey": ["update snapshot_member set snapshot_id = -snapshot_id"],
    "snapshot_member_version_fkey": ["update snapshot_member set version_id = -version_id"],
    "snapshot_source_snapshot_fkey": ["update snapshot_source set snapshot_id = -snapshot_id"],
    "snapshot_source_source_fkey": ["update snapshot_source set source_id = -source_id"],
    "mirror_repository_fkey": ["update mirror set repository_id = 0"],
    "mirror_item_update_fkey": ["update mirror_item set update_id = 0"],
    "mirror_item_ecosystem_fkey": ["update mirror_item set ecosystem = 'none'"],
    "mirror_version_version_fkey": ["update mirror_version set version_id = -version_id"],
    "mirror_file_update_fkey": ["update mirror_file set update_id = 0"],
    "mirror_file_blob_fkey": ["update mirror_file set sha256 = sha256 || '!'"],
    "distribution_namespace_fkey": [again("distribution", namespace="none")],
    "distribution_ecosystem_fkey": ["update distribution set ecosystem = 'none'"],
    "distribution_component_distribution_fkey": [
        "update distribution_component set distribution_id = 0"
    ],
    "distribution_component_snapshot_fkey": [
        "update distribution_component set snapshot_id = -snapshot_id"
    ],
    "distribution_component_repository_fkey": [
        "update distribution_component set repository_id = -repository_id"
    ],
    # publications
    "validation_publication_fkey": ["update validation set publication_id = -publication_id"],
    # where bytes are
    "backend_namespace_fkey": [again("backend", namespace="none")],
    "repository_backend_repository_fkey": [
        "update repository_backend set repository_id = -repository_id"
    ],
    "repository_backend_backend_fkey": ["update repository_backend set backend_id = -backend_id"],
    "blob_copy_blob_fkey": ["update blob_copy set sha256 = sha256 || '!'"],
    "blob_copy_backend_fkey": ["update blob_copy set backend_id = -backend_id"],
    # the feed
    "feed_head_namespace_fkey": [again("feed_head", namespace="none")],
    "feed_incarnation_head_fkey": ["update feed_incarnation set namespace = 'none'"],
    "consumer_head_fkey": ["update consumer set namespace = 'none'"],
    # ecosystems
    "ecosystem_scheme_fkey": ["update ecosystem set scheme = 'none'"],
}

OTHER = {"name": "other"}
KEYS: dict[str, list[str]] = {
    # the catalog
    "namespace_pkey": [again("namespace")],
    "repository_pkey": [again("repository", **OTHER)],
    "registration_pkey": [
        again("registration", "name = 'kit'", normalized_name="other", scheme="debian")
    ],
    # Wider than the primary key, which would speak first: foreign keys refer to it.
    "registration_scheme_key": [
        "alter table registration drop constraint registration_pkey cascade;"
        + again("registration", "name = 'kit'", normalized_name="other")
    ],
    "registration_name_key": [
        "update registration set normalized_name = 'other' where name = 'Demo.App'"
    ],
    "registration_lookalike_key": [
        "update registration set lookalike_key = '0ther' where name = 'Demo.App'"
    ],
    "package_version_pkey": [
        """insert into package_version
            (namespace, registration_id, version_id, scheme, version, status, created_at)
            overriding system value
        select namespace, registration_id, version_id, scheme, 'other', 'processing', created_at
          from package_version where version = '4.0'"""
    ],
    "blob_pkey": [again("blob")],
    "file_pkey": [again("file", filename="other")],
    "tag_pkey": [again("tag")],
    "tombstone_pkey": [again("tombstone")],
    "request_pkey": [again("request")],
    # curation
    "dependency_pkey": ["update dependency set alternative = 1"],
    "snapshot_pkey": [again("snapshot", **OTHER)],
    "snapshot_name_key": ["update snapshot set name = 'other'"],
    "snapshot_member_pkey": [again("snapshot_member")],
    "snapshot_source_pkey": [again("snapshot_source")],
    "mirror_pkey": [again("mirror")],
    "mirror_update_pkey": [again("mirror_update", "status = 'aborted'")],
    "mirror_item_pkey": [again("mirror_item")],
    "mirror_version_pkey": [again("mirror_version")],
    "mirror_file_pkey": [again("mirror_file")],
    "distribution_pkey": [again("distribution", **OTHER)],
    "distribution_name_key": [again("distribution", distribution_id=0)],
    "distribution_component_pkey": [again("distribution_component")],
    # publications
    "publication_pkey": [again("publication", "status = 'aborted'")],
    "validation_pkey": [again("validation")],
    # where bytes are
    "backend_pkey": [again("backend", **OTHER)],
    "backend_name_key": ["update backend set name = 'other'"],
    "repository_backend_pkey": [again("repository_backend")],
    "blob_copy_pkey": [again("blob_copy", "state = 'deleting'")],
    # the feed
    "outbox_pkey": [again("outbox")],
    "feed_head_pkey": [again("feed_head")],
    "feed_incarnation_pkey": [again("feed_incarnation", incarnation="0" * 32)],
    "feed_incarnation_incarnation_key": [again("feed_incarnation", number=0)],
    "feed_event_pkey": [again("feed_event", event_id=0)],
    "feed_event_event_key": [again("feed_event", position=0)],
    "consumer_pkey": [again("consumer")],
    # ecosystems
    "version_scheme_pkey": [again("version_scheme")],
    "ecosystem_pkey": [again("ecosystem")],
    # what was installed
    "protection_pkey": [again("protection")],
    "alembic_version_pkc": [again("alembic_version")],
}


def version(status: str) -> str:
    """The kit's version that is being published, as the one that is there."""
    return f"update package_version set version = '1.0', {status} where version = '4.0'"


def file(**status: object) -> str:
    unpublished = {"added_epoch": None, "publication_id": None}
    return again("file", "filename = 'kit-1.0'", file_id=0, **unpublished | status)


def publication(request_key: str, /, **status: object) -> str:
    unended = {"ended_at": None, "outcome": None, "revision": None, "expires_at": None}
    key = f"request_key = '{request_key}'"
    return again("publication", key, publication_id=0, **unended | status)


def mirror_update(**status: object) -> str:
    return again("mirror_update", "status = 'open'", update_id=0, **status)


def copy(**status: object) -> str:
    unsent = {"present_at": None, "next_attempt_at": NOW}
    return again("blob_copy", "state = 'present'", generation=0, **unsent | status)


ENDED = {"ended_at": NOW, "expires_at": NOW}
COMMITTED = {"status": "committed", "ended_at": NOW, "outcome": "created", "revision": 1}

# Where only one may live: another one is refused in each status that counts, and let in, as a
# ghost, in each that does not. Not registration_lookalike_key: what it leaves out is null, and no
# null equals another.
LIVE: dict[str, dict[str, str]] = {
    "repository_name_key": {"live": again("repository", repository_id=0)},
    "package_version_live_key": {
        "processing": version("status = 'processing'"),
        "available": version("status = 'available', added_epoch = 1, published_at = now()"),
        "quarantined": version("status = 'quarantined', added_epoch = 1, published_at = now()"),
    },
    "file_live_key": {
        "processing": file(status="processing", publication_id=1),
        "available": file(status="available", added_epoch=1),
    },
    "publication_content_key": {"open": publication("key 5", request_key=None)},
    "publication_request_key": {
        "open": publication("key 2", status="open"),
        "committed": publication("key 2", **COMMITTED),
    },
    "mirror_update_open_key": {"open": mirror_update()},
    "blob_copy_live_key": {
        "pending": copy(state="pending"),
        "present": copy(state="present", present_at=NOW),
    },
}
GHOSTS: dict[str, dict[str, str]] = {
    "repository_name_key": {
        "dropped": again("repository", repository_id=0, status="dropped", dropped_at=NOW)
    },
    "package_version_live_key": {
        "failed": version("status = 'failed', removed_at = now()"),
        "pending_destruction": version(
            "status = 'pending_destruction', removed_at = now(), removed_epoch = 1"
        ),
    },
    "file_live_key": {
        "failed": file(status="failed", removed_at=NOW),
        "pending_destruction": file(status="pending_destruction", removed_at=NOW, removed_epoch=1),
    },
    "publication_content_key": {
        "committed": publication("key 5", request_key=None, **COMMITTED),
        **{
            status: publication("key 5", request_key=None, status=status, **ENDED)
            for status in ("aborted", "expired", "rejected")
        },
    },
    "publication_request_key": {
        status: publication("key 2", status=status, **ENDED)
        for status in ("aborted", "expired", "rejected")
    },
    "mirror_update_open_key": {
        "committed": mirror_update(status="committed", report={}, **ENDED),
        "aborted": mirror_update(status="aborted", **ENDED),
        "superseded": mirror_update(status="superseded", **ENDED),
    },
    "blob_copy_live_key": {
        "lost": copy(state="lost", present_at=NOW),
        "deleting": copy(state="deleting"),
    },
}
