"""What each reader makes of what it reads, and which names of files it takes."""

import gzip
import hashlib
import tarfile

import pytest

from pkgdb.packages import ECOSYSTEMS, PackageError, read_package
from tests.packages.making import (
    CHART,
    CONTROL,
    GEMSPEC,
    METADATA,
    NUSPEC,
    SAMPLES,
    ar,
    chart,
    crate,
    deb,
    gem,
    npm,
    nupkg,
    read,
    sdist,
    tar,
    tgz,
    wheel,
    zipped,
)


@pytest.mark.parametrize("filename", SAMPLES)
def test_what_is_known_from_the_outside(tmp_path, filename):
    content = SAMPLES[filename]()
    package = read(tmp_path, filename, content)
    assert package.ecosystem in ECOSYSTEMS
    assert package.sha256 == hashlib.sha256(content).hexdigest()
    assert package.file_spec() == {
        "filename": package.filename,
        "sha256": package.sha256,
        "size": len(content),
        "media_type": package.media_type,
        "attributes": package.attributes,
    }
    assert read_package(tmp_path / filename, package.ecosystem) == package
    others = [ecosystem for ecosystem in ECOSYSTEMS if ecosystem != package.ecosystem]
    for other in others:
        with pytest.raises(PackageError):
            read_package(tmp_path / filename, other)


@pytest.mark.parametrize("filename", SAMPLES)
def test_the_database_takes_what_is_read(tmp_path, filename, registry):
    package = read(tmp_path, filename, SAMPLES[filename]())
    registry.create_repository("n", "r")
    outcomes = [
        registry.publish(
            "n",
            "r",
            package.ecosystem,
            package.name,
            package.version,
            variant=package.variant,
            files=[package.file_spec()],
            metadata=dict(package.metadata),
        ).outcome
        for _ in range(2)
    ]
    assert outcomes == ["created", "unchanged"]


class TestWhatAFileIs:
    @pytest.mark.parametrize("filename", ["a", "a.txt", "a.tar", "a.tar.xz", "a.rpm", "a.tgz.asc"])
    def test_an_unknown_suffix(self, tmp_path, filename):
        with pytest.raises(PackageError, match=r"a package of a known kind ends in \.whl, "):
            read(tmp_path, filename, b"")

    def test_a_suffix_of_another_ecosystem(self, tmp_path):
        with pytest.raises(PackageError, match=r"a package of npm ends in \.tgz"):
            read(tmp_path, "a.gem", b"", "npm")

    def test_an_ecosystem_without_a_reader(self, tmp_path):
        with pytest.raises(PackageError, match="packages of 'maven' cannot be read"):
            read(tmp_path, "a.jar", b"", "maven")

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            read_package(tmp_path / "a.gem")

    def test_a_folder(self, tmp_path):
        (tmp_path / "a.gem").mkdir()
        with pytest.raises(PackageError, match=r"'a\.gem': not a file"):
            read_package(tmp_path / "a.gem")

    def test_a_tarball_of_both_kinds(self, tmp_path):
        files = {
            "sample/package.json": '{"name": "sample", "version": "1.0.0"}',
            "sample/Chart.yaml": CHART,
        }
        with pytest.raises(PackageError, match=r"both package\.json of npm and Chart\.yaml"):
            read(tmp_path, "sample-1.0.0.tgz", tgz(files))
        for ecosystem in ("npm", "helm"):
            package = read(tmp_path, "sample-1.0.0.tgz", tgz(files), ecosystem)
            assert package.ecosystem == ecosystem

    def test_a_tarball_of_neither_kind(self, tmp_path):
        with pytest.raises(PackageError, match=r"neither package\.json of npm nor Chart\.yaml"):
            read(tmp_path, "a-1.tgz", tgz({"package/deep/package.json": "{}"}))


