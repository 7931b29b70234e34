"""Package queries beside the real aptly: the same packages, the same queries, the same answers.

Where the two differ on purpose is at the end, case by case, so that what the head of
sql/curation/query.sql says of aptly is tried too.
"""

import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pkgdb.indexes import Source, debian
from pkgdb.indexes.entry import Entry
from tests.behaviour.calls import Calls
from tests.packages.making import ar, tar
from tests.support import oracle

QUERIES = 400
NAMES = ["foo", "foo-dev", "libfoo1", "libfoo-data", "bar", "bar2", "bar10", "gtk+2.0", "g++"]
NAMES += ["python3.11", "python3.9", "zz"]
VIRTUAL = ["mail-agent", "foo", "c-compiler", "virtual"]
VERSIONS = ["1.0", "1.0-1", "1.0~rc1-1", "1.0+b1", "1:0.5", "2.0-1~bpo12+1", "2.0-1", "10.0"]
VERSIONS += ["0.9a"]
ARCHITECTURES = ["amd64", "amd64", "i386", "all"]
FIELDS: dict[str, list[str]] = {
    "Section": ["net", "libs", "non-free/libs", "contrib/net", ""],
    "Priority": ["optional", "extra", "required", ""],
    "Source": ["foo", "bar", "foo (1.0-2)", "bar (1:2.0)", ""],
    "Installed-Size": ["9", "100", "2048", "12345", ""],
    "Essential": ["yes", "", "", ""],
    "Homepage": ["https://example.org/foo", "http://bar.example/", ""],
    "Multi-Arch": ["same", "foreign", ""],
    "Depends": ["libc6 (>= 2.34)", "libc6 (>= 2.34), foo | bar", "bar (= 1.0)", ""],
    "Maintainer": ["A. One <one@example.org>", "B (team) <two@example.org>"],
}


@dataclass(frozen=True)
class Package:
    fields: tuple[tuple[str, str], ...]
    ending: str = "deb"

    def stanza(self) -> str:
        return "".join(f"{name}: {value}\n" for name, value in self.fields if value)

    def write(self, folder: Path) -> None:
        values = dict(self.fields)
        name = f"{values['Package']}_{values['Version'].replace(':', '%3a')}"
        control = tar({"./control": self.stanza()})
        parts = {"debian-binary": b"2.0\n", "control.tar": control, "data.tar": tar({})}
        path = folder / f"{name}_{values['Architecture']}.{self.ending}"
        path.write_bytes(ar(parts))


def package(name: str, version: str, architecture: str, **more: str) -> Package:
    fields = {"Package": name, "Version": version, "Architecture": architecture}
    fields |= {"Maintainer": "A. One <one@example.org>"}
    fields |= {field.replace("_", "-"): value for field, value in more.items()}
    return Package(tuple(fields.items()))


def universe(rng: random.Random) -> list[Package]:
    """Packages of all sorts; no two of one name, version and architecture."""
    found: dict[tuple[str, str, str], Package] = {}
    while len(found) < 60:
        key = (rng.choice(NAMES), rng.choice(VERSIONS), rng.choice(ARCHITECTURES))
        fields = {field: rng.choice(values) for field, values in FIELDS.items()}
        fields["Provides"] = ", ".join(rng.sample(VIRTUAL, rng.choice([0, 0, 1, 2])))
        fields["Description"] = rng.choice(["short", "a foo of bars\n and more of foo"])
        control = dict(zip(("Package", "Version", "Architecture"), key, strict=True)) | fields
        found[key] = Package(tuple(control.items()))
    udeb = {"Package-Type": "udeb", "Section": "debian-installer"}
    installer = [
        Package((*package(name, "1.0", "amd64").fields, *udeb.items()), "udeb")
        for name in ("foo-udeb", "bar-udeb")
    ]
    return [*found.values(), *installer]


