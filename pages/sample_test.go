package pages

import "testing"

// sample is what people, operators and browsers put into pages.
type sample struct {
	account, other, label string
	app, host, org, entry string
	number, ending        string
	browser, network      string
	token                 string
	portal                string // where a page on an app's host has its style from
}

// lifelike is how pages look in use.
var lifelike = sample{
	account: "ann.lee@example.com", other: "b.featherstone@partner.example", label: "Ann's work phone",
	app: "Wiki", host: "wiki.example.com", org: "Example Corp", entry: "Example portal:ann.lee@example.com",
	number: "+44 7700 900 982", ending: "82",
	browser: "Firefox on Linux", network: "192.0.2.7",
	token: "8f3a2c91", portal: "https://login.example.com",
}

// alike puts the same text everywhere, so that a test can put a hostile one
// there.
func alike(text string) sample {
	return sample{
		account: text, other: text, label: text, app: text, host: text, org: text, entry: text,
		number: text, ending: text, browser: text, network: text, token: text,
		portal: "https://login.example.com",
	}
}

// each runs f on every page as it is and with each of its problems, alone and
// all together.
func each(t *testing.T, w sample, f func(t *testing.T, s *Set, view View, page string)) {
	t.Helper()
	s := newSet(t)
	run := func(name string, view View) {
		body, err := s.render(view)
		t.Run(name, func(t *testing.T) {
			if err != nil {
				t.Fatal(err)
			}
			f(t, s, view, string(body))
		})
	}
	for _, x := range fixtures(w) {
		run(x.name, x.view)
		if x.with == nil {
			continue
		}
		for _, p := range x.problems {
			run(x.name+"/"+p.Key, x.with(p))
		}
		run(x.name+"/all", x.with(x.problems...))
	}
}
