"""Protections by name, and how to take each away in a database made for it.

A test that holds proves little unless it fails where its protection is missing. Each entry puts the
database into the state in which a registry was when the incident happened.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from tests.support import altered


@dataclass(frozen=True)
class Edit:
    """Another body for a function: what matches `pattern` becomes `replacement`."""

    function: str
    pattern: str
    replacement: str = ""


def all_locks_but(condition: str) -> str:
    """Locks of which the condition on their key k is not true are not taken."""
    return f"""
        alter function pkgdb.lock_keys rename to lock_all_keys;
        create function pkgdb.lock_keys(variadic p_keys pkgdb.lock_key[])
        returns void language plpgsql as $$
        begin
            perform pkgdb.lock_all_keys(
                variadic array(select k from unnest(p_keys) k where {condition}));
        end $$;
    """


LIVE_COLUMNS = "(namespace, registration_id, normalized_version, variant)"

REMOVALS: dict[str, tuple[str | Edit, ...]] = {
    # Locks.
    "locks": (all_locks_but("false"),),
    "request lock": (all_locks_but("k.rank <> 1"),),
    "repository lock": (all_locks_but("k.rank <> 2"),),
    "registration lock": (all_locks_but("k.rank <> 5"),),
    "isolation check": (Edit("lock_keys", r"in \('repeatable read', 'serializable'\)", "= ''"),),
    "lists as lock keys": (
        """
        create or replace function pkgdb.request_lock(
            p_namespace text, p_actor text, p_request_key text)
        returns pkgdb.lock_key language sql immutable as $$
            select (1, hashtextextended(concat_ws('-', 'request', p_namespace, p_actor,
                                                  p_request_key), 0), true)::pkgdb.lock_key $$;
        create or replace function pkgdb.registration_lock(
            p_namespace text, p_scope_id bigint, p_ecosystem text, p_normalized_name text)
        returns pkgdb.lock_key language sql immutable as $$
            select (5, hashtextextended(concat_ws('-', 'registration', p_namespace, p_scope_id,
                                                  p_ecosystem, p_normalized_name), 0),
                    true)::pkgdb.lock_key $$;
        """,
    ),
    # Unique indexes.
    "live index": ("drop index pkgdb.package_version_live_key",),
    "unique live index": (
        "drop index pkgdb.package_version_live_key",
        f"create index package_version_live_key on pkgdb.package_version {LIVE_COLUMNS}",
    ),
    "live rows only in the live index": (
        "drop index pkgdb.package_version_live_key",
        "create unique index package_version_live_key on pkgdb.package_version " + LIVE_COLUMNS,
    ),
    "live rows only in the file index": (
        "drop index pkgdb.file_live_key",
        "create unique index file_live_key on pkgdb.file"
        " (namespace, registration_id, filename_scope_id, filename)",
    ),
    "repository index": ("drop index pkgdb.repository_name_key",),
    "name index": ("alter table pkgdb.registration drop constraint registration_name_key",),
    "look-alike index": ("drop index pkgdb.registration_lookalike_key",),
    "latest indexes": (
        "drop index pkgdb.package_version_latest_idx",
        "drop index pkgdb.package_version_latest_stable_idx",
    ),
    # Constraints and checks of arguments.
    "variant not null": ("alter table pkgdb.package_version alter column variant drop not null",),
    "variant check": (
        """
        alter function pkgdb.check_text rename to check_all_text;
        create function pkgdb.check_text(p_what text, p_text text, p_max integer)
        returns void language plpgsql as $$
        begin
            if p_what <> 'variant' then
                perform pkgdb.check_all_text(p_what, p_text, p_max);
            end if;
        end $$;
        """,
    ),
    "checks of texts": (
        "create or replace function pkgdb.check_text(p_what text, p_text text, p_max integer)"
        " returns void language plpgsql as $$ begin end $$",
    ),
    "committed check": (
        "alter table pkgdb.publication drop constraint publication_committed_check",
    ),
    # What counts as one, and what comes first.
    "normal form": (
        "create or replace function pkgdb.scheme_normalize_version(p_scheme text, p_version text)"
        " returns text language sql immutable parallel safe return p_version",
    ),
    "byte order": (
        "create or replace function pkgdb.scheme_version_key(p_scheme text, p_version text)"
        " returns bytea language sql immutable parallel safe"
        " return convert_to(lower(p_version), 'UTF8')",
    ),
    "exact numbers": (
        "create or replace function pkgdb.version_fits(p_version text) returns boolean"
        " language sql immutable parallel safe return true",
        # One byte for the number of digits, as set_byte() puts it in: modulo 256.
        r"""
        create or replace function pkgdb.number_key(p_digits text) returns text
        language sql immutable parallel safe
        return lpad((length(p_digits) % 256)::text, 3, '0') || p_digits
        """,
    ),
    "last hyphen": (
        Edit(
            "debian_key",
            r"split_part\(v_version, '-', -1\)",
            "substr(v_version, strpos(v_version, '-') + 1)",
        ),
    ),
    "numbers of any size": (
        r"""
        create or replace function pkgdb.number_key(p_digits text) returns text
        language sql immutable parallel safe
        return (select lpad(length(n.digits)::text, 3, '0') || n.digits
                  from (select least(p_digits::numeric, 9223372036854775807)::text) n (digits))
        """,
    ),
    "ghosts are not found": (Edit("find_version", r"and v\.status in \([^)]*\)"),),
    # How a change ends.
    "latest in each change": (
        Edit("touch", r"latest_version_id = \(.*?limit 1\),\s*latest_stable.*?limit 1\),"),
        Edit(
            "insert_plain_items",
            r"latest_version_id = \(.*?limit 1\),\s*latest_stable.*?limit 1\),",
        ),
        Edit(
            "count_revisions",
            r"latest_version_id = \(.*?limit 1\),\s*latest_stable.*?limit 1\),",
        ),
    ),
    "siblings left alone": (
        Edit(
            "touch",
            r"\nbegin\n",
            """
            begin
                update pkgdb.package_version v
                   set listed = v.listed
                 where v.namespace = p_registration.namespace
                   and v.registration_id = p_registration.registration_id;
            """,
        ),
    ),
    "creation yields": (
        Edit("create_repository", r"on conflict do nothing\s+returning", "returning"),
    ),
    # Curation: locks, and what is read under them.
    "order of locks": (Edit("lock_keys", r"if cardinality\(p_keys\) > 2.*?end if;"),),
    "order of bytes": (
        Edit("stage_files", r"order by s\.sha256, s\.filename", "order by s.filename"),
        Edit("insert_plain_items", r"distinct on \(f\.sha256, f\.size\) f", "f"),
        Edit("insert_plain_items", r"order by f\.sha256, f\.size\)", "order by i.item)"),
        Edit("insert_plain_items", r"order by f\.sha256\s+on conflict", "on conflict"),
    ),
    "distribution lock": (all_locks_but("k.rank <> 3"),),
    "snapshot lock": (all_locks_but("k.rank <> 4"),),
    "second look at snapshots": (
        Edit(
            "lock_snapshots",
            r"exit when v_locked = array.*?;(.*?)end loop;",
            r"""
            perform pkgdb.lock_keys(variadic array(
                select pkgdb.snapshot_lock(p_namespace, s.snapshot_id, p_exclusive)
                  from unnest(v_snapshots) s));
            exit;
            end loop;
            """,
        ),
    ),
    "second look at sources": (
        Edit(
            "lock_distribution",
            r"exit when v_keys is not distinct from v_held;\s+perform pkgdb\.lock_keys[^;]*;",
            "perform pkgdb.lock_keys(variadic v_keys); exit;",
        ),
    ),
    "list read under the lock": (
        Edit(
            "remove_versions",
            r"v_repository := .*?(?=if not p_dry_run then)",
            """
            select * into v_repository
              from pkgdb.repository r
             where r.namespace = p_namespace and r.name = p_repository;
            v_members := pkgdb.match_members(
                p_namespace, pkgdb.repository_members(v_repository), p_queries);
            v_repository := pkgdb.lock_repository(p_namespace, p_repository, true);
            """,
        ),
    ),
    "row lock of updates": (Edit("lock_update", r"for update;", ";"),),
    "fence of updates": (Edit("check_update", r"p_update\.fence <> p_fence", "false"),),
    "compare and set": (Edit("check_revision", r"p_if_revision <> p_now", "false"),),
    "target of a pull": (
        Edit(
            "pull_snapshot",
            r"v_members := pkgdb\.replace_members\(.*?\);",
            "v_members := v_pulled;",
        ),
    ),
    "look at what is served": (
        Edit(
            "drop_repository", r"if exists \(\s+select from pkgdb\.distribution_component.*?end if;"
        ),
    ),
    # Curation: what cleaning up looks at.
    "pins": (
        """
        create or replace function pkgdb.pins(
            p_namespace text, p_repository_id bigint, p_registration_id bigint,
            p_version_id bigint, p_added_epoch bigint, p_removed_epoch bigint)
        returns setof bigint language sql stable as 'select 0::bigint where false'
        """,
    ),
    "skipping of what a purge holds": (
        Edit("purge", r"for update of v skip locked", "for update of v"),
    ),
    "look at staged files": (
        Edit("collect_blobs", r"and not exists \(\s+select from pkgdb\.mirror_file.*?\)(?=\);)"),
    ),
    "one look at a source": ("alter function pkgdb.choose_copies volatile",),
    "one look": ("alter function pkgdb.distribution_content volatile",),
    # Curation: what stands for what.
    "references by id": (
        """
        create table public.served (
            distribution_id bigint, component text, snapshot text, repository text);
        grant all on public.served to public;
        create function public.write_names() returns trigger language plpgsql as $$
        begin
            insert into public.served
            select new.distribution_id, new.component, (
                       select s.name from pkgdb.snapshot s
                        where s.snapshot_id = new.snapshot_id), (
                       select r.name from pkgdb.repository r
                        where r.repository_id = new.repository_id);
            return new;
        end $$;
        create trigger write_names before insert on pkgdb.distribution_component
            for each row execute function public.write_names();
        """,
        *(
            Edit(
                "source_members",
                rf"{row}\.{source}_id = p_component\.{source}_id",
                f"{row}.name = (select n.{source} from public.served n"
                " where n.distribution_id = p_component.distribution_id"
                " and n.component = p_component.component)",
            )
            for row, source in (("s", "snapshot"), ("r", "repository"))
        ),
    ),
    "whole packages": (
        Edit(
            "merge_members",
            r"case when p_no_remove then r\.normalized_version end",
            "r.normalized_version",
        ),
    ),
    "digests of ties": (
        Edit("merge_latest", r"case when \S+ then pkgdb\.member_digest\(t\.member\) end desc,"),
    ),
    "one pass over the sources": (
        "drop function pkgdb.merge_latest(pkgdb.snapshot[])",
        """
        create function pkgdb.merge_latest(p_sources pkgdb.snapshot[])
        returns pkgdb.member[] language plpgsql stable as $$
        declare
            v_all pkgdb.member[] := array(
                select o from unnest(p_sources) s
                 cross join lateral unnest(pkgdb.snapshot_members(s)) o);
        begin
            return array(
                select m
                  from unnest(v_all) m
                  join pkgdb.registration g using (registration_id)
                  join pkgdb.package_version v using (version_id)
                 where (select count(*)
                          from unnest(v_all) o
                         cross join lateral (
                               select w.registration_id as owner, w.version_key
                                 from pkgdb.package_version w
                                where w.namespace = o.namespace
                                  and w.registration_id = o.registration_id
                                  and w.version_id = o.version_id
                               offset 0) w
                          join pkgdb.registration h on h.registration_id = w.owner
                         where h.normalized_name = g.normalized_name
                           and w.version_key > v.version_key) = 0);
        end $$;
        """,
    ),
    # Curation: constraints.
    "counts": ("alter table pkgdb.registration drop constraint registration_counts_check",),
    "snapshot names": ("alter table pkgdb.snapshot drop constraint snapshot_name_key",),
    "endpoint names": (
        "alter table pkgdb.distribution drop constraint distribution_name_key",
        Edit("create_distribution", r"on conflict do nothing"),
    ),
    "open updates": ("drop index pkgdb.mirror_update_open_key",),
    "snapshot references": (
        "alter table pkgdb.snapshot_source drop constraint snapshot_source_source_fkey",
        "alter table pkgdb.distribution_component"
        " drop constraint distribution_component_snapshot_fkey",
    ),
}


def remove(db: psycopg.Connection, names: Iterable[str]) -> None:
    leave_altered_alone()
    for name in names:
        for step in REMOVALS[name]:
            if isinstance(step, Edit):
                edit(db, step)
            else:
                db.execute(step)


def leave_altered_alone() -> None:
    """Where something is wrong already, a test that makes something else wrong shows nothing."""
    if altered():
        pytest.skip("the schema is altered already")


def edit(db: psycopg.Connection, step: Edit) -> None:
    leave_altered_alone()
    definition = db.execute(
        "select pg_get_functiondef(oid) from pg_proc"
        " where pronamespace = 'pkgdb'::regnamespace and proname = %s",
        [step.function],
    ).fetchone()
    assert definition is not None
    text, found = re.subn(step.pattern, lambda _: step.replacement, definition[0], flags=re.DOTALL)
    assert found, f"{step.function} has nothing like {step.pattern}"
    db.execute(sql.SQL(text))
