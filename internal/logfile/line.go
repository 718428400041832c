package logfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// checkLine returns an error unless a line is JSON with at most one member, in which no object has
// a name twice. encoding/json would take the last of such members.
func checkLine(line []byte) error {
	if len(line) == 0 {
		return errors.New("it is empty")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil { // too deep a nesting is an error too
		return err
	}
	if len(members) > 1 {
		return fmt.Errorf("%d members, where a line has one", len(members))
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	return checkNames(decoder, "")
}

// checkNames returns an error if an object of the next value, which has the given name, has a name
// twice. The names of a program's fields are the same in upper and lower case; those of environment
// variables, in objects called env, are not.
func checkNames(decoder *json.Decoder, name string) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	opening, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	seen := make(map[string]bool)
	for decoder.More() {
		member := ""
		if opening == '{' {
			if token, err = decoder.Token(); err != nil {
				return err
			}
			member = token.(string)
			key := member
			if name != "env" {
				key = strings.ToLower(strings.ToUpper(member))
			}
			if seen[key] {
				return fmt.Errorf("the name %q twice in one object", member)
			}
			seen[key] = true
		}
		if err := checkNames(decoder, member); err != nil {
			return err
		}
	}
	_, err = decoder.Token() // its end
	return err
}
