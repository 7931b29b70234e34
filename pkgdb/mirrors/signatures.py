"""Who signed it: Debian's `gpgv`, and nothing that was not signed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from pkgdb.mirrors.upstream import BadSignature, UpstreamError

__all__ = ["signed_text", "verify"]

_ARMOR = re.compile(
    rb"^-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n"
    rb"(?:[^\r\n:]+:[^\r\n]*\r?\n)*[ \t]*\r?\n"  # headers
    rb"([A-Za-z0-9+/=\s]+?)"
    rb"(?:^=[A-Za-z0-9+/]{4}\s*)?"  # a checksum, which gpgv would not look at either
    rb"^-----END PGP PUBLIC KEY BLOCK-----",
    re.MULTILINE,
)
_ARMORED = b"-----BEGIN PGP"
_CLEARSIGNED = re.compile(
    rb"^-----BEGIN PGP SIGNED MESSAGE-----\r?$.*?^-----END PGP SIGNATURE-----\r?$",
    re.MULTILINE | re.DOTALL,
)
# One good signature is enough, as for apt: an archive that changes its key signs with both, of
# which we may have one. Anything else that gpgv has to say is against it.
_REFUSED = {"BADSIG", "NODATA", "ERROR", "UNEXPECTED"}
_STATUS = re.compile(r"^\[GNUPG:\] ([A-Z_]+)", re.MULTILINE)


async def signed_text(message: bytes, keyring: Path) -> bytes:
    """What is signed of a clearsigned message; never what stands around that.

    Raises:
        BadSignature: It is not signed by a key of the keyring.
        UpstreamError: There is no gpgv, or no keyring.
    """
    found = _CLEARSIGNED.search(message)
    if found is None:
        raise BadSignature("not signed: there is no signature in it")
    with TemporaryDirectory(prefix="pkgdb-gpgv-") as folder:
        text = Path(folder, "text")
        signed = _write(folder, "signed", found[0] + b"\n")
        await _gpgv(folder, keyring, f"--output={text}", signed)
        return await asyncio.to_thread(text.read_bytes)


async def verify(message: bytes, signature: bytes, keyring: Path) -> None:
    """Whether the signature is one of the message; otherwise as `signed_text`."""
    with TemporaryDirectory(prefix="pkgdb-gpgv-") as folder:
        signed = _write(folder, "signed", message)
        await _gpgv(folder, keyring, _write(folder, "signature", signature), signed)


async def _gpgv(folder: str, keyring: Path, *arguments: str) -> None:
    keys = _write(folder, "keys", _keys(keyring))
    try:
        gpgv = await asyncio.create_subprocess_exec(
            "gpgv",
            "--status-fd=1",
            "--weak-digest=SHA1",
            "--weak-digest=RIPEMD160",
            f"--keyring={keys}",  # an absolute path: another would be looked for in ~/.gnupg
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise UpstreamError(
            "gpgv is not installed, and a mirror with a keyring needs it (Debian: package gpgv)"
        ) from error
    try:
        status, said = await gpgv.communicate()
    finally:
        with suppress(ProcessLookupError):
            gpgv.kill()
            await gpgv.wait()
    seen = set(_STATUS.findall(status.decode(errors="replace")))
    # VALIDSIG is there for expired and revoked keys too, GOODSIG is not.
    if not {"GOODSIG", "VALIDSIG"} <= seen or seen & _REFUSED:
        lines = said.decode(errors="replace").replace("gpgv: ", "").splitlines()
        why = "; ".join(line.strip() for line in lines[-5:])
        raise BadSignature(f"not signed by a key of {keyring}: {ascii(why)[1:-1]}")


def _write(folder: str, name: str, content: bytes) -> str:
    path = Path(folder, name)
    path.write_bytes(content)
    return str(path)


def _keys(keyring: Path) -> bytes:
    """The keys as gpgv reads them: not in ASCII armor, as archives publish theirs."""
    try:
        keys = keyring.read_bytes()
    except OSError as error:
        raise UpstreamError(f"the keyring cannot be read: {error}") from error
    if _ARMORED not in keys:
        return keys
    try:
        return b"".join(base64.b64decode(block, validate=False) for block in _ARMOR.findall(keys))
    except binascii.Error as error:
        raise UpstreamError(f"{keyring} is damaged: {error}") from error
