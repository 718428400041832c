package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vllmgo/internal/nearest"
)

// forms are the forms of the values of flags, by the names that pflag has for their types.
var forms = map[string]string{
	"int":        "a whole number, such as 8",
	"uint64":     "a whole number from 0 on, such as 8",
	"float64":    "a number, such as 0.05",
	"duration":   "a time with its unit, such as 90s, 5m or 1h30m",
	"bool":       "true or false",
	"percentage": "a percentage above 0, such as 3%",
}

// flagError returns the error of the command line for one of pflag, whose words are those of a
// programmer.
func flagError(c *cobra.Command, err error) error {
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		if form := forms[wrong.GetFlag().Value.Type()]; form != "" {
			return usagef("--%s is %q; it must be %s", wrong.GetFlag().Name, wrong.GetValue(), form)
		}
	}
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return usageError{err}
	}
	name, hyphens := unknown.GetSpecifiedName(), "--"
	if letters := unknown.GetSpecifiedShortnames(); letters != "" { // -budget, say
		name, _, _ = strings.Cut(letters, "=")
		hyphens = "-"
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if best := nearest.To(name, names); best != "" {
		return usagef("there is no flag %s%s; did you mean --%s?", hyphens, name, best)
	}
	return usagef("there is no flag %s%s; %s --help lists those that there are", hyphens, name, c.CommandPath())
}

// checkAbove returns an error for the first of some flags that is given and is not above 0.
func checkAbove(f *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		flag := f.Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		if text := flag.Value.String(); text == "0" || text == "0s" || text[0] == '-' {
			return usagef("--%s is %s; it must be above 0", name, text)
		}
	}
	return nil
}
