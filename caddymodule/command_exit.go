package caddymodule

import (
	"errors"
	"fmt"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// Exit codes of our commands; 0 is success. Scripts rely on them.
const (
	exitRefused    = 1 // it was understood and refused, or failed
	exitUsage      = 2 // the command line makes no sense
	exitNotRunning = 3 // no running Sallyport was found
)

// exitError is an error with the exit code that it stands for.
type exitError struct {
	code int
	err  error
	// caddys is what Caddy's main takes the code from: it knows its own,
	// unexported type only.
	caddys error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() []error { return []error{e.err, e.caddys} }

func exitWith(code int, err error) error {
	e := &exitError{code: code, err: err}
	// A code above 1 without an error is the one way to Caddy's exit code
	// that writes no log line; an ordinary error gives 1.
	if code > 1 {
		e.caddys = caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(&cobra.Command{}, nil)
	}
	return e
}

func usageError(format string, args ...any) error {
	return exitWith(exitUsage, fmt.Errorf(format, args...))
}

func refusedError(format string, args ...any) error {
	return exitWith(exitRefused, fmt.Errorf(format, args...))
}

// exact makes c and all below it write their errors as one plain line and end
// with our exit codes. Caddy's way would be a log line and always 1.
func exact(c *cobra.Command) {
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return tell(c, exitWith(exitUsage, err)) })
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return tell(c, usageError("%s; usage: %s", err, ours(c.UseLine())))
			}
			return nil
		}
	}
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error { return tell(c, run(c, args)) }
	}
	for _, below := range c.Commands() {
		exact(below)
	}
}

// tell writes the error, once, and keeps cobra from writing it again.
func tell(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	c.SilenceErrors, c.SilenceUsage = true, true
	c.PrintErrln("Error:", harmlessLines(err.Error())) // it may quote a file, or somebody's metadata
	var known *exitError
	if errors.As(err, &known) {
		return known
	}
	return exitWith(exitRefused, err)
}

// group gives a command that only holds others a usage error of its own:
// cobra would print the help and end with success.
func group(c *cobra.Command) {
	var names []string
	for _, below := range c.Commands() {
		names = append(names, below.Name())
	}
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError("there is no command %q; after `%s` comes one of: %s", args[0], ours(c.CommandPath()), strings.Join(names, ", "))
		}
		return usageError("after `%s` comes one of: %s", ours(c.CommandPath()), strings.Join(names, ", "))
	}
}

// ours is a command as our own binary takes it: in another build of Caddy
// `caddy` comes first.
func ours(usage string) string { return strings.TrimPrefix(usage, "caddy ") }
