package caddymodule

import (
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
)

func apiKeyCommand() *cobra.Command {
	f := new(adminFlags)
	c := &cobra.Command{
		Use: "key", Short: "Makes and ends API keys, by which programs act for their owners",
		Long: "Makes and ends API keys. A program shows one as `Authorization: Bearer KEY`, where a rule says `api_keys`.\n" +
			"It may what its owner may, and no more than the key says. No second factor protects it.",
	}
	f.on(c)
	c.AddCommand(apiKeyAdd(f), apiKeysList(f), apiKeyRotate(f), apiKeyRevoke(f))
	group(c)
	return c
}

func apiKeyAdd(f *adminFlags) *cobra.Command {
	var said addAPIKeyArguments
	var life string
	c := &cobra.Command{
		Use: "add ACCOUNT", Short: "Makes a key of an account, and shows it once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			said.Account = args[0]
			if said.Name == "" {
				return usageError("say --name, such as --name \"Backup job\"")
			}
			if life != "never" {
				d, err := caddy.ParseDuration(life)
				if err != nil || d < time.Minute {
					return usageError("--expires %q is no time from a minute on: write 90d, 12h or never", life)
				}
				said.Seconds = int64(d / time.Second)
			}
			return shownKeyBy(f, c, "key/add", said)
		},
	}
	c.Flags().StringVar(&said.Name, "name", "", "what it is for, such as \"Backup job\" (needed)")
	c.Flags().StringArrayVar(&said.Hosts, "host", nil, "only at this host; may repeat")
	c.Flags().StringArrayVar(&said.Paths, "path", nil, "only this path and what is below it; may repeat")
	c.Flags().StringArrayVar(&said.Methods, "method", nil, "only this method, as in GET; may repeat")
	c.Flags().StringVar(&life, "expires", "90d", "how long it lasts, or never")
	return c
}

func apiKeysList(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list [ACCOUNT]", Short: "Lists the keys of an account, or all", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var of namedArguments
			if len(args) > 0 {
				of.Account = args[0]
			}
			return f.list(c, "key/list", of, listSink(f, c, "keys", apiKeyHeading, apiKeyView.row))
		},
	}
}

func apiKeyRotate(f *adminFlags) *cobra.Command {
	var grace string
	c := &cobra.Command{
		Use: "rotate ID", Short: "Gives a key another secret, and shows it once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := caddy.ParseDuration(grace)
			if err != nil || d < 0 {
				return usageError("--grace %q is no time: write 24h, 7d or 0s", grace)
			}
			return shownKeyBy(f, c, "key/rotate", rotateAPIKeyArguments{args[0], int64(d / time.Second)})
		},
	}
	c.Flags().StringVar(&grace, "grace", "24h", "for how long the old one stays good, at most 30d")
	return c
}

func apiKeyRevoke(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Ends a key at once, on all nodes", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var list apiKeyList
			if err := f.call(c, "key/revoke", apiKeyArguments{args[0]}, &list); err != nil {
				return err
			}
			return f.print(c, list, func(p *printer) {
				for _, k := range list.Keys {
					p.line("API key %q of %s is revoked", k.Name, k.Account)
				}
			})
		},
	}
}

// shownKeyBy makes a call that gives a new key.
func shownKeyBy(f *adminFlags, c *cobra.Command, call string, said any) error {
	var shown apiKeyShown
	if err := f.call(c, call, said, &shown); err != nil {
		return err
	}
	return f.print(c, shown, func(p *printer) {
		k := shown.Key
		p.line("API key %q of %s, ID %s, %s", k.Name, k.Account, k.ID, keyEnd(k))
		p.line("It may: %s", k.may())
		if !k.OldUntil.IsZero() {
			p.line("The one before is good until %s", when(k.OldUntil))
		}
		p.line("%s", shown.Secret)
		p.line("It is shown now and never again. No second factor protects it.")
	})
}

func keyEnd(k apiKeyView) string {
	if k.Expires.IsZero() {
		return "without an end"
	}
	return "until " + when(k.Expires)
}

// may is what the key says that it may, at most.
func (k apiKeyView) may() string {
	var parts []string
	for _, of := range []struct {
		words []string
		all   string
	}{{k.Methods, "all methods"}, {k.Hosts, "all hosts"}, {k.Paths, "all paths"}} {
		if len(of.words) == 0 {
			parts = append(parts, of.all)
			continue
		}
		parts = append(parts, strings.Join(of.words, " "))
	}
	return strings.Join(parts, ", ")
}

const apiKeyHeading = "ID,ACCOUNT,NAME,MAY,EXPIRES,LAST USED"

func (k apiKeyView) row() []string {
	used := when(k.LastUsed)
	if k.Unused {
		used = strings.TrimSpace(used + " (not for 90 days)")
	}
	end := when(k.Expires)
	if end == "" {
		end = "never"
	}
	return []string{k.ID, k.Account, k.Name, k.may(), end, used}
}
