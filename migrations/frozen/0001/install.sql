-- The whole schema, in the order in which it is created: psql -f sql/install.sql
-- The migrations run the same files from migrations/frozen/.
\set ON_ERROR_STOP on
begin;

\ir roles.sql
\ir schema.sql

-- What every function stands on.
\ir kernel/clock.sql
\ir kernel/identity.sql
\ir kernel/locks.sql
\ir kernel/arguments.sql

-- Names and versions: what an ecosystem calls the same, and what it calls newer.
\ir versions/tables.sql
\ir versions/order_keys.sql
\ir versions/semver.sql
\ir versions/pep440.sql
\ir versions/debian.sql
\ir versions/hex.sql
\ir versions/swift.sql
\ir versions/terraform.sql
\ir versions/helm.sql
\ir versions/golang.sql
\ir versions/purescript.sql
\ir versions/pub.sql
\ir versions/nuget.sql
\ir versions/maven.sql
\ir versions/rubygems.sql
\ir versions/rpm.sql
\ir versions/composer.sql
\ir versions/conan.sql
\ir versions/conda.sql
\ir versions/apk.sql
\ir versions/natural.sql
\ir versions/schemes.sql
\ir versions/names.sql
\ir versions/ecosystems.sql

-- Tables.
\ir catalog/tables.sql
\ir publishing/tables.sql
\ir storage/tables.sql
\ir curation/tables.sql
\ir feed/tables.sql

-- What every mutation begins and ends with.
\ir kernel/requests.sql
\ir kernel/records.sql

-- Version order for readers.
\ir versions/version_key.sql
\ir versions/normalize_version.sql
\ir versions/normalize_name.sql
\ir versions/is_prerelease.sql

-- Repositories and names.
\ir catalog/policy.sql
\ir storage/support.sql
\ir curation/query.sql
\ir curation/dependencies.sql
\ir publishing/support.sql
\ir catalog/create_repository.sql
\ir catalog/alter_repository.sql
\ir catalog/rename_repository.sql
\ir catalog/drop_repository.sql
\ir catalog/reserve_name.sql
\ir catalog/release_name.sql

-- Publishing.
\ir publishing/publish.sql
\ir publishing/publish_many.sql
\ir publishing/add_files.sql

-- Publishing in steps.
\ir publishing/publications.sql
\ir publishing/begin_publication.sql
\ir publishing/renew_publication.sql
\ir publishing/record_copy.sql
\ir publishing/record_validation.sql
\ir publishing/commit_publication.sql
\ir publishing/abort_publication.sql
\ir publishing/expire_publications.sql

-- Where bytes are kept.
\ir storage/add_backend.sql
\ir storage/adopt_backend.sql
\ir storage/set_repository_backend.sql
\ir storage/promote_backends.sql
\ir storage/claim_copies.sql
\ir storage/verify_copy.sql
\ir storage/record_copy_failure.sql
\ir storage/collect_blobs.sql
\ir storage/confirm_blob_deleted.sql
\ir storage/retire_backend.sql
\ir storage/locate_blob.sql
\ir storage/views.sql

-- What happens to a version afterwards.
\ir lifecycle/support.sql
\ir lifecycle/yank.sql
\ir lifecycle/unyank.sql
\ir lifecycle/deprecate.sql
\ir lifecycle/quarantine.sql
\ir lifecycle/release_quarantine.sql
\ir lifecycle/delete_version.sql
\ir lifecycle/restore_version.sql
\ir lifecycle/delete_file.sql
\ir lifecycle/set_tag.sql
\ir lifecycle/drop_tag.sql
\ir lifecycle/apply_retention.sql
\ir lifecycle/purge.sql

-- Frozen sets of versions, mirrors, and what clients read.
\ir curation/support.sql
\ir curation/resolver.sql
\ir curation/create_snapshot.sql
\ir curation/merge_snapshots.sql
\ir curation/pull_snapshot.sql
\ir curation/filter_snapshot.sql
\ir curation/diff_snapshots.sql
\ir curation/verify_snapshot.sql
\ir curation/rename_snapshot.sql
\ir curation/drop_snapshot.sql
\ir curation/search_versions.sql
\ir curation/snapshot_digest.sql
\ir curation/seal_snapshots.sql
\ir curation/copies.sql
\ir curation/copy_versions.sql
\ir curation/move_versions.sql
\ir curation/remove_versions.sql
\ir curation/mirrors.sql
\ir curation/begin_mirror_update.sql
\ir curation/stage_mirror_items.sql
\ir curation/missing_mirror_copies.sql
\ir curation/record_mirror_copy.sql
\ir curation/commit_mirror_update.sql
\ir curation/abort_mirror_update.sql
\ir curation/distributions.sql
\ir curation/create_distribution.sql
\ir curation/switch_distribution.sql
\ir curation/drop_distribution.sql
\ir curation/distribution_content.sql
\ir curation/views.sql

-- The change feed.
\ir feed/support.sql
\ir feed/sequence_events.sql
\ir feed/read_events.sql
\ir feed/register_consumer.sql
\ir feed/acknowledge_events.sql
\ir feed/drop_consumer.sql
\ir feed/prune_events.sql
\ir feed/views.sql

-- Reading.
\ir lookup/support.sql
\ir lookup/resolve.sql
\ir lookup/versions.sql
\ir lookup/views.sql

-- Checking.
\ir integrity/protections.sql
\ir integrity/check_integrity.sql
\ir integrity/repair_latest.sql
\ir integrity/outdated_registrations.sql
\ir integrity/upgrade_scheme.sql
\ir integrity/lock_waits.sql

-- Last, over all of it.
\ir privileges.sql

commit;
