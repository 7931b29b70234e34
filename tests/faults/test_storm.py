"""Publishers, deletions, aborts, kills and eager collectors at once: what is live has its bytes."""

import os
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.faults.stage import Case, Database, Machine
from tests.faults.storm import Storm
from tests.faults.table import STORM
from tests.incidents.protections import Edit
from tests.support import Trials

SECONDS = float(os.environ.get("PKGDB_STORM_SECONDS", "20"))
SEED = int(os.environ.get("PKGDB_STORM_SEED", "1"))

# The collector takes what was marked once, whoever has adopted it since.
NO_RECHECK = Edit(
    "collect_blobs",
    r"from unnest\(v_digests\) d \(sha256\)\s+where not exists \(.*?\)\);",
    "from unnest(v_digests) d (sha256));",
)


@pytest.mark.slow
def test_nothing_live_is_without_bytes(
    machine: Machine, record_property: Callable[..., None], trials: Trials
) -> None:
    with closing(Database(machine, "faults_storm")) as database, Case(database) as case:
        storm = Storm(case)
        wanted = {("publish", "created"), ("delete", "deleted"), ("collect", "object deleted")}
        storm.rage(SECONDS, SEED, lambda: wanted <= storm.counts.keys())
        assert storm.violations == []
        assert storm.died == []
        assert storm.unexpected() == {}
        assert wanted <= storm.counts.keys()
        case.drain()
        record_property(STORM, f"{SECONDS:g} seconds: {storm}")
        trials(storm.counts.total())


@pytest.mark.slow
def test_without_a_second_look_the_collector_is_seen(machine: Machine) -> None:
    with (
        closing(Database(machine, "faults_without_recheck", NO_RECHECK)) as database,
        Case(database) as case,
    ):
        storm = Storm(case)
        storm.rage(0, SEED, lambda: storm.violations)
        assert storm.violations != []
