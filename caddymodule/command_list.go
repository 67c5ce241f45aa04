package caddymodule

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// maxLine bounds one line of a list, in bytes.
const maxLine = 1 << 20

// errCutShort: a list's last line says that it is the last.
var errCutShort = errors.New("it has no end")

// A sink prints the items of a list while they come.
type sink interface {
	item(text json.RawMessage) error
	// close is called in any case: with the error that ended the list, or nil
	// for a list that is complete.
	close(failed error) error
}

// list makes a call whose answer is a list and prints it while it is read. What
// was printed of a list that fails in the middle stays, and the error is told.
func (f *adminFlags) list(c *cobra.Command, name string, arguments any, to sink) error {
	ctx, cancel := context.WithCancelCause(c.Context())
	defer cancel(nil)
	// The whole may take any time, but each wait has the time of a call.
	patience := time.AfterFunc(callLife, func() { cancel(errors.New("no answer for " + callLife.String())) })
	p, response, err := f.send(ctx, name, arguments, 0)
	patience.Stop()
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if !strings.HasPrefix(response.Header.Get("Content-Type"), listKind) {
		text, err := readText(p, response)
		if err != nil {
			return err
		}
		if response.StatusCode == http.StatusOK && json.Valid(text) {
			return differentReleases(p)
		}
		return readRefusal(p, response, text)
	}
	err = readList(c, p, patientReader{response.Body, patience, callLife}, to)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = brokeOff(p, cause)
	}
	return errors.Join(err, to.close(err))
}

// patientReader has a timer run while it waits for something to arrive, and
// only then: whoever reads in a pager may take their time.
type patientReader struct {
	from  io.Reader
	timer *time.Timer
	life  time.Duration
}

func (r patientReader) Read(b []byte) (int, error) {
	r.timer.Reset(r.life)
	defer r.timer.Stop()
	return r.from.Read(b)
}

func readList(c *cobra.Command, p place, from io.Reader, to sink) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var line listLine
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			if !lines.Scan() { // it is the last one, and a part of one
				break
			}
			return differentReleases(p)
		}
		switch {
		case line.Item != nil:
			if err := to.item(line.Item); err != nil {
				return err
			}
		case line.Warning != "":
			c.PrintErrln("Warning:", harmless(line.Warning))
		case line.Problem != nil:
			return refusedBy(p, line.Problem)
		case line.End:
			return nil
		default:
			return differentReleases(p)
		}
	}
	if err := lines.Err(); err != nil {
		return brokeOff(p, err)
	}
	return brokeOff(p, errCutShort)
}

// listSink prints a list of T for people, or as JSON: an object with one array
// of that name.
func listSink[T any](f *adminFlags, c *cobra.Command, name, heading string, row func(T) []string) sink {
	if f.json {
		return &jsonSink[T]{c: c, name: name}
	}
	return &tableSink[T]{table: newTable(c.OutOrStdout(), heading), row: row}
}

// tableSink prints rows of a table.
type tableSink[T any] struct {
	table *table
	row   func(T) []string
}

func (s *tableSink[T]) item(text json.RawMessage) error {
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	return s.table.add(s.row(v))
}

func (s *tableSink[T]) close(failed error) error {
	if failed != nil && s.table.empty() {
		return nil // an error alone says more than one under a heading
	}
	return s.table.flush()
}

// jsonSink prints what printJSON would of the whole list. That of a list that
// failed has no end, so that no program takes it for complete.
type jsonSink[T any] struct {
	c    *cobra.Command
	name string
	some bool
}

func (s *jsonSink[T]) item(text json.RawMessage) error {
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	before := ","
	if !s.some {
		before = "{\n  \"" + s.name + "\": ["
	}
	s.some = true
	indented, err := jsonText(v, "    ")
	if err != nil {
		return err
	}
	return s.write(before + "\n    " + strings.TrimSuffix(indented, "\n"))
}

func (s *jsonSink[T]) close(failed error) error {
	switch {
	case failed != nil && s.some:
		return s.write("\n")
	case failed != nil:
		return nil
	case !s.some:
		return s.write("{\n  \"" + s.name + "\": []\n}\n")
	}
	return s.write("\n  ]\n}\n")
}

func (s *jsonSink[T]) write(text string) error {
	_, err := io.WriteString(s.c.OutOrStdout(), text)
	return err
}
