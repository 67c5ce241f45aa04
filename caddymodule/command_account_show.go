package caddymodule

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func accountList(f *adminFlags) *cobra.Command {
	var said listArguments
	c := &cobra.Command{
		Use: "list [--phone NUMBER]", Short: "Lists all accounts, or those with a telephone number", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("phone") && said.Phone == "" {
				return usageError("--phone needs a number")
			}
			return f.list(c, "account/list", said, listSink(f, c, "accounts", accountHeading, accountView.row))
		},
	}
	c.Flags().StringVar(&said.Phone, "phone", "", "only accounts that get codes at this number, with its country: \"+44 7700 900982\"")
	return c
}

const accountHeading = "NAME,EMAIL,DISPLAY NAME,GROUPS,PROVIDER,STATE,LAST SIGN-IN"

// row is the account under accountHeading.
func (a accountView) row() []string {
	return []string{a.Name, a.Email, a.DisplayName, strings.Join(a.Groups, " "), a.SignsInAt, a.state(), when(a.LastSignIn)}
}

// state says in a word whether somebody can sign in.
func (a accountView) state() string {
	switch {
	case a.Disabled:
		return "disabled"
	case !a.Locked.IsZero():
		return "locked by its owner"
	case a.SignsInAt != "":
		return "at " + a.SignsInAt
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
		{"PROVIDER", a.provider()},
		{"STATE", a.state()},
		{"CREATED", when(a.Created)},
		{"LAST SIGN-IN", when(a.LastSignIn)},
	})
	if len(a.Identities) > 0 {
		var rows [][]string
		for _, id := range a.Identities {
			rows = append(rows, []string{id.NameID, id.Entity})
		}
		p.line("")
		p.table("IDENTITY (NAMEID),AT", rows)
	}
	var rows [][]string
	for _, f := range a.Factors {
		left, locked := "", ""
		if f.Left != nil {
			left = strconv.Itoa(*f.Left)
		}
		if f.Locked {
			locked = "locked"
		}
		rows = append(rows, []string{f.kind(), f.label(), when(f.Created), when(f.LastUsed), left, locked})
	}
	p.line("")
	p.table("SECOND FACTOR,LABEL,SINCE,LAST USED,CODES LEFT,STATE", rows)
	p.line("")
	printSessions(p, a.Sessions)
}

// provider says where the person signs in, and by what.
func (a accountDetail) provider() string {
	switch {
	case a.SignsInAt == "" && a.Provider != "":
		return a.Provider + ", but it is in break_glass and signs in here"
	case a.SignsInAt != "" && a.Provider == "":
		return a.SignsInAt + ", by the domain of its address"
	}
	return a.SignsInAt
}

// kind says in words what a second factor is, of a number no more than pages
// show.
func (f factorView) kind() string {
	if f.Ending != "" {
		return f.Kind + " ending in " + f.Ending
	}
	return f.Kind
}

func (f factorView) label() string {
	if f.CallOnly {
		return "calls only"
	}
	return f.Label
}

func printSessions(p *printer, sessions []sessionView) {
	var rows [][]string
	for _, s := range sessions {
		rows = append(rows, s.row())
	}
	p.table(sessionHeading, rows)
}

const sessionHeading = "SESSION,ACCOUNT,SINCE,LAST USED,PROVIDER,NETWORK,BROWSER,HOSTS"

// row is the session under sessionHeading.
func (s sessionView) row() []string {
	return []string{s.ID, s.Account, when(s.Created), when(s.LastUsed), s.Provider, s.Network, s.Browser, strings.Join(s.Hosts, " ")}
}
