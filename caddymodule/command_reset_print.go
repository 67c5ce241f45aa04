package caddymodule

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// showing prints each link as soon as it is made: it is shown once, and who
// interrupts the command must not lose those before. JSON comes at the end.
func (r *resetFlags) showing(c *cobra.Command, ready []namedLine) func(resetLink) {
	if r.json {
		return func(resetLink) {}
	}
	width := len("NAME")
	for _, l := range ready {
		width = max(width, utf8.RuneCountInString(l.Account))
	}
	first := true
	return func(done resetLink) {
		if first {
			fmt.Fprintf(c.OutOrStdout(), "%-*s  %-25s  LINK\n", width, "NAME", "UNTIL")
			first = false
		}
		fmt.Fprintf(c.OutOrStdout(), "%-*s  %s  %s\n", width, harmless(done.Account), when(done.Link.Expires), harmless(done.Link.URL))
	}
}

// tellReset ends the output: what was left out, and after a failure who was
// done and who was not.
func (r *resetFlags) tellReset(c *cobra.Command, report resetReport, failed error) error {
	err := r.print(c, report, func(p *printer) {
		p.line("Second factors reset: %d of %d. Each link works once and is not shown again.", len(report.Done), len(report.Done)+len(report.NotDone))
		for _, l := range report.Faults {
			p.line("Left out: %s:%d: %s", r.file, l.Line, l.Text)
		}
	})
	if err != nil || failed == nil {
		return err
	}
	return refusedError("%w\nDone: %d. Not done, the first of them perhaps in part:\n%s",
		failed, len(report.Done), strings.Join(report.NotDone, "\n"))
}

func (r *resetFlags) tellDryRun(c *cobra.Command, report resetReport) error {
	err := r.print(c, report, func(p *printer) {
		p.line("Nothing was changed. Accounts that can be reset: %d", len(report.NotDone))
		for _, name := range report.NotDone {
			p.line("%s", name)
		}
	})
	if err != nil || len(report.Faults) == 0 {
		return err
	}
	detail := "with these lines nothing would be reset"
	if r.skipFaulty {
		detail = "these lines would be left out"
	}
	if r.json { // they are in the JSON
		return refusedError("%s: %d faults", detail, len(report.Faults))
	}
	return withLines(r.file, &problem{Detail: detail, Lines: report.Faults})
}
