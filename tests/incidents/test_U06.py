"""GitLab generic packages #87878 and maven #424238: parallel uploads of the files of one new
version fail with "name already taken", and users are told to upload one after the other. Right: all
succeed, one version with all files."""

import pytest

from tests.incidents.support import Call, Package, Race, World, content, outcomes

NUMPY = Package("pypi", "numpy")


def upload(filename: str) -> Call:
    return NUMPY("publish", "2.0", p_files=[content(filename, filename)])


def two_uploads(world: World) -> tuple[Race, list[str], set[str]]:
    race = world.race(upload("a.whl"), upload("b.whl"))
    return race, world.files(NUMPY, "2.0"), world.violated()


@pytest.mark.parametrize("new", [True, False], ids=["new package", "new version"])
def test_holds(world: World, new: bool) -> None:
    world.repository()
    if not new:
        world.given(NUMPY("publish", "1.0"))
    race = Race("created", "lock", "files_added")
    assert two_uploads(world) == (race, ["a.whl", "b.whl"], set())


@pytest.mark.parametrize(
    ("new", "answer"), [(True, "RG409"), (False, "23505")], ids=["new package", "new version"]
)
def test_fails_without_registration_lock(world: World, new: bool, answer: str) -> None:
    """Name already taken."""
    world.without("registration lock").repository()
    if not new:
        world.given(NUMPY("publish", "1.0"))
    assert two_uploads(world) == (Race("created", "row", answer), ["a.whl"], set())


def test_many_uploads_at_once(world: World) -> None:
    world.repository()
    names = [f"numpy-2.0-cp3{minor}.whl" for minor in range(10, 22)]
    assert outcomes(world.crowd(map(upload, names))) == {"created": 1, "files_added": 11}
    assert world.live(NUMPY) == ["2.0"]
    assert world.files(NUMPY, "2.0") == names
    assert world.violated() == set()