class TestNamesOfFiles:
    @pytest.mark.parametrize("filename", SAMPLES)
    def test_one_that_disagrees(self, tmp_path, filename):
        digit = next(character for character in filename if character.isdigit())
        other = filename.replace(digit, "7", 1)
        with pytest.raises(PackageError, match=r"called|of 'Sample"):
            read(tmp_path, other, SAMPLES[filename]())

    @pytest.mark.parametrize(
        "filename",
        [
            "sample-1.0.0.tgz",
            "scope-sample-1.0.0.tgz",
            "scope-sample-v1.0.0.tgz",
            "package.tgz",
        ],
    )
    def test_npm_has_several_and_serves_one(self, tmp_path, filename):
        assert read(tmp_path, filename, npm()).filename == "sample-1.0.0.tgz"

    @pytest.mark.parametrize(
        "filename",
        [
            "sample_1.0-1_amd64.deb",
            "sample_1%3a1.0-1_amd64.deb",
            "sample_1:1.0-1_amd64.deb",
            "sample.deb",
            "sample-latest-amd64.deb",
        ],
    )
    def test_deb_takes_names_that_say_nothing(self, tmp_path, filename):
        assert read(tmp_path, filename, deb()).filename == "sample_1.0-1_amd64.deb"

    @pytest.mark.parametrize(
        ("version", "filename", "served"),
        [
            ("1.0", "Sample.Package.1.0.nupkg", "sample.package.1.0.0.nupkg"),
            ("1.0", "sample.package.1.0.0.nupkg", "sample.package.1.0.0.nupkg"),
            ("1.02.0.0", "Sample.Package.1.2.0.nupkg", "sample.package.1.2.0.nupkg"),
            ("1.2.3.4", "Sample.Package.1.2.3.4.nupkg", "sample.package.1.2.3.4.nupkg"),
            ("1.2.3-B+c", "Sample.Package.1.2.3-B.nupkg", "sample.package.1.2.3-b.nupkg"),
        ],
    )
    def test_nuget_serves_the_normal_version(self, tmp_path, version, filename, served):
        nuspec = NUSPEC.replace("1.0.0-RC", version)
        package = read(tmp_path, filename, nupkg(nuspec))
        assert (package.version, package.filename) == (version, served)

    @pytest.mark.parametrize("name", ["@a/../b", "a\\b", "../../b", "/b", "a/"])
    def test_no_path_comes_of_a_name(self, tmp_path, name):
        content = npm({"name": name, "version": "1.0.0"})
        try:
            package = read(tmp_path, "b-1.0.0.tgz", content)
        except PackageError:
            return
        assert package.filename == "b-1.0.0.tgz"

    def test_no_path_comes_of_a_deb(self, tmp_path):
        control = CONTROL.replace("Package: sample", "Package: ../sample")
        with pytest.raises(PackageError, match="no name of a file"):
            read(tmp_path, "sample.deb", deb(control))


class TestPython:
    def test_only_what_is_used_has_to_be_valid(self, tmp_path):
        metadata = METADATA.replace(
            "Summary: said", "Summary: a\n b\nAuthor: \xf6\nDynamic: nonsense\nX-Own: 1"
        )
        package = read(tmp_path, "sample_package-1.0.tar.gz", sdist(metadata.encode("latin-1")))
        assert package.attributes == {"requires-python": ">=3.9"}

    def test_files_of_one_release_say_the_same_of_it(self, tmp_path, registry):
        registry.create_repository("n", "r")
        for filename, content in {
            "sample_package-1.0.tar.gz": sdist(),
            "sample_package-1.0-py3-none-any.whl": wheel(
                METADATA.replace(">=3.9", ">=3.10").replace("Version: 1.0", "Version: 1.0.0")
            ),
        }.items():
            package = read(tmp_path, filename, content)
            registry.publish(
                "n",
                "r",
                "pypi",
                package.name,
                package.version,
                files=[package.file_spec()],
                metadata=dict(package.metadata),
            )

    @pytest.mark.parametrize(
        ("line", "missing"), [("Name: Sample.Package\n", "Name"), ("Version: 1.0\n", "Version")]
    )
    @pytest.mark.parametrize("times", [0, 2])
    def test_fields_that_are_there_once(self, tmp_path, line, missing, times):
        metadata = METADATA.replace(line, line * times)
        with pytest.raises(PackageError, match=f"no {missing}"):
            read(tmp_path, "sample_package-1.0.tar.gz", sdist(metadata))

    @pytest.mark.parametrize("version", ["one", "9" * 255, "9" * 5000, "1." * 100 + "x"])
    def test_a_malformed_version(self, tmp_path, version):
        metadata = METADATA.replace("Version: 1.0\n", f"Version: {version}\n")
        with pytest.raises(PackageError, match=r"malformed|longer than|is of 'Sample"):
            read(tmp_path, "sample_package-1.0.tar.gz", sdist(metadata))

    def test_a_malformed_requires_python(self, tmp_path):
        metadata = METADATA.replace(">=3.9", ">>3")
        with pytest.raises(PackageError, match="malformed"):
            read(tmp_path, "sample_package-1.0.tar.gz", sdist(metadata))

    @pytest.mark.parametrize(
        "filename", ["sample.whl", "a-1-b-c-d-e-f.whl", "a-x-py3-none-any.whl"]
    )
    def test_no_name_of_a_wheel(self, tmp_path, filename):
        with pytest.raises(PackageError, match="not the name of a wheel"):
            read(tmp_path, filename, wheel())

    def test_a_second_dist_info(self, tmp_path):
        content = wheel(**{"other-1.0.dist-info/METADATA": METADATA})
        with pytest.raises(PackageError, match=r"a wheel has one \.dist-info"):
            read(tmp_path, "sample_package-1.0-py3-none-any.whl", content)

    def test_a_second_pkg_info(self, tmp_path):
        files = {"a/PKG-INFO": METADATA, "b/PKG-INFO": METADATA}
        for suffix, content in (("tar.gz", tgz(files)), ("zip", zipped(files))):
            with pytest.raises(PackageError, match=r"both 'a/PKG-INFO'|one PKG-INFO, and not 2"):
                read(tmp_path, f"sample_package-1.0.{suffix}", content)

    def test_a_wheel_without_record(self, tmp_path):
        content = zipped({"a-1.dist-info/METADATA": METADATA, "a-1.dist-info/WHEEL": ""})
        with pytest.raises(PackageError, match="no RECORD"):
            read(tmp_path, "a-1-py3-none-any.whl", content)


