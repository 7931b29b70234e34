"""GitLab, maven and debian packages: a version that is NULL passes the unique index, twice. Right:
no column of any identity can be NULL."""

from tests.incidents.support import Package, World, call

FREETYPE = Package("deb", "freetype")


def a_null_twice(world: World) -> tuple[list[str], list[str]]:
    world.repository()
    world.given(FREETYPE("publish", "1.0"))
    push = FREETYPE("publish", "2.0", p_variant=None)
    return [world.session().do(push) for _ in range(2)], world.live(FREETYPE)


def test_holds(world: World) -> None:
    assert a_null_twice(world) == (["RG400", "RG400"], ["1.0"])
    assert world.violated() == set()


def test_the_constraint_is_the_backstop(world: World) -> None:
    assert a_null_twice(world.without("variant check")) == (["23502", "23502"], ["1.0"])
    assert world.violated() == set()


def test_fails_without_variant_not_null(world: World) -> None:
    world.without("variant check", "variant not null")
    assert a_null_twice(world) == (["created", "created"], ["1.0", "2.0", "2.0"])


def test_no_identity_is_null_to_any_function(world: World) -> None:
    world.repository()
    for missing in ("p_ecosystem", "p_name", "p_version"):
        named = {"p_ecosystem": "deb", "p_name": "freetype", "p_version": "1.0"} | {missing: None}
        publish = call("publish", p_namespace="acme", p_repository="main", **named)
        assert world.session().do(publish) == "RG400", missing
    assert world.claims() == []


def nullable_columns(world: World) -> list[tuple[str, str]]:
    """Columns of unique indexes that may be NULL, and where they are, are in the index."""
    return world.db.execute(
        r"""
        select i.indexrelid::regclass::text, a.attname::text
          from pg_index i
          join pg_class t on t.oid = i.indrelid
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
         where t.relnamespace = 'pkgdb'::regnamespace and i.indisunique
           and not a.attnotnull
           and coalesce(
                pg_get_expr(i.indpred, i.indrelid), ''
               ) !~ format('^\(*%s IS NOT NULL\)(?!.* OR )', a.attname)
         order by 1, 2
        """
    ).fetchall()


def test_no_column_of_a_unique_index_may_be_null(world: World) -> None:
    assert nullable_columns(world) == []
    world.without("variant not null")
    assert nullable_columns(world) == [("pkgdb.package_version_live_key", "variant")]
