package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func samlCommand() *cobra.Command {
	f := new(adminFlags)
	c := &cobra.Command{Use: "saml", Short: "Looks at identity providers (SAML)"}
	list, check := samlList(f), samlCheck(f)
	f.on(list)
	f.on(check)
	c.AddCommand(list, check, samlExplain())
	group(c)
	return c
}

func samlList(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Lists the identity providers", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var list providerList
			if err := f.call(c, "saml/list", noArguments{}, &list); err != nil {
				return err
			}
			return f.print(c, list, func(p *printer) {
				var rows [][]string
				for _, v := range list.Providers {
					days := ""
					if v.DaysLeft != nil {
						days = strconv.Itoa(*v.DaysLeft)
					}
					rows = append(rows, []string{v.Name, v.Title, v.EntityID, days, strings.Join(v.Domains, " ")})
				}
				p.table("NAME,TITLE,ENTITY ID,DAYS LEFT,DOMAINS", rows)
			})
		},
	}
}

// errSAMLProblem ends `saml check` when somebody could not sign in.
var errSAMLProblem = errors.New("people cannot sign in there, or not all of them: see PROBLEM above")

func samlCheck(f *adminFlags) *cobra.Command {
	return &cobra.Command{
		Use: "check NAME", Short: "Reads a provider's metadata at once and says what is known and what is wrong",
		Long: "Reads the provider's metadata at once, as Sallyport does from time to time, and says what is known of the\n" +
			"provider, what it has to know of us, which sign-ins failed, and what is wrong. The exit code is 1 when something\n" +
			"prevents sign-ins.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var v providerCheck
			if err := f.call(c, "saml/check", providerArguments{args[0]}, &v); err != nil {
				return err
			}
			if err := f.print(c, v, func(p *printer) { v.people(p) }); err != nil {
				return err
			}
			if len(v.Problems) > 0 {
				return errSAMLProblem
			}
			return nil
		},
	}
}

func (v providerCheck) people(p *printer) {
	for _, problem := range v.Problems {
		p.line("PROBLEM: %s", problem)
	}
	for _, remark := range v.Remarks {
		p.line("Remark: %s", remark)
	}
	if len(v.Problems)+len(v.Remarks) > 0 {
		p.line("")
	}
	p.table("PROVIDER,"+v.Name, v.providerRows())
	if v.IdP != nil {
		p.line("")
		printCertificates(p, "PROVIDER'S CERTIFICATE", v.IdP.Certificates, nil)
	}
	p.line("")
	p.table("TO THE PROVIDER,", [][]string{
		{"Entity ID", v.SP.EntityID},
		{"Consumer (ACS)", v.SP.Consumer},
		{"Logout (SLO)", v.SP.Logout},
		{"Metadata", v.SP.Metadata},
		{"Sign-in begins at", v.SP.SignIn},
	})
	p.line("")
	uses := append(keyUses("signs", len(v.SP.Signing)), keyUses("decrypts", len(v.SP.Decryption))...)
	printCertificates(p, "OUR KEY,USE", append(slices.Clone(v.SP.Signing), v.SP.Decryption...), uses)
	p.line("")
	v.ruleRows(p)
	p.line("")
	var rows [][]string
	for _, e := range v.Refusals {
		rows = append(rows, []string{when(e.Time), e.Event, e.Reason, e.Request})
	}
	p.table("LAST REFUSALS,EVENT,REASON,REFERENCE", rows)
}

func (v providerCheck) providerRows() [][]string {
	m := v.Metadata
	read := when(m.Good)
	switch {
	case m.Error != "" && m.Good.IsZero():
		read = "never"
	case m.Error == "":
		read += ", just now"
	}
	rows := [][]string{{"Title", v.Title}, {"Metadata", m.Location}, {"Read well", read}}
	if m.Error != "" {
		rows = append(rows, []string{"Now", m.Error})
	}
	if m.Ahead != nil {
		rows = append(rows, []string{"Its clock", fmt.Sprintf("%+d s", *m.Ahead)})
	}
	if v.IdP == nil {
		return rows
	}
	rows = append(rows, []string{"Entity ID", v.IdP.EntityID})
	rows = append(rows, places("Sign-in", v.IdP.SignIn)...)
	rows = append(rows, places("Logout", v.IdP.Logout)...)
	rows = append(rows, places("Logout answers", v.IdP.LogoutAnswers)...)
	until := "for ever"
	if !v.IdP.ValidUntil.IsZero() {
		until = "until " + when(v.IdP.ValidUntil)
	}
	signed := "not demanded; ours are signed"
	if v.IdP.WantsSigned {
		signed = "demanded; ours are signed"
	}
	return append(rows, []string{"Valid", until}, []string{"Signed requests", signed})
}

// places are a row for each binding.
func places(name string, by map[string]string) (rows [][]string) {
	for _, binding := range []string{"redirect", "post"} {
		if place, ok := by[binding]; ok {
			rows = append(rows, []string{name + ", " + binding, place})
		}
	}
	return rows
}

// keyUses say what n keys are for, of which the first one is used for what is
// new.
func keyUses(use string, n int) (uses []string) {
	for i := range n {
		if i > 0 && use == "signs" {
			use = "is published, signs later"
		}
		uses = append(uses, use)
	}
	return uses
}

// printCertificates prints them with what ours are for, nil for a provider's.
func printCertificates(p *printer, heading string, list []certificateView, uses []string) {
	var rows [][]string
	for i, c := range list {
		left := c.State
		if c.State == certificateGood {
			left = strconv.Itoa(c.DaysLeft)
		}
		row := []string{c.Subject, c.SHA256, when(c.NotAfter), left}
		if uses != nil {
			row = append([]string{strconv.FormatUint(uint64(c.Version), 10), uses[i]}, row[1:]...)
		}
		rows = append(rows, row)
	}
	p.table(heading+",SHA-256,ENDS,DAYS LEFT", rows)
}

func (v providerCheck) ruleRows(p *printer) {
	on := func(b bool) string {
		if b {
			return "on"
		}
		return "off"
	}
	logout := "both ways"
	if !v.SingleLogout {
		logout = "not possible: " + v.NoLogout
	}
	rows := [][]string{{"domains", strings.Join(v.Domains, " ")}}
	for _, name := range []string{"user", "email", "name", "groups"} {
		rows = append(rows, []string{"attributes." + name, v.Attributes[name]})
	}
	p.table("RULES,", append(rows,
		[]string{"require_context", strings.Join(v.RequireContext, " ")},
		[]string{"clock_skew", v.ClockSkew},
		[]string{"create_accounts", on(v.CreateAccounts)},
		[]string{"idp_initiated", on(v.IdPInitiated)},
		[]string{"single logout", logout},
	))
}