class TestNpm:
    def test_a_manifest_with_a_byte_order_mark(self, tmp_path):
        document = b'\xef\xbb\xbf{"name": "a", "version": "1.0.0"}'
        assert read(tmp_path, "a-1.0.0.tgz", npm(document)).name == "a"

    def test_any_first_folder(self, tmp_path):
        content = tgz({"./node/package.json": '{"name": "a", "version": "1.0.0"}'})
        assert read(tmp_path, "a-1.0.0.tgz", content).name == "a"

    def test_what_a_registry_says_is_left_out(self, tmp_path):
        manifest = {
            "name": "a",
            "version": "1.0.0",
            "dist": {"tarball": "https://example.org/other.tgz"},
            "deprecated": "yes",
            "_id": "b@2",
            "license": "MIT",
        }
        assert read(tmp_path, "a-1.0.0.tgz", npm(manifest)).metadata == {"license": "MIT"}

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            ("[]", "no object"),
            ("", "not JSON"),
            ("{'name': 1}", "not JSON"),
            (b"\xff", "not UTF-8"),
            ("[" * 100_000, "not JSON"),
            ('{"name": "a", "version": "1", "a": NaN}', "NaN is not JSON"),
            ('{"name": "a", "version": "1", "a": 1e999}', "not finite"),
            ('{"name": "a", "version": "1", "a": "\\u0000"}', "NUL"),
            ('{"name": "a", "version": "1", "\\u0000": 1}', "NUL"),
            ('{"name": "a", "version": "1", "a": "\\ud800"}', "surrogate"),
            ('{"name": "a", "version": "1", "a": ' + "[" * 80 + "]" * 80 + "}", "nested"),
            ('{"name": "a", "version": "1", "a": ' + "9" * 5000 + "}", "not JSON"),
            ('{"version": "1"}', "no name"),
            ('{"name": "a"}', "no version"),
            ('{"name": "", "version": "1"}', "no name"),
            ('{"name": ["a"], "version": "1"}', "name is no text"),
            ('{"name": "a", "version": 1}', "version is no text"),
            ('{"name": "a\\n", "version": "1"}', "control character"),
            ('{"name": "a", "version": " 1"}', "space at an end"),
            ('{"name": "a", "version": "1\\u0000"}', "control character"),
            ('{"name": "' + "a" * 256 + '", "version": "1"}', "longer than 255"),
        ],
    )
    def test_a_manifest_that_is_none(self, tmp_path, document, reason):
        with pytest.raises(PackageError, match=reason):
            read(tmp_path, "a-1.tgz", npm(document))

    def test_metadata_larger_than_the_database_takes(self, tmp_path):
        # Small in the file, larger as the database writes it.
        document = '{"name":"a","version":"1","a":[' + ",".join(["1"] * 400_000) + "]}"
        with pytest.raises(PackageError, match=r"the metadata has 12\d+ bytes: more than 1048576"):
            read(tmp_path, "a-1.tgz", npm(document))


