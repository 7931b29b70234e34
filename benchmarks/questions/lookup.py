"""Question 4: what a reader costs, in time and in pages touched."""

from functools import partial

import psycopg

from benchmarks.bench import NAMESPACE, Bench, Turn, one
from benchmarks.load import Load
from benchmarks.questions.growth import CLIENTS, EACH, pages, registry_of, sizes_of, times, up_to
from benchmarks.questions.publish import Contender
from benchmarks.results import Chart, Column, Table

PACKAGE = f"'{NAMESPACE}', 'main', 'npm', 'package-' || :package"
NUGET = Contender("nuget_flags", "NuGet: the flagged row")
# The row that `which` names, with its files as pkgdb returns them, from any schema.
PLAIN = f"""
    select v.*, f.files
      from PEER.registration r
      join PEER.package_version v
        on v.namespace = r.namespace and v.registration_id = r.registration_id and {{which}}
      cross join lateral (
           select jsonb_agg(jsonb_build_object(
                      'filename', f.filename, 'sha256', encode(f.sha256, 'hex'), 'size', b.size))
                      as files
             from PEER.file f
             join PEER.blob b on b.namespace = f.namespace and b.sha256 = f.sha256
            where f.namespace = v.namespace and f.registration_id = v.registration_id
              and f.version_id = v.version_id and f.status = 'available') f
     where r.namespace = '{NAMESPACE}' and r.scope_id = 0 and r.ecosystem = 'npm'
       and r.normalized_name = 'package-' || :package"""
LATEST = "pkgdb.resolve, latest"
OURS = {
    LATEST: f"select * from pkgdb.resolve({PACKAGE}, 'latest')",
    "pkgdb.resolve, exact": f"select * from pkgdb.resolve({PACKAGE}, '0.' || :number || '.0')",
    f"pkgdb.versions, highest {EACH}": f"select * from pkgdb.versions({PACKAGE}, {EACH})",
    "floor: pointer, plain SQL": PLAIN.format(which="v.version_id = r.latest_version_id").replace(
        "PEER", "pkgdb"
    ),
    "GitLab: all versions, client sorts": PLAIN.format(which="v.status = 'available'").replace(
        "PEER", "pkgdb"
    ),
}
FLAGGED = NUGET.own(PLAIN.format(which="v.is_latest"))


def lookup(bench: Bench) -> None:
    all_sizes = sizes_of(bench)
    sizes = [all_sizes[0], max(size for size in all_sizes[1:] if size <= 10**6)]
    registries = {size: registry_of(bench, size) for size in sizes}
    with psycopg.connect(registries[sizes[0]], autocommit=True) as connection:
        if one(connection, "select to_regnamespace(%s)", NUGET.schema) is None:
            NUGET.install(connection)
        connection.execute("vacuum analyze")

    def take(query: str, size: int, _: int) -> dict[str, float]:
        drawn = f"\\set package random(1, {size // EACH})\n\\set number random(1, {EACH})\n"
        seen = bench.load(registries[size], Load(f"{drawn}{query};\n", CLIENTS))
        asked = {"package": up_to(size // EACH), "number": up_to(EACH)}
        return times(seen) | {"pages": pages(bench, registries[size], query, asked)}

    turns = [
        Turn(name, size, partial(take, query, size))
        for name, query in OURS.items()
        for size in sizes
    ]
    turns.append(Turn(NUGET.title, sizes[0], partial(take, FLAGGED, sizes[0])))
    bench.rounds_of(
        Table(
            id="lookup",
            title=f"Asking for a version of a package, {CLIENTS} clients",
            series="how",
            x="versions in the registry",
            columns=(
                Column("rate", "answers/s", beside=True),
                Column("p50", "p50, ms", digits=2),
                Column("p99", "p99, ms", digits=2),
                Column("pages", "pages touched"),
            ),
            charts=(Chart("rate"), Chart("pages")),
            first=(LATEST, None),
            note=f"Spread over all packages, which had {EACH} versions at first; each answer is a "
            "version with its files, of `versions` and GitLab so many as are asked for. Pages: "
            "shared buffers, hit or read, of one call on a connection that has its plans. NuGet's "
            "flag is measured in the small registry only, which has to be copied for it.",
        ),
        turns,
        max(1, bench.rounds - 1),
    )
