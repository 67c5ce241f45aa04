package caddymodule

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func accountList(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Lists all accounts", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var list accountListView
			if err := f.call(c, "account/list", noArguments{}, &list); err != nil {
				return err
			}
			return f.print(c, list, func(p *printer) {
				var rows [][]string
				for _, a := range list.Accounts {
					rows = append(rows, []string{
						a.Name, a.Email, a.DisplayName, strings.Join(a.Groups, " "), a.state(), when(a.LastSignIn),
					})
				}
				p.table("NAME,EMAIL,DISPLAY NAME,GROUPS,STATE,LAST SIGN-IN", rows)
			})
		},
	}
}

// state says in a word whether somebody can sign in.
func (a accountView) state() string {
	switch {
	case a.Disabled:
		return "disabled"
	case a.Provider != "":
		return "at " + a.Provider
	case !a.HasPassword:
		return "no password"
	}
	return "ok"
}

func accountShow(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Shows an account with its second factors and sessions", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var a accountDetail
			if err := f.call(c, "account/show", namedArguments{args[0]}, &a); err != nil {
				return err
			}
			return f.print(c, a, func(p *printer) { a.people(p) })
		},
	}
}

func (a accountDetail) people(p *printer) {
	p.table("NAME,"+a.Name, [][]string{
		{"ID", a.ID},
		{"EMAIL", a.Email},
		{"DISPLAY NAME", a.DisplayName},
		{"GROUPS", strings.Join(a.Groups, " ")},
		{"STATE", a.state()},
		{"CREATED", when(a.Created)},
		{"LAST SIGN-IN", when(a.LastSignIn)},
	})
	var rows [][]string
	for _, f := range a.Factors {
		left, locked := "", ""
		if f.Left != nil {
			left = strconv.Itoa(*f.Left)
		}
		if f.Locked {
			locked = "locked"
		}
		rows = append(rows, []string{f.Kind, f.Label, when(f.Created), when(f.LastUsed), left, locked})
	}
	p.line("")
	p.table("SECOND FACTOR,LABEL,SINCE,LAST USED,CODES LEFT,STATE", rows)
	p.line("")
	printSessions(p, a.Sessions)
}

func printSessions(p *printer, sessions []sessionView) {
	var rows [][]string
	for _, s := range sessions {
		rows = append(rows, []string{
			s.ID, s.Account, when(s.Created), when(s.LastUsed), s.Network, s.Browser, strings.Join(s.Hosts, " "),
		})
	}
	p.table("SESSION,ACCOUNT,SINCE,LAST USED,NETWORK,BROWSER,HOSTS", rows)
}
