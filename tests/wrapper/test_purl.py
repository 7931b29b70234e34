"""Package URLs in place of four arguments."""

from __future__ import annotations

import pytest
from packageurl import PackageURL

from pkgdb import MalformedArgument
from pkgdb.purl import coordinates, only_name


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        ("pkg:pypi/django@5.0", ("pypi", "django", "5.0", None)),
        ("pkg:pypi/django", ("pypi", "django", None, None)),
        ("pkg:npm/%40acme/demo@1.0.0", ("npm", "@acme/demo", "1.0.0", None)),
        ("pkg:npm/@acme/demo@1.0.0", ("npm", "@acme/demo", "1.0.0", None)),
        ("pkg:npm/demo@1.0.0", ("npm", "demo", "1.0.0", None)),
        ("pkg:maven/org.acme/demo@1.0", ("maven", "org.acme:demo", "1.0", None)),
        ("pkg:composer/acme/demo@1.0", ("composer", "acme/demo", "1.0", None)),
        (
            "pkg:golang/example.org/acme/demo@v1.0.0",
            ("golang", "example.org/acme/demo", "v1.0.0", None),
        ),
        ("pkg:deb/debian/bash@5.2-1?arch=amd64", ("deb", "bash", "5.2-1", "amd64")),
        ("pkg:deb/debian/bash@1%3A5.2-1", ("deb", "bash", "1:5.2-1", None)),
        (
            "pkg:rpm/fedora/curl@7.50.3-1.fc25?arch=i386&epoch=2",
            ("rpm", "curl", "2:7.50.3-1.fc25", "i386"),
        ),
        ("pkg:gem/nokogiri@1.16.0?platform=java", ("gem", "nokogiri", "1.16.0", "java")),
        (
            "pkg:conda/absl-py@0.4.1?build=py36h06a4308_0&subdir=linux-64",
            ("conda", "absl-py", "0.4.1", "linux-64/py36h06a4308_0"),
        ),
        ("pkg:cargo/rand@0.7.2?download_url=elsewhere", ("cargo", "rand", "0.7.2", None)),
    ],
)
def test_parts(purl: str, expected: tuple[str | None, ...]) -> None:
    assert coordinates(purl) == expected
    assert coordinates(PackageURL.from_string(purl)) == expected


def test_arguments_that_are_no_purl_stay_as_they_are() -> None:
    assert coordinates("npm", "pkg:x", "1", "") == ("npm", "pkg:x", "1", "")
    assert only_name("npm", None) == ("npm", None)


def test_what_a_purl_leaves_open_is_given_beside_it() -> None:
    assert coordinates("pkg:gem/a", None, "1.0", "java") == ("gem", "a", "1.0", "java")
    assert only_name("pkg:npm/%40a/b") == ("npm", "@a/b")


@pytest.mark.parametrize(
    "arguments",
    [
        ("pkg:",),
        ("pkg:npm",),
        ("pkg:golang/a/b@v1.0.0#sub/path",),
        ("pkg:npm/a@1.0", "a"),
        ("pkg:npm/a@1.0", None, "1.0"),
        ("pkg:gem/a@1.0?platform=java", None, None, "ruby"),
    ],
)
def test_what_does_not_name_one_thing_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(MalformedArgument) as caught:
        coordinates(*arguments)
    assert caught.value.sqlstate == "RG400"


def test_a_version_where_a_package_is_meant_is_refused() -> None:
    with pytest.raises(MalformedArgument):
        only_name("pkg:npm/a@1.0")
