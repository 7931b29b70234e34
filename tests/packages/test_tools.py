"""Packages that the ecosystems' own tools made, against what these tools say of them."""

import base64
import email
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pkgdb.packages import PackageFile, read_package
from tests.packages.making import SAMPLES, read
from tests.support import oracle

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "Sample.Package"
version = "1.0rc1"
description = "said"
requires-python = ">=3.9,!=3.10.*"
dependencies = ["idna"]
[tool.hatch.build.targets.wheel]
packages = ["sample_package"]
"""
CARGO = """\
[package]
name = "sample_crate"
version = "0.3.1-rc.1+build"
edition = "2021"
description = "said"
license = "MIT"
rust-version = "1.70"
links = "sample"
build = "build.rs"
[dependencies]
plain = "1"
exact = "= 1.2.3"
several = ">=1.2, <2"
tilde = "~1.2"
wild = "1.*"
any = "*"
prerelease = "1.0.0-rc.x"
full = { version = "0.3", optional = true, default-features = false, features = ["a", "b"] }
called = { version = "1", package = "other" }
[dev-dependencies]
dev = "2"
[build-dependencies]
built = "3"
[target.'cfg(windows)'.dependencies]
windows = "0.5"
[target.x86_64-unknown-linux-gnu.dev-dependencies]
linux = "1"
[features]
default = ["newer"]
newer = ["dep:full"]
weak = ["full?/a"]
"""
GEMSPEC = """\
Gem::Specification.new do |s|
  s.name = "Sample_gem"
  s.version = "1.10.0.pre"
  s.summary = "said"
  s.description = "more: \\"said\\"\\n\\nand é"
  s.authors = ["Some One", "Other"]
  s.email = "one@example.org"
  s.homepage = "https://example.org"
  s.licenses = ["MIT", "Ruby"]
  s.metadata = { "source_code_uri" => "https://example.org/source", "yes" => "no" }
  s.files = ["a.rb"]
  %(platform)s
  s.required_ruby_version = [">= 2.7", "< 5"]
  s.add_dependency "rake"
  s.add_dependency "b", "~> 1.10", "!= 1.11"
  s.add_development_dependency "rspec", "3.0"