class TestDeb:
    @pytest.mark.parametrize(
        "line",
        ["Package: other", "no field", "-Field: x", "#Field: x", "", "A b: c", "Über: x", ": x"],
    )
    def test_a_control_file_that_dpkg_refuses(self, tmp_path, line):
        control = CONTROL.replace("Maintainer:", f"{line}\nMaintainer:")
        with pytest.raises(PackageError, match="malformed line"):
            read(tmp_path, "sample.deb", deb(control))

    def test_what_an_index_says_of_a_file_is_left_out(self, tmp_path):
        control = CONTROL.replace("Maintainer:", "Filename: /etc/passwd\nSHA256: 0\nMaintainer:")
        assert set(read(tmp_path, "sample.deb", deb(control)).metadata) == {
            "Maintainer",
            "Depends",
            "Description",
        }

    @pytest.mark.parametrize("missing", ["Package", "Version", "Architecture"])
    def test_missing_fields(self, tmp_path, missing):
        control = "".join(line for line in CONTROL.splitlines(True) if not line.startswith(missing))
        with pytest.raises(PackageError, match=f"no {missing}"):
            read(tmp_path, "sample.deb", deb(control))

    @pytest.mark.parametrize(
        "parts",
        [
            {},
            {"debian-binary": b"2.0\n"},
            {"debian-binary": b"2.0\n", "data.tar": b"", "control.tar": b""},
            {"debian-binary": b"3.0\n", "control.tar": tar({"control": CONTROL}), "data.tar": b""},
            {"debian-binary": b"2.0\n", "control.tar.lz": b"", "data.tar": b""},
            {"control.tar": tar({"control": CONTROL}), "data.tar": b""},
            {"debian-binary": b"2.0\n", "control.tar": tar({"other": ""}), "data.tar": b""},
        ],
    )
    def test_parts_that_are_no_package(self, tmp_path, parts):
        with pytest.raises(PackageError):
            read(tmp_path, "sample.deb", ar(parts))

    def test_parts_of_others(self, tmp_path):
        content = ar(
            {
                "debian-binary/": b"2.0\n",
                "_other": b"x",
                "control.tar": tar({"control": CONTROL}),
                "data.tar": b"",
                "_gpgorigin": b"signature",
            }
        )
        assert read(tmp_path, "sample.deb", content).name == "sample"

    def test_a_size_below_zero_is_no_circle(self, tmp_path):
        good = ar({"debian-binary": b"2.0\n"})
        with pytest.raises(PackageError, match="damaged"):
            read(tmp_path, "sample.deb", good.replace(b"4         `", b"-60       `"))


class TestCargo:
    @pytest.mark.parametrize(
        ("manifest", "reason"),
        [
            ("[package", "not TOML"),
            ("a = " + "[" * 5000, "not TOML"),
            ("a." * 100_000 + "a = 1", "more than 2000 dots"),
            ('package = "a"', "is no table"),
            ('[package]\nversion = "1.0.0"', "no name"),
            ('[package]\nname = "sample_crate"', "no version"),
            ('[package]\nname = "other"\nversion = "1.0.0"', "is not called"),
            ("[package]\nname = 1\nversion = 2024-01-01", "name is no text"),
        ],
    )
    def test_a_manifest_that_is_none(self, tmp_path, manifest, reason):
        with pytest.raises(PackageError, match=reason):
            read(tmp_path, "sample_crate-1.0.0.crate", crate(manifest))

    @pytest.mark.parametrize(
        "line",
        [
            'dependencies.a = { version = "nonsense" }',
            "dependencies.a = 1",
            'dependencies.a = { version = "1", optional = "yes" }',
            'dependencies.a = { version = "1", features = [1] }',
            "features.a = 1",
            'target = "x"',
        ],
    )
    def test_malformed_parts(self, tmp_path, line):
        manifest = f'{line}\n[package]\nname = "sample_crate"\nversion = "1.0.0"\n'
        with pytest.raises(PackageError):
            read(tmp_path, "sample_crate-1.0.0.crate", crate(manifest))

    def test_another_registry(self, tmp_path):
        manifest = (
            '[package]\nname = "sample_crate"\nversion = "1.0.0"\n'
            '[dependencies]\na = { version = "1", registry-index = "sparse+https://x.example/" }\n'
        )
        package = read(tmp_path, "sample_crate-1.0.0.crate", crate(manifest))
        [dependency] = package.metadata["deps"]
        assert dependency["registry"] == "sparse+https://x.example/"

    def test_a_second_folder(self, tmp_path):
        content = tgz({"sample_crate-1.0.0/Cargo.toml": "", "other/a": ""})
        with pytest.raises(PackageError, match="more than one folder"):
            read(tmp_path, "sample_crate-1.0.0.crate", content)


