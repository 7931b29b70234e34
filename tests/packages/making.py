"""Packages made by hand, each in the layout of its own tool, and archives of any content."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pkgdb.packages import PackageFile, read_package

Files = Mapping[str, bytes | str | tarfile.TarInfo]

METADATA = """\
Metadata-Version: 2.4
Name: Sample.Package
Version: 1.0
Summary: said
Requires-Python: >=3.9

A description
"""
CONTROL = """\
Package: sample
Version: 1:1.0-1
Architecture: amd64
Maintainer: Some One <one@example.org>
Depends: libc6 (>= 2.34),
 libssl3
Description: short
 and long
 .
 with a paragraph
"""
CHART = """\
apiVersion: v2
name: sample
version: 1.0.0
appVersion: "1.16"
description: >-
  folded
  text
deprecated: true
"""
CARGO = """\
[package]
name = "sample_crate"
version = "1.0.0"
rust-version = "1.70"

[dependencies.serde]
version = "1"
features = ["derive"]
optional = true

[features]
plain = ["serde"]
newer = ["dep:serde"]
"""
GEMSPEC = """\
--- !ruby/object:Gem::Specification
name: sample
version: !ruby/object:Gem::Version
  version: '1.10'
platform: x86_64-linux
authors:
- Some One
dependencies:
- !ruby/object:Gem::Dependency
  name: rake
  requirement: &1 !ruby/object:Gem::Requirement
    requirements:
    - - "~>"
      - !ruby/object:Gem::Version
        version: '13.0'
  type: :runtime
  prerelease: false
  version_requirements: *1
- !ruby/object:Gem::Dependency
  name: rspec
  requirement: *1
  type: :development
description:
licenses:
- MIT
required_ruby_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '2.7'
  - - "<"
    - !ruby/object:Gem::Version
      version: '4'
required_rubygems_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '0'
summary: said
"""
NUSPEC = """\
<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata minClientVersion="2.12">
    <id>Sample.Package</id>
    <version>1.0.0-RC</version>
    <authors>Some One, Other</authors>
    <license type="expression">MIT</license>
    <requireLicenseAcceptance>true</requireLicenseAcceptance>
    <description>said &amp; done</description>
    <tags>one two</tags>
    <packageTypes><packageType name="Dependency" /></packageTypes>
    <repository type="git" url="https://example.org/sample" />
    <dependencies>
      <group targetFramework=".NETStandard2.0">
        <dependency id="Other.Package" version="[12.0.1, )" exclude="Build,Analyzers" />
      </group>
      <group targetFramework="net8.0" />
    </dependencies>
  </metadata>
</package>
"""


def tar(files: Files) -> bytes:
    """An archive; a value that is a TarInfo goes in as it is, without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            data = encoded(content)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def tgz(files: Files) -> bytes:
    return gzip.compress(tar(files), mtime=0)


def zipped(files: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def ar(parts: Mapping[str, bytes]) -> bytes:
    return b"!<arch>\n" + b"".join(
        f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        + data
        + b"\n" * (len(data) % 2)
        for name, data in parts.items()
    )


def encoded(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content


def wheel(metadata: bytes | str = METADATA, **more: bytes | str) -> bytes:
    info = "sample_package-1.0.dist-info"
    return zipped(
        {
            "sample_package/__init__.py": "",
            f"{info}/METADATA": metadata,
            f"{info}/WHEEL": "Wheel-Version: 1.0\n",
            f"{info}/RECORD": "",
        }
        | more
    )


def sdist(metadata: bytes | str = METADATA) -> bytes:
    return tgz({"sample_package-1.0/src/a.py": "", "sample_package-1.0/PKG-INFO": metadata})


def zipped_sdist(metadata: bytes | str = METADATA) -> bytes:
    return zipped({"sample_package-1.0/PKG-INFO": metadata, "sample_package-1.0/setup.py": ""})


def npm(manifest: bytes | str | dict[str, object] | None = None) -> bytes:
    if manifest is None:
        manifest = {"name": "@scope/sample", "version": "1.0.0", "dependencies": {"a": "^1"}}
    document = json.dumps(manifest) if isinstance(manifest, dict) else manifest
    return tgz({"package/package.json": document, "package/index.js": "module.exports = 1\n"})


def deb(control: bytes | str = CONTROL) -> bytes:
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": tgz({"./control": control, "./md5sums": ""}),
        "data.tar.xz": b"any.",
    }
    return ar(parts)


def crate(manifest: bytes | str = CARGO) -> bytes:
    return tgz({"sample_crate-1.0.0/Cargo.toml": manifest, "sample_crate-1.0.0/src/lib.rs": ""})


def gem(gemspec: bytes | str = GEMSPEC) -> bytes:
    return tar(
        {
            "metadata.gz": gzip.compress(encoded(gemspec), mtime=0),
            "data.tar.gz": tgz({"lib/sample.rb": ""}),
            "checksums.yaml.gz": gzip.compress(b"---\n", mtime=0),
        }
    )


def nupkg(nuspec: bytes | str = NUSPEC) -> bytes:
    return zipped(
        {
            "_rels/.rels": "<Relationships />",
            "Sample.Package.nuspec": nuspec,
            "lib/netstandard2.0/Sample.dll": "MZ",
            "[Content_Types].xml": "<Types />",
        }
    )


def chart(document: bytes | str = CHART) -> bytes:
    return tgz({"sample/Chart.yaml": document, "sample/charts/other/Chart.yaml": "name: other\n"})


SAMPLES: dict[str, Callable[..., bytes]] = {
    "sample_package-1.0-py3-none-any.whl": wheel,
    "sample_package-1.0.tar.gz": sdist,
    "sample_package-1.0.zip": zipped_sdist,
    "scope-sample-1.0.0.tgz": npm,
    "sample_1.0-1_amd64.deb": deb,
    "sample_crate-1.0.0.crate": crate,
    "sample-1.10-x86_64-linux.gem": gem,
    "Sample.Package.1.0.0-RC.nupkg": nupkg,
    "sample-1.0.0.tgz": chart,
}
"""A package of each kind under the name of its file; called with another metadata document, it has
that."""


def read(folder: Path, filename: str, content: bytes, ecosystem: str | None = None) -> PackageFile:
    path = folder / filename
    path.write_bytes(content)
    return read_package(path, ecosystem)
