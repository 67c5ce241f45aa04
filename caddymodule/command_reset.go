package caddymodule

import (
	"strings"

	"github.com/spf13/cobra"
)

// resetFlags are those of `account reset-second-factor`.
type resetFlags struct {
	*adminFlags
	file               string
	dryRun, skipFaulty bool
}

func accountReset(f *adminFlags) *cobra.Command {
	r := &resetFlags{adminFlags: f}
	c := &cobra.Command{
		Use:   "reset-second-factor NAME | --file FILE [--dry-run] [--skip-faulty]",
		Short: "Removes all second factors and makes a link (1 h, once) to enrol anew",
		Long: "Removes all second factors of an account, ends its sessions and links, and makes a link (1 h, once) to enrol anew.\n" +
			"FILE, `-` for standard input, names an account in each line; empty lines and those that begin with # are none.\n" +
			"When a line is wrong nothing is reset and every fault is told. --dry-run tells them and changes nothing;\n" +
			"the exit code is 1 where there is a fault. --skip-faulty resets the other lines.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			named := r.file != ""
			switch {
			case named == (len(args) == 1):
				return usageError("say either the account's name or --file")
			case !named && (r.dryRun || r.skipFaulty):
				return usageError("--dry-run and --skip-faulty are for --file")
			case named:
				return r.resetFile(c)
			}
			return f.change(c, callReset, namedArguments{args[0]}, "has no second factor any more; its sessions have ended")
		},
	}
	flags := c.Flags()
	flags.StringVar(&r.file, "file", "", "a file with a name or e-mail address in each line")
	flags.BoolVar(&r.dryRun, "dry-run", false, "change nothing, and tell every fault")
	flags.BoolVar(&r.skipFaulty, "skip-faulty", false, "reset the lines without a fault, and tell which were left out")
	return c
}

// resetReport is what a file came to.
type resetReport struct {
	DryRun bool        `json:"dry_run"`
	Done   []resetLink `json:"done"`
	// NotDone are the accounts that were still to be done when something
	// failed, in the file's order. The first is the one that failed: how far it
	// got is not known, and doing it again does no harm. In a dry run they are
	// those that would be done.
	NotDone []string    `json:"not_done"`
	Error   string      `json:"error,omitempty"`
	Faults  []lineFault `json:"faults"`
}

// resetLink is an account's new beginning.
type resetLink struct {
	Account string   `json:"account"`
	Link    linkView `json:"link"`
}

// resetFile judges all lines in one call, and resets each account in its own.
func (r *resetFlags) resetFile(c *cobra.Command) error {
	text, err := readFileOrStdin(c, r.file, maxAdminBody)
	if err != nil {
		return err
	}
	if len(text) > maxAdminBody {
		return refusedError("%s is larger than 1 MiB: split it", r.file)
	}
	var check resetCheck
	if err := r.call(c, callReset+"/check", resetCheckArguments{namedLines(text)}, &check); err != nil {
		return err
	}
	if len(check.Faults) > 0 && (len(check.Ready) == 0 || !r.skipFaulty) && !r.dryRun {
		return withLines(r.file, &problem{Detail: "nothing was reset: mend these lines, or take them out", Lines: check.Faults})
	}
	report := resetReport{DryRun: r.dryRun, Done: []resetLink{}, NotDone: []string{}, Faults: check.Faults}
	if r.dryRun {
		for _, l := range check.Ready {
			report.NotDone = append(report.NotDone, l.Account)
		}
		return r.tellDryRun(c, report)
	}
	failed := r.resetEach(c, check.Ready, &report)
	return r.tellReset(c, report, failed)
}

// namedLines are the lines of a file that name somebody.
func namedLines(text []byte) (lines []namedLine) {
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, namedLine{number, line})
		}
	}
	return lines
}

// resetEach stops at the first failure: what prevented one would prevent the
// others, such as a store that is away.
func (r *resetFlags) resetEach(c *cobra.Command, ready []namedLine, report *resetReport) error {
	show := r.showing(c, ready)
	for i, l := range ready {
		var result changed
		err := r.call(c, callReset, namedArguments{l.Account}, &result)
		if err == nil && result.Link == nil {
			err = refusedError("the answer has no link: command and server are of different releases")
		}
		if err != nil {
			report.Error = harmless(err.Error())
			for _, left := range ready[i:] {
				report.NotDone = append(report.NotDone, left.Account)
			}
			return err
		}
		done := resetLink{result.Account.Name, *result.Link}
		report.Done = append(report.Done, done)
		show(done)
	}
	return nil
}