class TestGem:
    def test_platforms_of_old_gems(self, tmp_path):
        platform = "platform: !ruby/object:Gem::Platform\n  cpu: x86\n  os: mingw32\n  version:\n"
        gemspec = GEMSPEC.replace("platform: x86_64-linux\n", platform)
        package = read(tmp_path, "sample-1.10-x86-mingw32.gem", gem(gemspec))
        assert package.variant == "x86-mingw32"

    def test_binary_texts_of_old_gems(self, tmp_path):
        gemspec = GEMSPEC.replace("'1.10'", "!binary |-\n    MS4xMA==")
        assert read(tmp_path, "sample-1.10-x86_64-linux.gem", gem(gemspec)).version == "1.10"

    @pytest.mark.parametrize(
        ("gemspec", "reason"),
        [
            ("", "no object"),
            ("- a", "no object"),
            ("a: [", "not YAML"),
            ("a: 'b", "not YAML"),
            ("a: !binary /w==", "no text"),
            ("a: *b", "nothing is called 'b' yet"),
            ("a: &a [*a]", "nothing is called 'a' yet"),
            ("{}: a", "a key that is no text"),
            ("a: 1\n---\nb: 2", "more than one document"),
            ("a: " + "[" * 100_000, "nested"),
            ("- " * 100_000, "nested"),
            ("".join(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 9}]\n" if n else "a1: &a1 [x]\n"
                     for n in range(30)), "more than 100000 values"),
            (GEMSPEC.replace("name: sample", "name:"), "no name"),
            (GEMSPEC.replace("'1.10'", "[]"), "version is no text"),
            (GEMSPEC.replace("'~>'", "[]").replace('"~>"', "[]"), "malformed requirement"),
        ],
    )  # fmt: skip
    def test_metadata_that_is_none(self, tmp_path, gemspec, reason):
        with pytest.raises(PackageError, match=reason):
            read(tmp_path, "sample-1.10-x86_64-linux.gem", gem(gemspec))

    def test_no_objects_are_made(self, tmp_path):
        gemspec = GEMSPEC.replace("summary: said", "summary: !!python/object/apply:os.getpid []")
        package = read(tmp_path, "sample-1.10-x86_64-linux.gem", gem(gemspec))
        assert "summary" not in package.metadata

    def test_compressed_metadata_that_expands(self, tmp_path):
        content = tar({"metadata.gz": gzip.compress(b"a" * (1 << 25))})
        with pytest.raises(PackageError, match="the metadata has more than 1048576 bytes"):
            read(tmp_path, "sample-1.10.gem", content)


class TestNuget:
    @pytest.mark.parametrize(
        ("nuspec", "reason"),
        [
            ("", "not XML"),
            ("<package>", "not XML"),
            ("<package/>", "no metadata"),
            ("<!DOCTYPE a><package/>", "document type"),
            ('<!DOCTYPE a [<!ENTITY b "c">]><package>&b;</package>', "document type"),
            ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><package/>', "document type"),
            ('<?xml version="1.0" encoding="nonsense"?><package/>', "not XML"),
            (NUSPEC.replace("<id>Sample.Package</id>", ""), "no id"),
            (NUSPEC.replace("<id>", "<id>a</id><id>"), "id twice"),
            (NUSPEC.replace("1.0.0-RC", ""), "no version"),
            (NUSPEC.replace("1.0.0-RC", "one"), "no version of NuGet"),
            (NUSPEC.replace('id="Other.Package" ', ""), "no id of a dependency"),
        ],
    )
    def test_a_nuspec_that_is_none(self, tmp_path, nuspec, reason):
        with pytest.raises(PackageError, match=reason):
            read(tmp_path, "Sample.Package.1.0.0-RC.nupkg", nupkg(nuspec))

    def test_what_the_index_has(self, tmp_path):
        package = read(tmp_path, "Sample.Package.1.0.0-RC.nupkg", nupkg())
        assert package.metadata == {
            "authors": "Some One, Other",
            "description": "said & done",
            "tags": ["one", "two"],
            "minClientVersion": "2.12",
            "requireLicenseAcceptance": True,
            "licenseExpression": "MIT",
            "packageTypes": [{"name": "Dependency"}],
            "repository": {"type": "git", "url": "https://example.org/sample"},
            "dependencyGroups": [
                {
                    "targetFramework": ".NETStandard2.0",
                    "dependencies": [{"id": "Other.Package", "range": "[12.0.1, )"}],
                },
                {"targetFramework": "net8.0", "dependencies": []},
            ],
        }

    def test_dependencies_without_groups(self, tmp_path):
        nuspec = (
            NUSPEC.replace('<group targetFramework=".NETStandard2.0">', "")
            .replace("</group>", "")
            .replace('<group targetFramework="net8.0" />', "")
        )
        package = read(tmp_path, "Sample.Package.1.0.0-RC.nupkg", nupkg(nuspec))
        assert package.metadata["dependencyGroups"] == [
            {"dependencies": [{"id": "Other.Package", "range": "[12.0.1, )"}]}
        ]

    def test_a_second_nuspec(self, tmp_path):
        content = zipped({"a.nuspec": NUSPEC, "b.NuSpec": NUSPEC})
        with pytest.raises(PackageError, match="one nuspec, and not 2"):
            read(tmp_path, "a.nupkg", content)


