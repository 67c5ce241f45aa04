package caddymodule

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func explainCommand() *cobra.Command {
	f := new(adminFlags)
	var said explainArguments
	var headers []string
	c := &cobra.Command{
		Use:   "explain --host HOST --path PATH [--account NAME]",
		Short: "Tells what would become of a request, and why",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if said.Host == "" || said.Path == "" {
				return usageError("say --host and --path")
			}
			said.Header = http.Header{}
			for _, h := range headers {
				name, value, ok := strings.Cut(h, ":")
				if !ok || strings.TrimSpace(name) == "" {
					return usageError("%q is not a header; write it as 'Name: value'", h)
				}
				said.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
			}
			var x explanation
			if err := f.call(c, "explain", said, &x); err != nil {
				return err
			}
			return f.print(c, x, x.print)
		},
	}
	f.on(c)
	c.Flags().StringVar(&said.Host, "host", "", "the host, with its port where it has one")
	c.Flags().StringVar(&said.Path, "path", "", "path and query, as clients send them")
	c.Flags().StringVar(&said.Account, "account", "", "the name or e-mail address of who asks; left out it is nobody")
	c.Flags().StringVar(&said.Method, "method", http.MethodGet, "the method")
	c.Flags().StringArrayVar(&headers, "header", nil, "a header of the request, as 'Name: value'; may repeat")
	c.Flags().StringVar(&said.Address, "client", "", "the address that it comes from; left out it is this machine's")
	c.Flags().StringVar(&said.Provider, "provider", "", "the identity provider where they are signed in; left out it is where they have to")
	return c
}

// print is the explanation for people.
func (x explanation) print(p *printer) {
	site := x.Site
	if x.Where != "" {
		site += " (" + x.Where + ")"
	}
	rows := [][2]string{{"Site", site}, {"Request", x.Method + " " + x.Path}}
	if x.ReportOnly {
		rows = append(rows, [2]string{"Danger", "report_only is on: the app gets everything, whatever stands below"})
	}
	if x.Ambiguous {
		rows = append(rows, [2]string{"Path", "means one thing to one program and another to the next: all of these have to be satisfied"})
	}
	for _, a := range x.Asked {
		by := "the site's own options"
		if a.Rule > 0 {
			by = "rule " + strconv.Itoa(a.Rule)
			if a.Where != "" {
				by += " (" + a.Where + ")"
			}
		}
		rows = append(rows, [2]string{"Decided by", by + ": " + strings.Join(a.Options, "; ")})
	}
	if x.Account != "" {
		who := x.Account
		if len(x.Groups) > 0 {
			who += ", of " + strings.Join(x.Groups, ", ")
		}
		rows = append(rows, [2]string{"Account", who})
	}
	verdict := x.Verdict
	if x.Why != "" {
		verdict += ": " + x.Why
	}
	rows = append(rows, [2]string{"Verdict", verdict})
	for _, s := range x.SignIn {
		rows = append(rows, [2]string{"Sign-in", s})
	}
	for _, h := range x.Headers {
		rows = append(rows, [2]string{"Header", h.Name + ": " + h.Value})
	}
	for _, r := range rows {
		p.line("%-11s %s", r[0], r[1])
	}
}
