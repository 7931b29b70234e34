"""Signatures by GnuPG."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from pkgdb.archive.errors import ArchiveError

__all__ = ["Signer"]

_PATIENCE = 300  # seconds: a key on a card may want a touch


@dataclass(frozen=True)
class Signer:
    """A key, by whatever `gpg --local-user` takes, in the keyring of a home folder.

    A key with a passphrase works as long as gpg-agent knows it: nobody is there to be asked.
    """

    key: str
    homedir: Path | None = None

    def clearsigned(self, text: bytes) -> bytes:
        """The text with its signature around it, as `InRelease` is."""
        return self._run("--clearsign", text)

    def signature(self, text: bytes) -> bytes:
        """The signature alone, as `Release.gpg` is."""
        return self._run("--detach-sign", text)

    def _run(self, what: str, text: bytes) -> bytes:
        home = [] if self.homedir is None else ["--homedir", str(self.homedir)]
        command = ["gpg", *home, "--batch", "--no-tty", "--pinentry-mode", "error", "--armor"]
        command += ["--digest-algo", "SHA512", "--local-user", self.key, what]
        try:
            done = subprocess.run(command, input=text, capture_output=True, timeout=_PATIENCE)
        except OSError as error:
            raise ArchiveError(f"gpg cannot be run, which has to sign: {error}") from error
        except subprocess.TimeoutExpired as error:
            raise ArchiveError(f"gpg gave no signature of {self.key} in time") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise ArchiveError(f"gpg cannot sign with {self.key}: {said}")
        return done.stdout
