package caddymodule

import (
	"encoding/csv"
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
			var list accountListView
			if err := f.call(c, "account/export", said, &list); err != nil {
				return err
			}
			if format == "csv" {
				return printCSV(c, list, said.WithHashes)
			}
			return printJSON(c, list)
		},
	}
	c.Flags().StringVar(&format, "format", "json", "json or csv")
	c.Flags().BoolVar(&said.WithHashes, "with-hashes", false, "password hashes too: the output is then as secret as the database")
	return c
}

// printCSV prints accounts as readCSV reads them.
func printCSV(c *cobra.Command, list accountListView, withHashes bool) error {
	columns := csvColumns
	if !withHashes {
		columns = slices.DeleteFunc(slices.Clone(columns), func(name string) bool { return name == "password_hash" })
	}
	w := csv.NewWriter(c.OutOrStdout())
	if err := w.Write(columns); err != nil {
		return err
	}
	for _, a := range list.Accounts {
		cells := []string{a.Name, a.Email, a.DisplayName, strings.Join(a.Groups, ";"), a.Provider, strconv.FormatBool(a.Disabled), a.PasswordHash}
		for i := range cells {
			cells[i] = toCell(cells[i])
		}
		if err := w.Write(cells[:len(columns)]); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
