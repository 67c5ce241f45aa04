package access

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOptionsReadAsInACaddyfile(t *testing.T) {
	t.Parallel()
	full := Options{
		Require: pwd, Provider: "partner", Allow: []Term{{Group, "ops"}, {Account, "bob"}, {Group, "staff"}}, Deny: []Term{{EmailDomain, "x.example"}},
		Networks: [][]netip.Prefix{ranges("192.0.2.0/24", "2001:db8::/32"), ranges("10.0.0.0/8")}, Reauthenticate: 15 * time.Minute, APIKeys: true,
	}
	want := []string{
		"require password", "provider partner", "allow account bob", "allow group ops staff", "deny email_domain x.example",
		"network 192.0.2.0/24 2001:db8::/32", "network 10.0.0.0/8", "reauthenticate 15m", "api_keys",
	}
	if diff := cmp.Diff(want, full.Lines()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"require second_factor"}, Options{}.Lines()); diff != "" {
		t.Error(diff)
	}
	for d, want := range map[time.Duration]string{time.Hour: "1h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s", 12 * time.Hour: "12h", 10 * time.Minute: "10m", time.Hour + time.Second: "1h0m1s"} {
		if got := Short(d); got != want {
			t.Errorf("%v is %s", d, got)
		}
	}
}

// Where Decide denies there is a reason, and nowhere else.
func TestEveryDenialHasItsReason(t *testing.T) {
	t.Parallel()
	office := [][]netip.Prefix{ranges("192.0.2.0/24")}
	for _, o := range []Options{
		{},
		{Allow: []Term{{Group, "ops"}}},
		{Deny: []Term{{Account, "ann"}}},
		{Deny: []Term{{EmailDomain, "x.example"}}},
		{Networks: office},
		{Networks: office, Deny: []Term{{Group, "ops"}}},
		{Allow: []Term{{Account, "ann"}}, Deny: []Term{{Group, "guests"}}},
	} {
		for _, p := range []Person{{Name: "ann"}, {Name: "bob", Groups: []string{"ops"}, Email: "bob@x.example"}, {Name: "eve", Email: "e@x@y", Groups: []string{"guests"}}} {
			for _, from := range []string{"192.0.2.1", "203.0.113.1"} {
				v := Visitor{Person: p, Level: second, Client: netip.MustParseAddr(from)}
				if denied := o.Decide(v).Denied != NotDenied; denied != (o.WhyDenied(v) != "") {
					t.Errorf("%v, %+v from %s: denied %t because %q", o.Lines(), p, from, denied, o.WhyDenied(v))
				}
			}
		}
	}
}
