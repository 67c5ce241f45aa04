package caddymodule

import (
	"github.com/spf13/cobra"
)

func sessionCommand() *cobra.Command {
	f := new(adminFlags)
	c := &cobra.Command{Use: "session", Short: "Lists and ends sign-ins"}
	f.on(c)
	c.AddCommand(sessionListCommand(f), sessionEnd(f))
	group(c)
	return c
}

func sessionListCommand(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list [NAME]", Short: "Lists the sessions of an account, or all", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var of namedArguments
			if len(args) > 0 {
				of.Account = args[0]
			}
			return f.list(c, "session/list", of, listSink(f, c, "sessions", sessionHeading, sessionView.row))
		},
	}
}

func sessionEnd(f *adminFlags) *cobra.Command {
	var said endArguments
	c := &cobra.Command{
		Use:   "end ID | end --account NAME",
		Short: "Ends a session, or all of an account, on all nodes",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				said.ID = args[0]
			}
			if (said.ID == "") == (said.Account == "") {
				return usageError("say either the ID of a session or --account NAME")
			}
			var result ended
			if err := f.call(c, "session/end", said, &result); err != nil {
				return err
			}
			return f.print(c, result, func(p *printer) { p.line("Sessions ended: %d", result.Ended) })
		},
	}
	c.Flags().StringVar(&said.Account, "account", "", "end all sessions of this account")
	return c
}
