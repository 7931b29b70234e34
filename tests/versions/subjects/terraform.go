package main

import (
	"strings"

	"github.com/hashicorp/go-version"
	"golang.org/x/mod/semver"
)

// The registry takes tags that are SemVer after an optional "v"; go-version takes more spellings,
// and bounds the numbers.
func read(text string) *verdict {
	tag := "v" + strings.TrimPrefix(text, "v")
	parsed, err := version.NewVersion(text)
	if err != nil || semver.Canonical(tag)+semver.Build(tag) != tag {
		return nil
	}
	identity := parsed.Core().String()
	if parsed.Prerelease() != "" {
		identity += "-" + parsed.Prerelease()
	}
	return &verdict{identity, parsed.Prerelease() != ""}
}

func compare(one, two string) int {
	return version.Must(version.NewVersion(one)).Compare(version.Must(version.NewVersion(two)))
}