end
"""
SPECIFICATION = """\
require "rubygems/package"
require "json"
spec = Gem::Package.new(ARGV[0]).spec
puts JSON.generate(
  name: spec.name, version: spec.version.to_s, platform: spec.platform.to_s, file: spec.file_name,
  dependencies: spec.runtime_dependencies.map { |d| [d.name, d.requirement.to_s] }.sort,
  ruby: spec.required_ruby_version.to_s, rubygems: spec.required_rubygems_version.to_s,
  summary: spec.summary, description: spec.description, authors: spec.authors,
  email: spec.email, homepage: spec.homepage, licenses: spec.licenses, metadata: spec.metadata
)
"""


def run(*command: str, cwd: Path) -> str:
    environment = dict(os.environ) | {"SOURCE_DATE_EPOCH": "1700000000", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_named(folder: Path, suffix: str) -> tuple[Path, PackageFile]:
    """The one package of a folder; what is known from outside is right."""
    [path] = folder.glob(f"*{suffix}")
    package = read_package(path)
    content = path.read_bytes()
    assert package.size == len(content)
    assert package.sha256 == hashlib.sha256(content).hexdigest()
    assert package.filename == path.name
    return path, package


class TestPython:
    @pytest.fixture
    def project(self, tmp_path):
        (tmp_path / "pyproject.toml").write_text(PYPROJECT)
        (tmp_path / "sample_package").mkdir()
        (tmp_path / "sample_package" / "__init__.py").write_text("")
        return tmp_path

    def test_a_wheel(self, project):
        build = "import hatchling.build as b; b.build_wheel('dist')"
        run(sys.executable, "-c", build, cwd=project)
        path, package = read_named(project / "dist", ".whl")
        with zipfile.ZipFile(path) as archive:
            document = archive.read("sample_package-1.0rc1.dist-info/METADATA")
        said = email.message_from_bytes(document)
        assert (package.ecosystem, package.variant) == ("pypi", "")
        assert (package.name, package.version) == (said["Name"], said["Version"])
        assert package.metadata == {}
        assert package.attributes == {
            "requires-python": said["Requires-Python"],
            "core-metadata": {"sha256": hashlib.sha256(document).hexdigest()},
        }

    def test_a_source_distribution(self, project):
        run(sys.executable, "-c", "import hatchling.build as b; b.build_sdist('dist')", cwd=project)
        _, package = read_named(project / "dist", ".tar.gz")
        assert (package.name, package.version) == ("Sample.Package", "1.0rc1")
        assert package.metadata == {}
        assert package.attributes == {"requires-python": "!=3.10.*,>=3.9"}

    def test_what_pip_builds_is_installed_as_we_read_it(self, project, tmp_path):
        # pip checks the file's name against what is in it, as we do.
        build = "import hatchling.build as b; b.build_wheel('dist')"
        run(sys.executable, "-c", build, cwd=project)
        path, package = read_named(project / "dist", ".whl")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
        run(*install, "--target", "installed", "--report", "report.json", str(path), cwd=project)
        [report] = json.loads((project / "report.json").read_text())["install"]
        assert package.name == report["metadata"]["name"]
        assert package.version == report["metadata"]["version"]
        assert package.sha256 == report["download_info"]["archive_info"]["hashes"]["sha256"]


class TestNpm:
    @pytest.mark.parametrize("name", ["sample", "@scope/sample"])
    @pytest.mark.parametrize("version", ["1.2.3", "1.2.3-rc.1+build"])
    @pytest.mark.parametrize("shrinkwrap", [False, True])
    def test_a_tarball(self, tmp_path, name, version, shrinkwrap):
        manifest = {
            "name": name,
            "version": version,
            "description": "said",
            "dependencies": {"a": "^1.0.0"},
            "bin": "cli.js",
            "deprecated": "no",
            "_from": "elsewhere",
        }
        (tmp_path / "package.json").write_text(json.dumps(manifest))
        (tmp_path / "cli.js").write_text("#!/usr/bin/env node\n")
        if shrinkwrap:
            document = {"name": name, "version": version, "lockfileVersion": 3, "packages": {}}
            (tmp_path / "npm-shrinkwrap.json").write_text(json.dumps(document))
        [said] = listed(json.loads(run(oracle("npm"), "pack", "--json", cwd=tmp_path)))
        path = tmp_path / said["filename"].replace("@", "").replace("/", "-")
        package = read_package(path)
        assert (package.ecosystem, package.name, package.variant) == ("npm", said["name"], "")
        assert package.version == version
        assert package.filename == f"sample-{version.partition('+')[0]}.tgz"
        assert package.size == said["size"]
        assert package.attributes == {
            "integrity": said["integrity"],
            "shasum": said["shasum"],
            "fileCount": said["entryCount"],
            "unpackedSize": said["unpackedSize"],
        }
        assert package.metadata == {
            "description": "said",
            "dependencies": {"a": "^1.0.0"},
            "bin": "cli.js",
        } | ({"_hasShrinkwrap": True} if shrinkwrap else {})


def listed(said: Any) -> list[Any]:
    """From npm 12 on, packages by name."""
    return list(said.values()) if isinstance(said, dict) else said


class TestDeb:
    @pytest.mark.parametrize("compression", ["gzip", "xz", "zstd", "none"])
    def test_a_package(self, tmp_path, compression):
        control = tmp_path / "tree" / "DEBIAN" / "control"
        control.parent.mkdir(parents=True)
        control.write_text(
            "Package: sample\nVersion: 2:1.0~rc1-1\nArchitecture: amd64\n"
            "Maintainer: Some Öne <one@example.org>\nInstalled-Size: 12\n"
            "Depends: libc6 (>= 2.34), a | b,\n libssl3\nX-Own: field\n"
            "Description: short\n more\n .\n  verbatim\n"
        )
        (tmp_path / "out").mkdir()
        dpkg_deb = oracle("dpkg-deb")
        run(dpkg_deb, f"-Z{compression}", "--uniform-compression", "--root-owner-group",
            "-b", "tree", "out", cwd=tmp_path)  # fmt: skip
        path, package = read_named(tmp_path / "out", ".deb")

        def said(field: str) -> str:
            return run(dpkg_deb, "-f", str(path), field, cwd=tmp_path).removesuffix("\n")

        assert (package.ecosystem, package.name) == ("deb", said("Package"))
        assert (package.version, package.variant) == (said("Version"), said("Architecture"))
        fields = ["Maintainer", "Installed-Size", "Depends", "X-Own", "Description"]
        # dpkg-deb shows a folded field in one line; an index has it as it was written.
        unfolded = {"Depends": package.metadata["Depends"].replace("\n", "")}
        assert package.metadata | unfolded == {field: said(field) for field in fields}
        assert package.attributes == {
            "MD5sum": hashlib.md5(path.read_bytes()).hexdigest(),
            "SHA1": hashlib.sha1(path.read_bytes()).hexdigest(),
        }


class TestCargo:
    def test_a_crate(self, tmp_path):
        (tmp_path / "Cargo.toml").write_text(CARGO)
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "lib.rs").write_text("")
        (tmp_path / "build.rs").write_text("fn main() {}\n")
        cargo = oracle("cargo")
        run(cargo, "package", "--quiet", "--offline", "--no-verify", "--allow-dirty",
            "--exclude-lockfile", cwd=tmp_path)  # fmt: skip
        said = json.loads(run(cargo, "read-manifest", "--offline", cwd=tmp_path))
        _, package = read_named(tmp_path / "target" / "package", ".crate")
        assert (package.ecosystem, package.variant) == ("cargo", "")
        assert (package.name, package.version) == (said["name"], said["version"])
        assert package.metadata["links"] == said["links"]
        assert package.metadata["rust_version"] == said["rust_version"]
        assert package.metadata["v"] == 2
        both = package.metadata["features"] | package.metadata["features2"]
        # Cargo adds a feature for each optional dependency that is not named by dep:.
        assert both == said["features"]
        assert set(package.metadata["features2"]) == {"newer", "weak"}
        assert ordered(package.metadata["deps"]) == ordered(
            [
                {
                    "name": of["rename"] or of["name"],
                    "req": of["req"],
                    "features": of["features"],
                    "optional": of["optional"],
                    "default_features": of["uses_default_features"],
                    "target": of["target"],
                    "kind": of["kind"] or "normal",
                    "registry": of["source"].removeprefix("registry+"),
                    "package": of["name"] if of["rename"] else None,
                }
                for of in said["dependencies"]
            ]
        )


def ordered(dependencies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(dependencies, key=lambda of: of["name"])


class TestGem:
    @pytest.mark.parametrize("platform", ["ruby", "java", "x86_64-linux", "universal-darwin-20"])
    def test_a_gem(self, tmp_path, platform):
        line = "" if platform == "ruby" else f's.platform = "{platform}"'
        (tmp_path / "a.rb").write_text("")
        (tmp_path / "sample.gemspec").write_text(GEMSPEC.replace("%(platform)s", line))
        run(oracle("gem"), "build", "sample.gemspec", cwd=tmp_path)
        path, package = read_named(tmp_path, ".gem")
        said = json.loads(run(oracle("ruby"), "-e", SPECIFICATION, str(path), cwd=tmp_path))
        assert (package.ecosystem, package.name) == ("gem", said.pop("name"))
        assert package.version == said.pop("version")
        assert package.variant == ("" if platform == "ruby" else platform)
        assert said.pop("platform") == platform
        assert package.filename == said.pop("file")
        found = dict(package.metadata)
        assert sorted(
            [of["name"], of["requirements"]] for of in found.pop("dependencies")
        ) == said.pop("dependencies")
        assert found == said
        assert package.attributes == {}


def test_digests_that_nuget_and_npm_write_are_those_of_the_file(tmp_path):
    for filename, make in SAMPLES.items():
        content = make()
        package = read(tmp_path, filename, content)
        sha512 = base64.b64encode(hashlib.sha512(content).digest()).decode()
        assert package.attributes.get("packageHash", sha512) == sha512
        assert package.attributes.get("integrity", f"sha512-{sha512}") == f"sha512-{sha512}"