class TestHelm:
    # What Helm 3's own loader answers, asked through its Python binding.
    @pytest.mark.parametrize(
        ("written", "text"),
        [
            ("1.10", "1.1"), ("'1.10'", "1.10"), ("1.0", "1"), ("1", "1"), ("1.2.3", "1.2.3"),
            ("1e3", "1000"), ("1.0e+3", "1000"), ("1234567.5", "1.2345675e+06"),
            ("123456.0", "123456"), ("1234567.0", "1.234567e+06"), ("20240101", "20240101"),
            ("0.0001", "0.0001"), ("0.00001", "1e-05"), ("1e-7", "1e-07"), ("-0.0", "-0"),
            ("0x1F", "31"), ("0X1f", "31"), ("0o17", "15"), ("017", "15"), ("0123456", "42798"),
            ("08", "8"), ("0b11", "3"), ("1_000", "1000"), ("_1", "_1"), ("+5", "5"), (".5", "0.5"),
            ("5.", "5"), ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "1.8446744e+19"), ("1e400", "1e400"), ("yes", "true"),
            ("off", "false"), ("y", "true"), ("True", "true"), ("2001-01-01", "2001-01-01"),
            ("1:30", "1:30"), ("'yes'", "yes"), ("+-3e6", "+-3e6"),
        ],
    )  # fmt: skip
    def test_texts_that_look_like_something_else(self, tmp_path, written, text):
        document = CHART.replace('"1.16"', written)
        assert read(tmp_path, "sample-1.0.0.tgz", chart(document)).metadata["appVersion"] == text

    def test_a_version_that_looks_like_a_number(self, tmp_path):
        document = CHART.replace("version: 1.0.0", "version: 1.10")
        assert read(tmp_path, "sample-1.1.tgz", chart(document)).version == "1.1"

    def test_what_the_index_has(self, tmp_path):
        assert read(tmp_path, "sample-1.0.0.tgz", chart()).metadata == {
            "apiVersion": "v2",
            "appVersion": "1.16",
            "description": "folded text",
            "deprecated": True,
        }

    @pytest.mark.parametrize("version", ["v1", "v2"])
    def test_dependencies_of_helm_2(self, tmp_path, version):
        content = tgz(
            {
                "sample/Chart.yaml": CHART.replace("v2", version),
                "sample/requirements.yaml": "dependencies: [{name: a, enabled: no}]",
            }
        )
        found = read(tmp_path, "sample-1.0.0.tgz", content).metadata.get("dependencies")
        assert found == ([{"name": "a", "enabled": False}] if version == "v1" else None)

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            (CHART.replace("apiVersion: v2", ""), "no apiVersion"),
            (CHART.replace("name: sample", "name: ~"), "no name"),
            (CHART.replace("name: sample", "name: [a]"), "name is no text"),
            (CHART.replace("true", "maybe"), "deprecated is not true or false"),
            (CHART + "dependencies: [a]", "a dependency is no object"),
            (CHART.replace("sample", "../sample"), "called"),
        ],
    )
    def test_a_chart_that_is_none(self, tmp_path, document, reason):
        with pytest.raises(PackageError, match=reason):
            read(tmp_path, "sample-1.0.0.tgz", chart(document))


def test_a_link_for_the_metadata(tmp_path):
    link = tarfile.TarInfo("package/package.json")
    link.type, link.linkname = tarfile.SYMTYPE, "other.json"
    content = tgz({"package/other.json": '{"name": "a", "version": "1.0.0"}', "link": link})
    with pytest.raises(PackageError, match=r"'package/package\.json' is no plain file"):
        read(tmp_path, "a-1.0.0.tgz", content)
