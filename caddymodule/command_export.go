package caddymodule

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func accountExport(f *adminFlags) *cobra.Command {
	var said exportArguments
	var format string
	c := &cobra.Command{
		Use:   "export [--format json|csv] [--with-hashes]",
		Short: "Prints all accounts, as `account import` reads them; without second factors, so it is no backup",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "json" && format != "csv" {
				return usageError("--format is json or csv")
			}
			if format == "csv" && f.json {
				return usageError("--json and --format csv exclude each other")
			}
			var to sink = &jsonSink[accountView]{c: c, name: "accounts"}
			if format == "csv" {
				to = newCSVSink(c, said.WithHashes)
			}
			return f.list(c, "account/export", said, to)
		},
	}
	c.Flags().StringVar(&format, "format", "json", "json or csv")
	c.Flags().BoolVar(&said.WithHashes, "with-hashes", false, "password hashes too: the output is then as secret as the database")
	return c
}

// csvSink prints accounts as readCSV reads them.
type csvSink struct {
	to      *csv.Writer
	columns []string
	some    bool
}

func newCSVSink(c *cobra.Command, withHashes bool) *csvSink {
	columns := csvColumns
	if !withHashes {
		columns = slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return name == "password_hash" })
	}
	return &csvSink{to: csv.NewWriter(c.OutOrStdout()), columns: columns}
}

func (s *csvSink) item(text json.RawMessage) error {
	var a accountView
	if err := json.Unmarshal(text, &a); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	cells := []string{a.Name, a.Email, a.DisplayName, strings.Join(a.Groups, ";"), a.Provider, strconv.FormatBool(a.Disabled), a.PasswordHash}
	for i := range cells {
		cells[i] = toCell(cells[i])
	}
	return s.to.Write(cells[:len(s.columns)])
}

func (s *csvSink) begin() error {
	if s.some {
		return nil
	}
	s.some = true
	return s.to.Write(s.columns)
}

func (s *csvSink) close(failed error) error {
	if failed == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	s.to.Flush()
	return s.to.Error()
}
