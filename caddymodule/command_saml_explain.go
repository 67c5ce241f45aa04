package caddymodule

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

// explainFlags are those of `saml explain`.
type explainFlags struct {
	adminFlags
	provider, metadata, at, request string
}

func samlExplain() *cobra.Command {
	f := new(explainFlags)
	c := &cobra.Command{
		Use:   "explain FILE [--provider NAME] [--at TIME|issued] [--request ID] [--metadata FILE]",
		Short: "Says what is in a provider's response, and which check it fails and why",
		Long: "Reads a response from FILE, `-` for standard input: its XML, its base64, the form's body (SAMLResponse=…), a\n" +
			"HAR file or a cURL command, at most 1 MiB. It judges it by the configuration file, as the running Sallyport\n" +
			"would, speaks to none, and lets nobody in. The exit code is 1 when a check fails.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := f.explain(c, args[0], time.Now())
			if err != nil {
				return err
			}
			if err := f.print(c, v, func(p *printer) { v.people(p) }); err != nil {
				return err
			}
			if !v.OK {
				return errResponseFails
			}
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "the configuration file with the provider (default ./Caddyfile)")
	flags.StringVar(&f.keys, "keys", "", "the key ring's file, which decrypts (default what the configuration says)")
	flags.StringVar(&f.provider, "provider", "", "judge it as a response of this provider (default the one that issued it)")
	flags.StringVar(&f.metadata, "metadata", "", "a copy of the provider's metadata (default what the configuration names)")
	flags.StringVar(&f.at, "at", "", "judge it as of this `time`, such as 2026-05-01T08:00:00Z, or as of when it was issued with the word issued (default now)")
	flags.StringVar(&f.request, "request", "", "the ID of the request that was asked (default the one that it says it answers)")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

var errResponseFails = errors.New("the response would be refused: see FAILS above")

// responseView is what `saml explain` tells.
type responseView struct {
	Provider string    `json:"provider,omitempty"`
	At       time.Time `json:"at,omitzero"` // as of when it was judged
	// Response is what it says, none of it verified; null where it cannot be
	// read.
	Response *samlsp.Facts `json:"response"`
	Checks   []checkView   `json:"checks"`
	OK       bool          `json:"ok"`
	// OnlyTimes: nothing failed that would not be right as of its IssueInstant.
	OnlyTimes bool     `json:"only_times"`
	Notes     []string `json:"notes"`
}

// checkView is one check. Skipped: it could not be made, and counts for
// nothing.
type checkView struct {
	samlsp.Finding
	Skipped bool `json:"skipped,omitempty"`
}

// explain reads a response and judges it.
func (f *explainFlags) explain(c *cobra.Command, file string, now time.Time) (responseView, error) {
	v := responseView{Checks: []checkView{}, Notes: []string{}}
	response, err := f.response(c, file, &v)
	if err != nil || response == nil {
		return v, err
	}
	facts := response.Facts()
	at, err := f.time(facts, now)
	if err != nil {
		return v, err
	}
	config, err := f.samlConfig()
	if err != nil {
		return v, err
	}
	is, err := config.choose(c.Context(), facts, f.provider, f.metadata, at)
	if err != nil {
		return v, err
	}
	v.Provider, v.At, v.Notes = is.settings.Name, at.UTC(), append(v.Notes, is.notes...)
	p := samlsp.Provider{Name: is.settings.Name, SP: config.app.samlSP(is.settings), IdP: is.idp, Rules: is.settings.rules()}
	if p.Keys, err = config.readKeys(); err != nil && facts.Encrypted {
		v.note("The key ring cannot be read, so that an encrypted assertion cannot be opened: " + err.Error() +
			"; run this as the user that Sallyport runs as, or say --keys.")
	}
	v.judge(p, response, f.asked(facts, &v), at, now)
	if issued, ok := facts.Issued(); !v.OK && ok && f.at == "" {
		then := responseView{}
		then.judge(p, response, f.asked(facts, &then), issued, now)
		v.OnlyTimes = then.OK && v.timesFail()
	}
	if v.OnlyTimes {
		v.note("Only times fail: as of its IssueInstant all checks pass. `--at issued` judges it as of then.")
	}
	facts = response.Facts() // with what was decrypted
	v.Response = &facts
	v.note("Not checked here: RelayState, whether a fresh sign-in was asked for, whether it was used before, whether the browser that brings it " +
		"is the one that asked, and whose account it opens.")
	return v, nil
}

func (v *responseView) note(text string) { v.Notes = append(v.Notes, text) }

// response finds and reads the response. One that cannot be read is no error
// of the command's: v says what is wrong with it, and nil is returned.
func (f *explainFlags) response(c *cobra.Command, file string, v *responseView) (*samlsp.Response, error) {
	text, err := readFileOrStdin(c, file, maxAdminBody)
	if err != nil {
		return nil, err
	}
	if len(text) > maxAdminBody {
		return nil, usageError("%s is larger than 1 MiB: give the response alone", file)
	}
	field, several, err := samlField(text)
	if err != nil {
		return nil, usageError("%s: %w", file, err)
	}
	if several {
		v.note("There are several responses in it; this is the last one.")
	}
	response, refusal := samlsp.Read(field)
	if refusal != nil {
		v.Checks = append(v.Checks, checkView{Finding: samlsp.Finding{
			Check: "it is one response that can be read in one way only", Reason: refusal.Reason, Detail: refusal.Detail,
		}})
		return nil, nil
	}
	return response, nil
}

// time is as of when the response is judged.
func (f *explainFlags) time(facts samlsp.Facts, now time.Time) (time.Time, error) {
	switch f.at {
	case "":
		return now, nil
	case "issued":
		issued, ok := facts.Issued()
		if !ok {
			return issued, usageError("%w", errNoInstant)
		}
		return issued, nil
	}
	at, err := time.Parse(time.RFC3339, f.at)
	if err != nil {
		return at, usageError("--at %q: write `issued`, or a time such as 2026-05-01T08:00:00Z", f.at)
	}
	return at, nil
}

// asked is the request that the response has to answer, nil for none.
func (f *explainFlags) asked(facts samlsp.Facts, v *responseView) *samlsp.Asked {
	switch {
	case f.request != "":
		return &samlsp.Asked{ID: f.request}
	case facts.InResponseTo == "":
		return nil
	}
	v.note("Whether its InResponseTo names a request of ours was not checked: the running Sallyport knows. --request ID says which it was.")
	return &samlsp.Asked{ID: facts.InResponseTo}
}

// samePresent is how far from now a time may be for crewjam/saml to judge as of
// it: it knows no time but the present.
const samePresent = 30 * time.Second

// judge makes every check as of a time. What crewjam/saml refuses counts for
// nothing when that is another time than now.
func (v *responseView) judge(p samlsp.Provider, r *samlsp.Response, asked *samlsp.Asked, at, now time.Time) {
	v.OK = true
	other := at.Sub(now).Abs() > samePresent
	for _, finding := range p.Explain(r, asked, at) {
		c := checkView{Finding: finding, Skipped: other && finding.Reason == samlsp.Library}
		v.Checks = append(v.Checks, c)
		v.OK = v.OK && (c.OK || c.Skipped)
	}
}

// timeReasons are those that another time may take away. crewjam/saml's own
// check of times is among the last.
var timeReasons = []samlsp.Reason{
	samlsp.Expired, samlsp.NotYetValid, samlsp.IssuedInFuture, samlsp.BadTime, samlsp.SessionOver, samlsp.NoCertificate,
}

// timesFail reports whether what failed are times, and what follows from them.
func (v *responseView) timesFail() bool {
	times := false
	for _, c := range v.Checks {
		switch {
		case c.OK || c.Skipped:
		case slices.Contains(timeReasons, c.Reason):
			times = true
		case c.Reason == samlsp.Library:
			times = times || strings.Contains(c.Detail, "expired")
		default:
			return false
		}
	}
	return times
}
