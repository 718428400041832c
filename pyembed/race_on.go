//go:build race

package pyembed

const raceEnabled = true
