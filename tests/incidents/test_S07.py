"""aptly 1.6.3: a request to create something that names no resource crashes the server, and with
it everybody else's. Right: whatever is asked for, the answer is a success or an error that the
function's own comment names."""

import re
from collections.abc import Iterator

import pytest

from tests.incidents.curation import array, fill, freeze, mirror, serve
from tests.incidents.support import Call, World, call, content

TEXTS = [None, "", " ", "a\nb", " a", "/", "../a", "x" * 300, "ß" * 200, "null", "no such"]
ARRAYS = [None, "{}", "{NULL}", array(""), array("tested", "tested"), "{{tested},{other}}",
          array(*["tested"] * 50), array("(", "no such"), array("x" * 300)]  # fmt: skip
OBJECTS = [None, "null", "1", '"main"', "[]", "{}", "[[]]", '[{"name": null}]', '{"": {}}',
           '{"main": null}', '{"main": {"snapshot": null}}', '{"main": {"snapshot": ""}}',
           '{"main": {"repository": "no such"}}', '{"origin": 1}',
           '{"main": {"snapshot": "tested", "repository": "main"}}',
           '[{"ecosystem": "deb", "name": "curl", "version": null}]',
           '[{"ecosystem": "deb", "name": ["curl"], "version": {}, "variant": 1}]',
           '[{"ecosystem": "deb", "name": "curl", "version": "~", "variant": ""}]']  # fmt: skip
FLAGS = [None]
NUMBERS = [None, 0, -1, 2**63 - 1]
LEASES = [None, "0", "-1 day", "1000000 years", "1 microsecond"]

# What is created, with arguments that make sense, and what may stand in the place of each.
CREATES: dict[str, tuple[tuple[object, list[object]], ...]] = {
    "create_repository": (("new", TEXTS), ("hosted", TEXTS), ("{}", OBJECTS)),
    "create_snapshot": (("new", TEXTS), ("main", TEXTS), (None, OBJECTS), ("", TEXTS)),
    "merge_snapshots": (
        ("new", TEXTS), (array("tested", "other"), ARRAYS), (False, FLAGS), (False, FLAGS),
        ("", TEXTS),
    ),
    "pull_snapshot": (
        ("new", TEXTS), ("tested", TEXTS), ("other", TEXTS), (array("curl"), ARRAYS),
        (True, FLAGS), (False, FLAGS), (False, FLAGS), (None, ARRAYS),
        (array("depends"), ARRAYS), (False, FLAGS), ("", TEXTS),
    ),
    "filter_snapshot": (
        ("new", TEXTS), ("tested", TEXTS), (array("curl"), ARRAYS), (False, FLAGS),
        (None, ARRAYS), (array("depends"), ARRAYS), ("", TEXTS),
    ),
    "create_distribution": (
        ("", TEXTS), ("new", TEXTS), ("deb", TEXTS), ('{"main": {"snapshot": "tested"}}', OBJECTS),
        ("{}", OBJECTS),
    ),
    "switch_distribution": (
        ("", TEXTS), ("stable", TEXTS), ('{"main": {"snapshot": "tested"}}', OBJECTS),
        (None, OBJECTS), (None, NUMBERS),
    ),
    "begin_mirror_update": (("up", TEXTS), ("monday", TEXTS), ("1 hour", LEASES)),
    "stage_mirror_items": ((1, NUMBERS), (1, NUMBERS), ("[]", OBJECTS), ("1 hour", LEASES)),
    "copy_versions": (
        ("main", TEXTS), (array("curl"), ARRAYS), ("spare", TEXTS), (None, TEXTS),
        (False, FLAGS), (False, FLAGS),
    ),
    "move_versions": (
        ("main", TEXTS), ("spare", TEXTS), (array("curl"), ARRAYS), (False, FLAGS),
        (False, FLAGS),
    ),
    "publish": (
        ("main", TEXTS), ("deb", TEXTS), ("wget", TEXTS), ("1", TEXTS), ("all", TEXTS),
        ("[]", OBJECTS), ("{}", OBJECTS), ("[]", OBJECTS), (None, NUMBERS),
    ),
    "begin_publication": (("main", TEXTS), ("deb", TEXTS), ("wget", TEXTS), ("1", TEXTS)),
    "publish_many": (("main", TEXTS), ("[]", OBJECTS)),
    "reserve_name": (("main", TEXTS), ("deb", TEXTS), ("wget", TEXTS)),
}  # fmt: skip
CLIENTS = 8


