package main

import "github.com/Masterminds/semver"

// As Helm's Metadata.Validate accepts versions, and its IndexFile.Has finds them.
func read(version string) *verdict {
	parsed, err := semver.NewVersion(version)
	if err != nil {
		return nil
	}
	plain, err := parsed.SetMetadata("")
	if err != nil {
		panic(err)
	}
	// pkgdb's own limit: 255 characters, also where the version is spelt out.
	if len(parsed.String()) > 255 {
		return nil
	}
	return &verdict{plain.String(), parsed.Prerelease() != ""}
}

func compare(one, two string) int {
	return semver.MustParse(one).Compare(semver.MustParse(two))
}