@dataclass
class Pair:
    """The same packages in aptly and in a repository of pkgdb."""

    root: Path
    api: Calls

    def aptly(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [oracle("aptly"), f"-config={self.root / 'aptly.conf'}", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    def fill(self, packages: list[Package], source: str = "") -> None:
        (self.root / "aptly.conf").write_text(f'{{"rootDir": "{self.root}"}}')
        incoming = self.root / "incoming"
        incoming.mkdir()
        for one in packages:
            one.write(incoming)
        if source:
            write_source(incoming, source)
        self.aptly("repo", "create", "all").check_returncode()
        self.aptly("repo", "add", "all", str(incoming)).check_returncode()

        index = incoming / "Packages"
        index.write_text("\n".join(one.stanza() for one in packages))
        with Source(index) as opened:
            entries = list(debian.read(opened))
        items = [entry.item for entry in entries if isinstance(entry, Entry)]
        if source:
            more = {"version": "1.0", "variant": "source", "metadata": {"Architecture": "any"}}
            items.append({"ecosystem": "deb", "name": source} | more)
        assert len(items) == len(packages) + bool(source)
        self.api.create_repository("all")
        self.api.rows("publish_many", "all", items)

    def theirs(self, query: str) -> set[str] | None:
        """As aptly names them; None where it is no query."""
        done = self.aptly("repo", "search", "all", query)
        if done.returncode == 0:
            return set(done.stdout.split())
        if done.stderr == "ERROR: no results\n":
            return set()
        assert done.stderr.startswith("ERROR: unable to search: parsing failed: "), done
        return None

    def ours(self, query: str) -> set[str] | None:
        try:
            rows = self.api.rows("search_versions", "all", query=query)
        except psycopg.Error as error:
            if error.sqlstate != "RG400":
                raise
            return None
        return {f"{row.name}_{row.version}_{row.variant}" for row in rows}


def write_source(folder: Path, name: str) -> None:
    """A source package of version 1.0, and what it is of."""
    content = tar({f"{name}-1.0/a": "a"})
    (folder / f"{name}_1.0.tar").write_bytes(content)
    sums = [("Files", md5(content)), ("Checksums-Sha256", sha256(content))]
    lists = [f"{field}:\n {of.hexdigest()} {len(content)} {name}_1.0.tar" for field, of in sums]
    head = f"Format: 1.0\nSource: {name}\nBinary: {name}\nArchitecture: any\nVersion: 1.0"
    (folder / f"{name}_1.0.dsc").write_text("\n".join([head, *lists, ""]))


@pytest.fixture(scope="module")
def connection(
    new_database: Callable[..., str], template: str
) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(new_database(template), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def pair(connection: psycopg.Connection[Any], tmp_path_factory: pytest.TempPathFactory) -> Pair:
    pair = Pair(tmp_path_factory.mktemp("aptly"), Calls(connection, ("acme",)))
    oracle("aptly")
    pair.fill(universe(random.Random("packages")), source="foo")
    return pair


# -- random queries --------------------------------------------------------------------------------

OPERATORS = ["<<", "<=", "<", "=", ">=", ">", ">>", ""]
GLOBS = ["*", "foo*", "*-dev", "*[0-9]", "?ar*", "[^a-f]*", "*/*", "*o*/*", "lib*[!1]", r"\*"]
GLOBS += ["b?r[1-9]*", "[a-cx-z]*", r"*[\-+]*", "*.*", "[^^]*", "1.0*", "*~*", "https://*/*"]
GLOBS += ["*(>=*"]
EXPRESSIONS = ["foo", "^foo$", "^lib.*[0-9]$", "o+", "^[a-f]", "^(foo|bar)", r"\+", r"\.[0-9]+$"]
EXPRESSIONS += ["^$", r"\bfoo\b", r"\Bo", r"\d", r"^\D+$", "(?i)FOO", "[[:alpha:]]{4}"]
EXPRESSIONS += ["a{2}|o{2}", "r$", r"\+b1\z", r"^\w+$", r"[^\w]", "^.{3}$", "x?"]
EXPRESSIONS += ["(?:ba|fo)[or]", r"\Alib", "more of", ">= 2"]


def value(rng: random.Random, text: str) -> str:
    """A value as it may be written."""
    plain = not set(text) & set(" ()|,!{}") and text[:1] not in tuple("<>=%~'\"")
    if text and plain and rng.random() < 0.7:
        return text
    quote = rng.choice("'\"")
    escaped = "".join(f"\\{c}" if c in (quote, "\\") else c for c in text)
    return f"{quote}{escaped}{quote}"


def condition(rng: random.Random, operator: str, text: str) -> str:
    space = [rng.choice(["", "", " ", "\t"]) for _ in range(3)]
    return f" ({space[0]}{operator}{space[1]}{value(rng, text)}{space[2]})"


def matching(rng: random.Random) -> tuple[str, str]:
    if rng.random() < 0.5:
        return "%", rng.choice(GLOBS)
    return "~", rng.choice(EXPRESSIONS)


def version_condition(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return condition(rng, *matching(rng))
    version = rng.choice([*VERSIONS, "0", "0.5", "1.0-0", "0:1.0", "1", "1.0-1+b1", "2.0", "3~"])
    return condition(rng, rng.choice(OPERATORS), version)


def package_term(rng: random.Random) -> str:
    if rng.random() < 0.15:
        parts = (rng.choice(NAMES), rng.choice(VERSIONS), rng.choice([*ARCHITECTURES, "source"]))
        return "_".join(parts)
    term = value(rng, rng.choice([*NAMES, *VIRTUAL, "nobody", "foo_bar", "foo-udeb"]))
    if rng.random() < 0.4:
        term += version_condition(rng)
    if rng.random() < 0.25:
        term += f" {{{value(rng, rng.choice([*ARCHITECTURES, 'source', 'armhf']))}}}"
    return term


def field_term(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(["$Version", "Version"]) + version_condition(rng)
    if kind < 0.4:
        field, values = rng.choice(
            [
                ("$Architecture", [*ARCHITECTURES, "source", "armhf"]),
                ("Architecture", ARCHITECTURES),
                ("$PackageType", ["deb", "udeb", "source"]),
                ("$Source", ["foo", "bar", "zz"]),
                ("$SourceVersion", [*VERSIONS, "1.0-2", "1:2.0", "1:2.0-0"]),
                ("Name", NAMES),
                ("Nothing", ["", "x"]),
            ]
        )
    else:
        field, values = rng.choice(list(FIELDS.items()))
    if rng.random() < 0.15:
        return field
    if rng.random() < 0.35:
        return field + condition(rng, *matching(rng))
    if field == "Installed-Size":
        values = [*values, "50", "3000"]
    return field + condition(rng, rng.choice(OPERATORS), rng.choice(values))


def query(rng: random.Random, depth: int = 3) -> str:
    if depth == 0 or rng.random() < 0.3:
        term = rng.choice([package_term, field_term])(rng)
        return rng.choice(["", "", "", "!", "! ", "!!"]) + term
    operator = rng.choice([" | ", "|", " , ", ","])
    joined = operator.join(query(rng, depth - 1) for _ in range(rng.randint(1, 3)))
    return f"({joined})" if rng.random() < 0.5 else joined


@pytest.mark.slow
def test_finds_what_aptly_finds(pair: Pair) -> None:
    rng, telling = random.Random("queries"), 0
    everything = pair.ours("Name")
    for _ in range(QUERIES):
        asked = query(rng)
        theirs = pair.theirs(asked)
        assert theirs is not None, asked
        assert pair.ours(asked) == theirs, asked
        telling += bool(theirs) and theirs != everything
    assert telling > QUERIES / 3


# -- where the two differ --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def special(connection: psycopg.Connection[Any], tmp_path_factory: pytest.TempPathFactory) -> Pair:
    pair = Pair(tmp_path_factory.mktemp("aptly"), Calls(connection, ("special",)))
    oracle("aptly")
    pair.fill(
        [
            package("foo", "1.0", "amd64", Provides="mta (= 2.0)", Installed_size="100"),
            package("foo0", "99999999999999999999", "all", Description="one\n two"),
        ]
    )
    return pair


FOO, FOO0 = "foo_1.0_amd64", "foo0_99999999999999999999_all"
DIFFERENCES: dict[str, tuple[set[str] | None, set[str] | None]] = {
    # Provides count with their versions, and it is those that are compared.
    "mta": (set(), {FOO}),
    "mta (>= 1)": (set(), {FOO}),
    "'mta (= 2.0)'": ({FOO}, set()),
    # = is equality.
    "Name (foo)": ({FOO, FOO0}, {FOO}),
    "Installed-Size (0100)": ({FOO}, set()),
    "Nothing (0)": ({FOO, FOO0}, set()),
    # A version is one.
    "$Version (>> =abc)": (None, None),
    "$Version (<< abc)": ({FOO, FOO0}, set()),
    "$Version (<< \N{SECTION SIGN})": ({FOO, FOO0}, None),
    "foo0 (= 99999999999999999998)": ({FOO0}, set()),
    # A malformed pattern is an error.
    "Name (% [)": (set(), None),
    "Name (% [o-f]*)": (set(), None),
    # Regular expressions.
    "Description (~ one.*two)": (set(), {FOO0}),
    "Name (~ 'o{256}')": (set(), None),
    "Name (~ 'f(?i)OO$')": ({FOO}, None),
    "Name (~ '^foo(?!0)')": (None, {FOO}),
    r"Name (~ '(o)\\1')": (None, None),
    # A name ends at "(".
    "foo(>= 1)": (None, {FOO}),
    "foo(x": (set(), None),
    # A field is found in any case.
    "Installed-size": (set(), {FOO}),
    "INSTALLED-SIZE (>= 100)": (set(), {FOO}),
    # aptly has the space and the end of a line in it.
    "Description (% one*)": (set(), {FOO0}),
    # A package of one version, for an architecture.
    "foo_1.0_amd64 {amd64}": (None, {FOO}),
}


@pytest.mark.parametrize("asked", DIFFERENCES)
def test_differs_from_aptly(special: Pair, asked: str) -> None:
    assert (special.theirs(asked), special.ours(asked)) == DIFFERENCES[asked]
