"""Who signed it: what a keyring lets in, and what it does not."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pkgdb.mirrors import BadSignature, Changed, Expired, UpstreamError
from tests.mirrors.archives import Archive, Deb, Keys, Server

HELLO = Deb("hello")
EVIL = Deb("evil")

pytestmark = pytest.mark.usefixtures("web")


@pytest.fixture(params=[True, False], ids=["inline", "apart"])
def signed(request: pytest.FixtureRequest, archive: Archive) -> Archive:
    """An archive that is signed in either way."""
    archive.inline = request.param
    archive.publish(HELLO)
    return archive


async def test_a_good_signature(signed: Archive, read: Any) -> None:
    assert (await read()).labels == ["hello 1.0 amd64"]


async def test_without_a_keyring_anything_goes(signed: Archive, read: Any, keys: Keys) -> None:
    with_signature = await read({"keyring": None})
    assert with_signature.labels == ["hello 1.0 amd64"]
    signed.keys = None
    signed.publish(HELLO)
    assert (await read({"keyring": None})).labels == ["hello 1.0 amd64"]


async def test_no_signature(signed: Archive, read: Any) -> None:
    signed.keys = None
    signed.publish(HELLO)
    with pytest.raises(BadSignature, match="not signed"):
        await read()


async def test_somebody_elses_signature(signed: Archive, read: Any) -> None:
    signed.signer = "other"
    signed.publish(HELLO)
    with pytest.raises(BadSignature, match="No public key"):
        await read()


async def test_a_key_that_has_expired(
    signed: Archive, read: Any, keys: Keys, tmp_path: Path
) -> None:
    text = signed.publish(HELLO).encode()
    if signed.inline:
        past = keys.clearsigned(text, "old", clock="20190601T000000")
        signed.write(signed.base / "InRelease", past)
    else:
        past = keys.gpg(
            "--local-user=old@example.org", "--detach-sign", given=text, clock="20190601T000000"
        )
        signed.write(signed.base / "Release.gpg", past)
    old = tmp_path / "old.gpg"
    old.write_bytes(keys.keyring("old"))
    with pytest.raises(BadSignature, match="old"):
        await read({"keyring": str(old)})


async def test_a_changed_text(signed: Archive, read: Any) -> None:
    name = "InRelease" if signed.inline else "Release"
    path = signed.base / name
    path.write_bytes(path.read_bytes().replace(b"Origin: Example", b"Origin: Exemple"))
    with pytest.raises(BadSignature, match="BAD signature"):
        await read()


async def test_one_of_two_signatures_is_enough(signed: Archive, read: Any, keys: Keys) -> None:
    """An archive that changes its key signs with both."""
    text = signed.publish(HELLO).encode()
    if signed.inline:
        signed.write(signed.base / "InRelease", keys.clearsigned(text, "other", "archive"))
    else:
        signed.write(signed.base / "Release.gpg", keys.signature(text, "other", "archive"))
    assert (await read()).labels == ["hello 1.0 amd64"]


async def test_a_good_one_beside_a_bad_one(archive: Archive, read: Any, keys: Keys) -> None:
    """Both by the archive, one of another text."""
    archive.inline = False
    text = archive.publish(HELLO).encode()
    both = keys.gpg("--local-user=archive@example.org", "--detach-sign", given=text)
    both += keys.gpg("--local-user=archive@example.org", "--detach-sign", given=b"other")
    archive.write(archive.base / "Release.gpg", both)
    with pytest.raises(BadSignature, match="BAD signature"):
        await read()


async def test_a_digest_that_collides(archive: Archive, read: Any, keys: Keys) -> None:
    text = archive.publish(HELLO).encode()
    weak = keys.clearsigned(text, "archive", more=["--digest-algo=SHA1"])
    archive.write(archive.base / "InRelease", weak)
    with pytest.raises(BadSignature, match="SHA1"):
        await read()


class TestWrapped:
    """Text beside what was signed, for a reader that takes it for signed."""

    def evil(self, archive: Archive) -> bytes:
        """A Release of another archive, unsigned; what it names is on the server."""
        keys, archive.keys = archive.keys, None
        archive.publish(EVIL)
        text = (archive.base / "InRelease").read_bytes()
        archive.keys = keys
        return text

    def named(self, archive: Archive) -> None:
        """Both states can be read under their digests."""
        archive.by_hash = True

    @pytest.mark.parametrize("where", ["before", "after", "both"])
    async def test_around_the_signed_text(self, archive: Archive, read: Any, where: str) -> None:
        self.named(archive)
        evil = self.evil(archive)
        archive.publish(HELLO)
        path = archive.base / "InRelease"
        before = evil + b"\n" if where != "after" else b""
        after = b"\n" + evil if where != "before" else b""
        path.write_bytes(before + path.read_bytes() + after)
        assert (await read()).labels == ["hello 1.0 amd64"]

    async def test_in_the_head_of_the_message(self, archive: Archive, read: Any) -> None:
        self.named(archive)
        evil = self.evil(archive)
        archive.publish(HELLO)
        path = archive.base / "InRelease"
        path.write_bytes(re.sub(rb"(?m)^Hash: \w+\n", rb"\g<0>" + evil, path.read_bytes()))
        assert evil in path.read_bytes()
        with pytest.raises(BadSignature):
            await read()

    async def test_a_message_around_the_message(self, archive: Archive, read: Any) -> None:
        self.named(archive)
        evil = self.evil(archive)
        archive.publish(HELLO)
        path = archive.base / "InRelease"
        head = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
        path.write_bytes(head + evil + path.read_bytes())
        with pytest.raises(BadSignature):
            await read()

    async def test_a_second_signed_message(self, archive: Archive, read: Any, keys: Keys) -> None:
        self.named(archive)
        evil = keys.clearsigned(self.evil(archive), "other")
        archive.publish(HELLO)
        path = archive.base / "InRelease"
        good = path.read_bytes()
        path.write_bytes(good + evil)
        assert (await read()).labels == ["hello 1.0 amd64"]
        path.write_bytes(evil + good)
        with pytest.raises(BadSignature):
            await read()

    async def test_a_message_that_hides_its_text(
        self, archive: Archive, read: Any, keys: Keys
    ) -> None:
        """Signed and compressed: gpgv would unpack any amount of it before it looks who signed."""
        text = archive.publish(HELLO).encode()
        hidden = keys.gpg("--local-user=archive@example.org", "--armor", "--sign", given=text)
        archive.write(archive.base / "InRelease", hidden)
        with pytest.raises(BadSignature, match="there is no signature in it"):
            await read()


class TestKeyrings:
    @pytest.mark.parametrize("lines", ["\n", "\r\n"], ids=["unix", "dos"])
    async def test_in_armor(
        self, archive: Archive, read: Any, keys: Keys, tmp_path: Path, lines: str
    ) -> None:
        """As archives publish their keys; several in one file too."""
        archive.publish(HELLO)
        armored = b"A key:\n\n" + keys.keyring("other", armor=True)
        armored += keys.keyring("archive", armor=True).replace(
            b"BLOCK-----\n\n", b"BLOCK-----\nComment: of the archive\n\n"
        )
        path = tmp_path / "keys.asc"
        path.write_bytes(armored.replace(b"\n", lines.encode()))
        assert (await read({"keyring": str(path)})).labels == ["hello 1.0 amd64"]

    async def test_one_that_is_absent(self, archive: Archive, read: Any, tmp_path: Path) -> None:
        archive.publish(HELLO)
        with pytest.raises(UpstreamError, match=r"keyring cannot be read: .*No such file"):
            await read({"keyring": str(tmp_path / "none.gpg")})

    @pytest.mark.parametrize("content", [b"", b"no keys", b"-----BEGIN PGP PUBLIC KEY BLOCK-----"])
    async def test_one_that_has_no_keys(
        self, archive: Archive, read: Any, tmp_path: Path, content: bytes
    ) -> None:
        archive.publish(HELLO)
        path = tmp_path / "none.gpg"
        path.write_bytes(content)
        with pytest.raises(BadSignature):
            await read({"keyring": str(path)})

    async def test_no_gpgv(
        self, archive: Archive, read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        archive.publish(HELLO)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(UpstreamError, match="gpgv is not installed"):
            await read()


class TestExpiry:
    async def test_a_release_that_was_valid(self, archive: Archive, read: Any) -> None:
        archive.valid_for = timedelta(hours=-1)
        archive.publish(HELLO)
        with pytest.raises(Expired, match="was valid until"):
            await read()
        assert (await read(ignore_expiry=True)).labels == ["hello 1.0 amd64"]

    async def test_one_that_is_valid_for_ever(self, archive: Archive, read: Any) -> None:
        archive.valid_for = None
        archive.publish(HELLO)
        assert (await read()).labels == ["hello 1.0 amd64"]

    @pytest.mark.parametrize("zone", ["UTC", "GMT", "+0000", "-0000", "Z"])
    async def test_ways_to_write_the_time(self, archive: Archive, read: Any, zone: str) -> None:
        archive.fields = {"Valid-Until": f"Sat, 10 Jun 2023 09:53:33 {zone}"}
        archive.publish(HELLO)
        with pytest.raises(Expired, match=re.escape(zone)):
            await read()

    @pytest.mark.parametrize(
        "time",
        ["tomorrow", f"Sat, 10 Jun {'9' * 20} 09:53:33 UTC", "Sat, 31 Jun 2023 09:53:33 UTC"],
    )
    async def test_a_time_that_is_none(self, archive: Archive, read: Any, time: str) -> None:
        archive.fields = {"Valid-Until": time}
        archive.publish(HELLO)
        with pytest.raises(UpstreamError, match="Valid-Until"):
            await read()


async def test_a_release_that_is_replaced_before_its_signature_is_read(
    archive: Archive, web: Server, read: Any
) -> None:
    archive.inline = False
    archive.publish(HELLO)

    def replace(request: Any) -> bool:
        del web.answers["Release.gpg"]
        archive.publish(HELLO, EVIL)
        return False

    web.answers["Release.gpg"] = replace
    with pytest.raises(Changed, match="is being replaced"):
        await read()
    assert (await read()).labels == ["evil 1.0 amd64", "hello 1.0 amd64"]
