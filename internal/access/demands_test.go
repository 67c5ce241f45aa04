package access

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

func ranges(cidr ...string) (out []netip.Prefix) {
	for _, s := range cidr {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestOnlyAddressesOfEveryListPass(t *testing.T) {
	t.Parallel()
	office := Options{Networks: [][]netip.Prefix{ranges("192.0.2.0/24", "2001:db8::/32")}}
	floor := Merge(office, Options{Networks: [][]netip.Prefix{ranges("192.0.2.128/25")}})
	for name, c := range map[string]struct {
		options Options
		client  string
		want    bool
	}{
		"nothing said":               {Options{}, "203.0.113.1", true},
		"nothing said, not known":    {Options{}, "", true},
		"inside":                     {office, "192.0.2.1", true},
		"inside, IPv6":               {office, "2001:db8:1::1", true},
		"IPv4 in IPv6's clothes":     {office, "::ffff:192.0.2.1", true},
		"with a zone":                {office, "2001:db8::1%eth0", true},
		"outside":                    {office, "192.0.3.1", false},
		"outside, IPv6":              {office, "2001:db9::1", false},
		"outside, in IPv6's clothes": {office, "::ffff:192.0.3.1", false},
		"not known":                  {office, "", false},
		"both lists":                 {floor, "192.0.2.200", true},
		"the site's alone":           {floor, "192.0.2.1", false},
		"the rule's has no IPv6":     {floor, "2001:db8::1", false},
	} {
		var client netip.Addr
		if c.client != "" {
			client = netip.MustParseAddr(c.client)
		}
		want := Decision{Allowed: true}
		if !c.want {
			want = Decision{Denied: DeniedNetwork}
		}
		if got := c.options.Decide(Visitor{Level: second, Client: client}); got != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if len(office.Networks) != 1 {
		t.Error("the site's own networks changed")
	}
}

// Who is outside is told so before anything that they could do about it.
func TestTheNetworkIsToldFirst(t *testing.T) {
	t.Parallel()
	o := Options{Networks: [][]netip.Prefix{ranges("192.0.2.0/24")}, Provider: "partner", Deny: []Term{{Account, "alice"}}}
	v := Visitor{Person: Person{Name: "alice"}}
	if got := o.Decide(v); got.Denied != DeniedNetwork {
		t.Errorf("from elsewhere: %+v", got)
	}
	v.Client = netip.MustParseAddr("192.0.2.1")
	if got := o.Decide(v); got.Denied != DeniedPerson {
		t.Errorf("from inside: %+v", got)
	}
}

func TestFactorsAreToBeProvedLately(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	site := Options{Reauthenticate: 15 * time.Minute}
	alone := Options{Reauthenticate: 15 * time.Minute, Require: pwd}
	for name, c := range map[string]struct {
		options          Options
		level            session.Level
		password, factor time.Time
		want             Decision
	}{
		"both lately":               {site, second, ago(time.Minute), ago(time.Minute), Decision{Allowed: true}},
		"at the very limit":         {site, second, ago(15 * time.Minute), ago(15 * time.Minute), Decision{Allowed: true}},
		"a moment later":            {site, second, ago(15*time.Minute + 1), ago(time.Minute), Decision{NeedFresh: 15 * time.Minute}},
		"the factor long ago":       {site, second, ago(time.Minute), ago(16 * time.Minute), Decision{NeedFresh: 15 * time.Minute}},
		"the factor never":          {site, second, ago(time.Minute), time.Time{}, Decision{NeedFresh: 15 * time.Minute}},
		"nothing ever":              {site, second, time.Time{}, time.Time{}, Decision{NeedFresh: 15 * time.Minute}},
		"a node's clock is ahead":   {site, second, now.Add(time.Second), now.Add(time.Second), Decision{Allowed: true}},
		"the level before":          {site, pwd, ago(time.Hour), time.Time{}, Decision{NeedLevel: second}},
		"password alone":            {alone, pwd, ago(time.Minute), time.Time{}, Decision{Allowed: true}},
		"password alone, both had":  {alone, second, ago(time.Minute), ago(time.Hour), Decision{Allowed: true}},
		"password alone, long ago":  {alone, second, ago(time.Hour), ago(time.Minute), Decision{NeedFresh: 15 * time.Minute}},
		"a rule that asks for less": {Merge(site, Options{Reauthenticate: time.Hour}), second, ago(30 * time.Minute), ago(30 * time.Minute), Decision{Allowed: true}},
		"a rule that asks for more": {Merge(site, Options{Reauthenticate: time.Minute}), second, ago(5 * time.Minute), ago(5 * time.Minute), Decision{NeedFresh: time.Minute}},
		"a rule that says nothing":  {Merge(site, Options{Require: pwd}), pwd, ago(time.Hour), time.Time{}, Decision{NeedFresh: 15 * time.Minute}},
	} {
		v := Visitor{Level: c.level, PasswordAt: c.password, FactorAt: c.factor, Now: now}
		if got := c.options.Decide(v); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestOfSeveralOptionsTheStrictestIsTold(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	minute, hour := Options{Reauthenticate: time.Minute, Require: pwd}, Options{Reauthenticate: time.Hour, Require: pwd}
	office := Options{Networks: [][]netip.Prefix{ranges("192.0.2.0/24")}}
	v := Visitor{Level: pwd, Now: now}
	for name, c := range map[string]struct {
		all  []Options
		want Decision
	}{
		"the shorter time, first":  {[]Options{minute, hour}, Decision{NeedFresh: time.Minute}},
		"the shorter time, second": {[]Options{hour, minute}, Decision{NeedFresh: time.Minute}},
		"a level before a time":    {[]Options{minute, {}}, Decision{NeedLevel: second}},
		"a level after a time":     {[]Options{{}, minute}, Decision{NeedLevel: second}},
		"a provider before both":   {[]Options{minute, {}, {Provider: "a"}}, Decision{NeedProvider: "a"}},
		"the network before all":   {[]Options{minute, {Provider: "a"}, office}, Decision{Denied: DeniedNetwork}},
	} {
		if got := DecideAll(c.all, v); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
