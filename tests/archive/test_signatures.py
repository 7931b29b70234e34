"""What a key has signed, apt believes, and nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pkgdb.archive import ArchiveError
from pkgdb.archive.signer import Signer
from tests.archive.support import Apt, Served, Site, check
from tests.support import oracle

KEY = "archive@example.org"


class Keyring:
    """A home of gpg with one key."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.public = home / "public.gpg"
        self.gpg("--passphrase", "", "--quick-gen-key", f"Archive <{KEY}>", "ed25519", "sign", "0")
        self.gpg("--output", str(self.public), "--export", KEY)

    def gpg(self, *arguments: str) -> None:
        command = [oracle("gpg"), "--homedir", str(self.home), "--batch", "--yes", *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def forget(self) -> None:
        """Ends the agent, which knows passphrases."""
        command = ["gpgconf", "--homedir", str(self.home), "--kill", "all"]
        subprocess.run(command, check=True, capture_output=True)

    def verify(self, *files: Path) -> None:
        command = [oracle("gpgv"), "--keyring", str(self.public), *map(str, files)]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def keyrings() -> Iterator[list[Keyring]]:
    """Two of them. Their folders have short names: the agent makes a socket there."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as base, ExitStack() as ends:
        made = []
        for name in ("ours", "theirs"):
            home = Path(base) / name
            home.mkdir(mode=0o700)
            made.append(Keyring(home))
            ends.callback(made[-1].forget)
        yield made


@pytest.fixture
def signed(site: Site, keyrings: list[Keyring]) -> Site:
    site.signer = Signer(KEY, keyrings[0].home)
    return site


def believer(site: Site, served: Served, keyring: Keyring) -> Apt:
    source = f"deb [signed-by={keyring.public}] {served.url}/debian stable main"
    return Apt(site.base, source)


async def test_gpgv_verifies_it(signed: Site, keyrings: list[Keyring]) -> None:
    await signed.render(signed.deb("demo", "1.0"), settings={"description": "- dashes - "})
    dists = signed.path / "debian/dists/stable"
    keyrings[0].verify(dists / "InRelease")
    keyrings[0].verify(dists / "Release.gpg", dists / "Release")
    with pytest.raises(subprocess.CalledProcessError):
        keyrings[1].verify(dists / "InRelease")
    inside = (dists / "InRelease").read_text().split("\n\n", 1)[1].split("\n-----BEGIN")[0]
    assert inside == (dists / "Release").read_text().rstrip("\n")


async def test_apt_believes_it(signed: Site, served: Served, keyrings: list[Keyring]) -> None:
    await signed.render(signed.deb("demo", "1.0"))
    apt = believer(signed, served, keyrings[0])
    assert await asyncio.to_thread(apt.update) == ""
    assert await asyncio.to_thread(apt.download, "demo") == ""
    stranger = believer(signed, served, keyrings[1])
    assert "NO_PUBKEY" in await asyncio.to_thread(stranger.update)

    release = signed.path / "debian/dists/stable/InRelease"
    text = release.read_text()
    release.unlink()
    release.write_text(text.replace("Architectures: all", "Architectures: amd64"))
    assert "BADSIG" in await asyncio.to_thread(believer(signed, served, keyrings[0]).update)


def test_a_switch_in_the_middle(signed: Site, served: Served, keyrings: list[Keyring]) -> None:
    asyncio.run(signed.render(signed.deb("demo", "1.0")))
    apt = believer(signed, served, keyrings[0])

    def switch(path: str) -> None:
        if path.endswith("/InRelease"):
            served.after = lambda path: None
            asyncio.run(signed.render(signed.deb("demo", "2.0")))

    served.after = switch
    for version in ("1.0", "2.0"):
        assert (apt.update(), apt.download("demo")) == ("", "")
        assert f"demo_{version}_all.deb" in apt.downloaded()


async def test_an_archive_gets_its_key(site: Site, keyrings: list[Keyring]) -> None:
    """Nothing else has changed, and yet it is written anew; and so when it loses it."""
    found = site.deb("demo", "1.0")
    dists = site.path / "debian/dists/stable"
    await site.render(found)
    assert not (dists / "InRelease").exists()
    site.signer = Signer(KEY, keyrings[0].home)
    assert await site.render(found)
    keyrings[0].verify(dists / "InRelease")
    assert not await site.render(found)
    site.signer = Signer(KEY, keyrings[1].home)
    assert await site.render(found)
    keyrings[1].verify(dists / "InRelease")
    site.signer = None
    assert await site.render(found)
    assert not (dists / "InRelease").exists()
    assert not (dists / "Release.gpg").exists()


async def test_no_signature_to_be_had(
    signed: Site, keyrings: list[Keyring], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = signed.deb("demo", "1.0"), signed.deb("demo", "2.0")
    await signed.render(old)
    signed.signer = Signer("nobody@example.org", keyrings[0].home)
    with pytest.raises(ArchiveError, match=r"cannot sign with nobody@example.org: .*No secret key"):
        await signed.render(new)
    keyrings[1].gpg(
        *("--pinentry-mode", "loopback", "--passphrase", "secret"),
        *("--quick-gen-key", "Other <other@example.org>", "ed25519", "sign", "0"),
    )
    keyrings[1].forget()
    signed.signer = Signer("other@example.org", keyrings[1].home)
    with pytest.raises(ArchiveError, match=r"cannot sign with other@example\.org"):
        await signed.render(new)
    monkeypatch.setenv("PATH", str(signed.store))
    with pytest.raises(ArchiveError, match="gpg cannot be run, which has to sign"):
        await signed.render(new)
    assert check(signed.path) == {"demo_1.0_all.deb"}
