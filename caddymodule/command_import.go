package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// importFormats are the readers of files, by the word after --format. Each
// returns its accounts, or every fault that it found.
var importFormats = map[string]func([]byte) ([]importedAccount, []lineFault){
	"csv":      readCSV,
	"htpasswd": readHtpasswd,
	"authelia": readAuthelia,
}

func accountImport(f *adminFlags) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "import FILE [--format csv|htpasswd|authelia]",
		Short: "Adds the accounts of a file: all of them, or none and what is wrong with which line",
		Long: "Adds the accounts of a file, `-` for standard input: all of them, or none.\n" +
			"csv has a first line with the columns' names: name, email, display_name, groups (with `;` between), provider, password_hash.\n" +
			"authelia is the file of Authelia's `authentication_backend.file`.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			accounts, err := readImportFile(c, args[0], format)
			if err != nil {
				return err
			}
			var result imported
			if err := f.call(c, "account/import", importArguments{accounts}, &result); err != nil {
				return withLines(args[0], err)
			}
			return f.print(c, result, func(p *printer) {
				p.line("Accounts imported: %d", result.Imported)
				for _, name := range result.WithoutPassword {
					p.line("%s has no password: sallyport account set-up-link %s", name, name)
				}
			})
		},
	}
	c.Flags().StringVar(&format, "format", "", "csv, htpasswd or authelia (default by the file's name: .csv, .htpasswd, .yml)")
	return c
}

func readImportFile(c *cobra.Command, file, format string) ([]importedAccount, error) {
	if format == "" {
		format = formatOf(file)
	}
	read, known := importFormats[format]
	if !known {
		return nil, usageError("say --format csv, htpasswd or authelia: %q does not tell", file)
	}
	text, err := readLimited(c, file)
	if err != nil {
		return nil, err
	}
	accounts, faults := read(text)
	if len(faults) > 0 {
		return nil, withLines(file, importProblem(faults))
	}
	return accounts, nil
}

func formatOf(file string) string {
	switch base := filepath.Base(file); {
	case strings.HasSuffix(base, ".csv"):
		return "csv"
	case strings.HasSuffix(base, "htpasswd"):
		return "htpasswd"
	case strings.HasSuffix(base, ".yml"), strings.HasSuffix(base, ".yaml"):
		return "authelia"
	}
	return ""
}

// readLimited reads no more than a call could carry.
func readLimited(c *cobra.Command, file string) ([]byte, error) {
	text, err := readFileOrStdin(c, file)
	if err == nil && len(text) > maxAdminBody {
		return nil, refusedError("%s is larger than 1 MiB: split it", file)
	}
	return text, err
}

// readFileOrStdin reads a file, or standard input for `-`: 1 MiB, and a byte
// more when it has more.
func readFileOrStdin(c *cobra.Command, file string) ([]byte, error) {
	in := c.InOrStdin()
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, usageError("%w", err)
		}
		defer opened.Close()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, maxAdminBody+1))
	if err != nil {
		return nil, usageError("%s: %w", file, err)
	}
	return text, nil
}

// withLines puts an import's faults into the error's text, one below the
// other.
func withLines(file string, err error) error {
	var p *problem
	if !errors.As(err, &p) || len(p.Lines) == 0 {
		return err
	}
	var b strings.Builder
	b.WriteString(p.Detail)
	for _, l := range p.Lines {
		fmt.Fprintf(&b, "\n%s:%d: %s", file, l.Line, harmless(l.Text))
	}
	return exitWith(exitRefused, errors.New(b.String()))
}

func accountExport(f *adminFlags) *cobra.Command {
	var said exportArguments
	c := &cobra.Command{
		Use:   "export [--with-hashes]",
		Short: "Prints all accounts as JSON, without second factors",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var list accountListView
			if err := f.call(c, "account/export", said, &list); err != nil {
				return err
			}
			return printJSON(c, list)
		},
	}
	c.Flags().BoolVar(&said.WithHashes, "with-hashes", false, "password hashes too: the output is then as secret as the database")
	return c
}
