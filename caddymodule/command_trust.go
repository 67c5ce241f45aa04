package caddymodule

import "github.com/spf13/cobra"

func trustCommand() *cobra.Command {
	f := new(adminFlags)
	c := &cobra.Command{Use: "trusted-browser", Short: "Lists and ends browsers that are not asked for a second factor"}
	f.on(c)
	c.AddCommand(trustList(f), trustEnd(f))
	group(c)
	return c
}

func trustList(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list NAME", Short: "Lists the remembered browsers of an account", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var list trustedList
			if err := f.call(c, "trusted-browser/list", namedArguments{args[0]}, &list); err != nil {
				return err
			}
			return f.print(c, list, func(p *printer) {
				var rows [][]string
				for _, b := range list.Browsers {
					rows = append(rows, []string{b.ID, b.Browser, b.Network, when(b.Created), when(b.LastUsed), when(b.Expires)})
				}
				p.table("ID,BROWSER,NETWORK,SINCE,LAST USED,UNTIL", rows)
			})
		},
	}
}

func trustEnd(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use: "end NAME [ID]", Short: "Makes one remembered browser of an account, or all, ask for the second factor again",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			said := endTrustArguments{Account: args[0]}
			if len(args) == 2 {
				said.ID = args[1]
			}
			var result ended
			if err := f.call(c, "trusted-browser/end", said, &result); err != nil {
				return err
			}
			return f.print(c, result, func(p *printer) { p.line("Remembered browsers ended: %d", result.Ended) })
		},
	}
}
