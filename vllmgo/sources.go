package vllmgo

import (
	"archive/zip"
	"embed"
	"fmt"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// pythonSources are this package's Python modules. Python knows bridge.py as vllmgo_bridge, and so
// on.
//
//go:embed *.py
var pythonSources embed.FS

// archive is the file from which the Python processes of this program import its modules.
var archive shared[*os.File]

// openArchive makes an archive of the modules.
func openArchive() (*os.File, error) { return makeArchive(nil) }

// makeArchive makes a file in memory, which goes with this process: a zip archive of the modules,
// with replica.py as its main module. The modules that replace names have other texts, by their
// name in the archive.
func makeArchive(replace map[string]string) (*os.File, error) {
	texts := map[string]string{}
	entries, err := pythonSources.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := modulePrefix + entry.Name()
		if entry.Name() == "replica.py" {
			name = "__main__.py"
		}
		texts[name] = sourceOf(entry.Name())
	}
	maps.Copy(texts, replace)
	file, err := memoryFile("vllmgo.zip")
	if err != nil {
		return nil, err
	}
	z := zip.NewWriter(file)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		w, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(texts[name])); err != nil {
			return nil, err
		}
	}
	return file, z.Close()
}

const modulePrefix = "vllmgo_"

// sourceOf returns the text of a module.
func sourceOf(file string) string {
	text, err := pythonSources.ReadFile(file)
	if err != nil {
		panic("vllmgo: " + err.Error()) // a file that is not there, which no build lacks
	}
	return string(text)
}

// memoryFile returns a file that is in memory, and goes with this process.
func memoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// pathOf returns a path by which child processes can open a file of this process.
func pathOf(file *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd()) }
