package main

import (
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// As golang.org/x/mod/zip, which makes and checks what a proxy serves.
func read(version string) *verdict {
	if !semver.IsValid(version) || module.CanonicalVersion(version) != version {
		return nil
	}
	return &verdict{version, semver.Prerelease(version) != ""}
}

func compare(one, two string) int {
	return semver.Compare(one, two)
}
