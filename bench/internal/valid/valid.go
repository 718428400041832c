// Package valid checks the values of records that are read.
//
//	err := valid.Fields(valid.Positive("elapsed_ns", t.Elapsed), valid.Positive("trial", t.Trial))
package valid

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Field is a value of a record, by its name in JSON, and whether the record can have it.
type Field struct {
	Name  string
	Value any
	OK    bool
}

// Fields returns an error that names the first field whose value is impossible; nil when there is
// none.
func Fields(fields ...Field) error {
	for _, f := range fields {
		if !f.OK {
			return fmt.Errorf("%s is %v, which is impossible", f.Name, f.Value)
		}
	}
	return nil
}

// number is a type of figures.
type number interface {
	int | int64 | time.Duration | float64
}

// most is the greatest figure of a record, with which sums of a few do not overflow: 2 years in
// nanoseconds, and 64 PiB.
const most = 1 << 56

// Positive returns the field of a figure that is above 0.
func Positive[N number](name string, n N) Field { return Field{name, n, n > 0 && n <= most} }

// NotNegative returns the field of a figure that is 0 or more.
func NotNegative[N number](name string, n N) Field { return Field{name, n, n >= 0 && n <= most} }

// Share returns the field of a share of a whole, from 0 to 1.
func Share(name string, f float64) Field { return Field{name, f, f >= 0 && f <= 1} }

// SHA256 returns the field of a SHA-256 in hexadecimal digits.
func SHA256(name, text string) Field {
	sum, err := hex.DecodeString(text)
	return Field{name, fmt.Sprintf("%.80q", text), err == nil && len(sum) == 32}
}

// Schema returns an error unless a file's schema is the newest, or the one before it, which has no
// checksums. verified is whether the file has them.
func Schema(schema, newest int, verified bool) error {
	switch {
	case schema != newest && schema != newest-1:
		return fmt.Errorf("schema %d; this program reads %d and %d", schema, newest-1, newest)
	case schema == newest && !verified:
		return fmt.Errorf("it has no checksum, which schema %d has", newest)
	}
	return nil
}
