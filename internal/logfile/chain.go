package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
)

// checksumForm is the end of a line: its last member, which is the checksum. Zeros stand for the
// digits.
const checksumForm = `,"crc32c":"00000000"}`

// castagnoli is the polynomial of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chain computes the checksums of a file's lines. Each is the CRC-32C of the line, up to its own
// checksum, and of all lines before it.
type chain struct {
	sum uint32 // of the lines so far
	// off is true in a file of an older program, which has no checksums.
	off bool
}

// ending returns the end of a line whose checksum is the chain's.
func (c chain) ending() []byte {
	return fmt.Appendf(nil, `,"crc32c":"%08x"}`, c.sum)
}

// seal returns a line with its checksum. The line is an object that has a member.
func (c *chain) seal(line []byte) ([]byte, error) {
	if c.off {
		return line, nil
	}
	body, found := bytes.CutSuffix(line, []byte("}"))
	if !found || !bytes.HasPrefix(body, []byte(`{"`)) {
		return nil, fmt.Errorf("the record %.80q is no object with a member", line)
	}
	c.sum = crc32.Update(c.sum, castagnoli, body)
	return append(body, c.ending()...), nil
}

// open returns a line without its checksum. It returns an error if the checksum is wrong.
func (c *chain) open(line []byte) ([]byte, error) {
	body, sealed := cutChecksum(line)
	switch {
	case sealed && c.off:
		return nil, errors.New("it has a checksum, which the first line has not")
	case !sealed && !c.off:
		return nil, errors.New("its end is damaged, where its checksum should be")
	case c.off:
		return line, nil
	}
	c.sum = crc32.Update(c.sum, castagnoli, body)
	if !bytes.Equal(line[len(body):], c.ending()) {
		return nil, errors.New("its checksum is wrong: it is damaged, or not where it was written, " +
			"as when a line is missing or there twice")
	}
	return append(bytes.Clone(body), '}'), nil
}

// cutChecksum returns a line up to its checksum, and whether it has one.
func cutChecksum(line []byte) (body []byte, found bool) {
	digits := len(`00000000"}`)
	end := max(0, len(line)-len(checksumForm))
	found = bytes.HasPrefix(line[end:], []byte(checksumForm[:len(checksumForm)-digits]))
	return line[:end], found
}
