// Reads versions and pairs of them as JSON; writes what a library makes of each version, and of
// each pair. The library is that of the file compiled with this one, which has read and compare.

package main

import (
	"encoding/json"
	"os"
)

type verdict struct {
	Identity   string
	Prerelease bool
}

func main() {
	var given struct {
		Versions []string
		Pairs    [][2]string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		panic(err)
	}
	verdicts := make([]*verdict, len(given.Versions))
	for i, version := range given.Versions {
		verdicts[i] = read(version)
	}
	signs := make([]int, len(given.Pairs))
	for i, pair := range given.Pairs {
		signs[i] = compare(pair[0], pair[1])
	}
	if err := json.NewEncoder(os.Stdout).Encode([]any{verdicts, signs}); err != nil {
		panic(err)
	}
}