def odd_calls(function: str) -> Iterator[Call]:
    """The call that makes sense, and each with one argument that is another one; in a namespace
    that has what they name, and in one that has nothing or cannot be one."""
    usual = tuple(value for value, _ in CREATES[function])
    yield call(function, "acme", *usual)
    for namespace in [*TEXTS, "elsewhere"]:
        yield call(function, namespace, *usual)
    for place, (_, others) in enumerate(CREATES[function]):
        for other in others:
            yield call(function, "acme", *usual[:place], other, *usual[place + 1 :])


def documented(world: World, function: str) -> set[str]:
    """The SQLSTATEs that the comment on a function names."""
    (comment,) = world.db.execute(
        "select obj_description(oid, 'pg_proc') from pg_proc"
        " where pronamespace = 'pkgdb'::regnamespace and proname = %s",
        [function],
    ).fetchone() or ("",)
    return set(re.findall(r"\b(?:RG|[0-9])[0-9A-Z]{3,4}\b", comment.partition("Errors: ")[2]))


def furnished(world: World) -> None:
    for repository in ("main", "spare"):
        fill(world, repository, "curl")
    world.given(freeze("tested"), freeze("other"), serve(main="other"))
    mirror(world, "up")


def surprises(world: World, function: str) -> tuple[int, set[str]]:
    """All these calls by several clients at once: how many had an answer, and the errors among
    them that the function does not name."""
    furnished(world)
    asked = [*odd_calls(function)]
    shares = [asked[number::CLIENTS] for number in range(CLIENTS)]

    sessions = [world.session() for _ in range(CLIENTS)]
    working = [
        session.thread.submit(lambda s=session, c=mine: [each.answer(s.connection) for each in c])
        for session, mine in zip(sessions, shares, strict=True)
    ]
    answers = [answer for client in working for answer in client.result()]
    errors = {answer for answer in answers if re.fullmatch(r"[0-9A-Z]{5}", answer)}
    assert errors, "nothing was odd"
    return len(answers) - len(asked), errors - documented(world, function)


@pytest.mark.parametrize("function", CREATES)
def test_holds(world: World, function: str) -> None:
    assert surprises(world, function) == (0, set())
    assert world.violated() == set()
    assert world.session().do(call("publish", "acme", "main", "deb", "nano", "1")) == "created"


@pytest.mark.parametrize("function", ["create_repository", "create_snapshot", "merge_snapshots"])
def test_fails_without_checks_of_texts(world: World, function: str) -> None:
    """What is missing, or too long, comes to tables and indexes: internal errors."""
    _, undocumented = surprises(world.without("checks of texts"), function)
    assert "23502" in undocumented


def test_a_caller_without_anything(world: World) -> None:
    """Nothing but NULL, for each of them, all at once."""
    furnished(world)
    asked = [call(function, None, *[None] * len(CREATES[function])) for function in CREATES]
    assert {world.session().do(each) for each in asked} == {"RG400"}
    assert world.violated() == set()


def test_nobody_else_is_disturbed(world: World) -> None:
    """A client in the middle of its transaction goes on beside all of that."""
    furnished(world)
    steady, odd = world.session(), world.session()
    steady.begin()
    publish = call("publish", "acme", "spare", "deb", "nano", "1", p_files=[content("nano.deb")])
    assert steady.do(publish) == "created"
    for each in odd_calls("create_snapshot"):
        odd.do(each)
    steady.commit()
    assert world.session().do(freeze("after", "spare")) == "created"
    assert world.violated() == set()
