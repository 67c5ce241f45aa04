package caddymodule

import (
	"os"
	"slices"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "sallyport",
		Short:     "Accounts, sessions and keys of a running Sallyport",
		CobraFunc: fillCommand,
	})
}

// fillCommand makes c the command that ours are below.
func fillCommand(c *cobra.Command) {
	c.AddCommand(commands()...)
	group(c)
	exact(c)
}

// commands are ours, below the word `sallyport`.
func commands() []*cobra.Command {
	return []*cobra.Command{
		accountCommand(), sessionCommand(), trustCommand(), apiKeyCommand(), keysCommand(), samlCommand(), auditCommand(), explainCommand(), demoCommand(), totpCommand(),
	}
}

// OwnCommands puts the word `sallyport` before those of our commands that were
// given without it: `sallyport totp KEY` is `caddy sallyport totp KEY`.
func OwnCommands() {
	if len(os.Args) < 2 {
		return
	}
	for _, c := range commands() {
		if c.Name() == os.Args[1] {
			os.Args = slices.Insert(os.Args, 1, "sallyport")
			return
		}
	}
}
