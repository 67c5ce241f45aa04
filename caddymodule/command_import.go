package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func accountImport(f *adminFlags) *cobra.Command {
	var format string
	var said importArguments
	c := &cobra.Command{
		Use:   "import FILE [--format csv|htpasswd|authelia|json] [--dry-run] [--skip-faulty]",
		Short: "Adds the accounts of a file: all of them, or none and what is wrong with which line",
		Long: "Adds the accounts of a file, `-` for standard input: all of them, or none.\n" +
			"csv has a first line with the columns' names: " + strings.Join(csvColumns, ", ") + ".\n" +
			"Groups have `;` between them, and disabled is true, false or empty.\n" +
			"authelia is the file of Authelia's `authentication_backend.file`, json what `account export` prints.\n" +
			"--dry-run tells every fault and who would have no password, and changes nothing; the exit code is 1 where\n" +
			"there is a fault. --skip-faulty imports the other lines.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			read, err := importReader(args[0], format)
			if err != nil {
				return err
			}
			text, err := readLimited(c, args[0])
			if err != nil {
				return err
			}
			return f.importFile(c, args[0], read(text), said)
		},
	}
	flags := c.Flags()
	flags.StringVar(&format, "format", "", "csv, htpasswd, authelia or json (default by the file's name: .csv, .htpasswd, .yml, .json)")
	flags.BoolVar(&said.DryRun, "dry-run", false, "change nothing, and tell every fault")
	flags.BoolVar(&said.SkipFaulty, "skip-faulty", false, "import the lines without a fault, and tell which were left out")
	return c
}

// importFile hands over what was read of a file, its faults too: the running
// Sallyport judges, and tells all faults together.
func (f *adminFlags) importFile(c *cobra.Command, name string, file importFile, said importArguments) error {
	said.Accounts, said.Faults = file.accounts, file.faults
	// Half a file is nobody's wish.
	said.SkipFaulty = said.SkipFaulty && !file.cut
	var result imported
	if err := f.call(c, callImport, said, &result); err != nil {
		return withLines(name, err)
	}
	if err := f.print(c, result, func(p *printer) { result.tell(p, name) }); err != nil {
		return err
	}
	if !result.DryRun || len(result.Faults) == 0 {
		return nil
	}
	detail := "with these lines nothing would be imported"
	if said.SkipFaulty {
		detail = "these lines would be left out"
	}
	if f.json { // they are in the JSON
		return refusedError("%s: %d faults", detail, len(result.Faults))
	}
	return withLines(name, &problem{Detail: detail, Lines: result.Faults})
}

func (i imported) tell(p *printer, file string) {
	does := "has no password"
	if i.DryRun {
		p.line("Nothing was changed. Accounts without a fault: %d", i.Imported)
		does = "would have no password"
	} else {
		p.line("Accounts imported: %d", i.Imported)
	}
	for _, name := range i.WithoutPassword {
		p.line("%s %s: sallyport account set-up-link %s", name, does, name)
	}
	for _, l := range i.Faults {
		if !i.DryRun {
			p.line("Left out: %s:%d: %s", file, l.Line, l.Text)
		}
	}
}

// readLimited reads no more than a call could carry.
func readLimited(c *cobra.Command, file string) ([]byte, error) {
	text, err := readFileOrStdin(c, file, maxImportBody)
	if err == nil && len(text) > maxImportBody {
		return nil, refusedError("%s is larger than %d MiB: split it", file, maxImportBody>>20)
	}
	return text, err
}

// readFileOrStdin reads a file, or standard input for `-`: so many bytes, and
// one more when it has more.
func readFileOrStdin(c *cobra.Command, file string, most int64) ([]byte, error) {
	in := c.InOrStdin()
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, usageError("%w", err)
		}
		defer opened.Close()
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, usageError("%s: %w", file, err)
	}
	return text, nil
}

// withLines puts the faults of a file into the error's text, one below the
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
