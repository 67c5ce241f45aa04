package assertion_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/keyring"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 700_000_000, time.UTC)

// alice is an identity with every field.
func alice() assertion.Identity {
	return assertion.Identity{
		Issuer: "https://login.example.com", Audience: "app.example.com:8443", Subject: "abcdefghijklmnopqrstuvwxyz",
		Username: "alice", Name: "Alice Ängström", Email: "alice@example.com", Groups: []string{"staff", "ops"},
		AMR: []string{"pwd", "otp", "mfa"}, AuthTime: noon.Add(-time.Minute), Ends: noon.Add(time.Hour),
	}
}

func newRing(t testing.TB) *keyring.Ring {
	t.Helper()
	ring, err := keyring.New(noon)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func keysOf(t testing.TB, ring *keyring.Ring) *assertion.Keys {
	t.Helper()
	keys, err := assertion.NewKeys(ring.AssertionKeys())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func sign(t testing.TB, keys *assertion.Keys, of assertion.Identity, now time.Time) string {
	t.Helper()
	text, _, err := keys.Sign(of, now)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// open checks a token as an app would, by the published set, and gives its
// header and payload.
func open(t testing.TB, keys *assertion.Keys, text string) (header, payload map[string]any) {
	t.Helper()
	published, _ := keys.Set()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(published, &set); err != nil {
		t.Fatal(err)
	}
	token, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	known := set.Key(token.Signatures[0].Header.KeyID)
	if len(known) != 1 {
		t.Fatalf("%d keys are called %q", len(known), token.Signatures[0].Header.KeyID)
	}
	content, err := token.Verify(known[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &payload); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	return header, payload
}

func TestTokenSaysExactlyThis(t *testing.T) {
	t.Parallel()
	ring := newRing(t)
	keys := keysOf(t, ring)
	bare := assertion.Identity{Issuer: "i", Audience: "a", Subject: "s", Username: "u"}
	endsSoon := alice()
	endsSoon.Ends = noon.Add(90*time.Second + 999*time.Millisecond)
	at := float64(noon.Unix())
	full := func(exp float64) map[string]any {
		return map[string]any{
			"iss": "https://login.example.com", "aud": "app.example.com:8443", "sub": "abcdefghijklmnopqrstuvwxyz",
			"iat": at, "exp": exp, "auth_time": at - 60, "amr": []any{"pwd", "otp", "mfa"},
			"preferred_username": "alice", "name": "Alice Ängström", "email": "alice@example.com", "groups": []any{"staff", "ops"},
		}
	}
	for name, c := range map[string]struct {
		of   assertion.Identity
		want map[string]any
	}{
		"everything":                    {alice(), full(at + 300)},
		"never longer than the session": {endsSoon, full(at + 91)},
		"no more than there is to be said": {bare, map[string]any{
			"iss": "i", "aud": "a", "sub": "s", "iat": at, "exp": at + 300, "amr": []any{}, "preferred_username": "u", "groups": []any{},
		}},
	} {
		header, payload := open(t, keys, sign(t, keys, c.of, noon))
		if diff := cmp.Diff(map[string]any{"alg": "ES256", "typ": "JWT", "kid": ring.Fingerprint() + ".1"}, header); diff != "" {
			t.Errorf("%s: header: -want +got\n%s", name, diff)
		}
		if id, _ := payload["jti"].(string); len(id) != 22 {
			t.Errorf("%s: jti %q has not 128 random bits", name, id)
		}
		_, again := open(t, keys, sign(t, keys, c.of, noon))
		if again["jti"] == payload["jti"] {
			t.Errorf("%s: two tokens have the same jti", name)
		}
		delete(payload, "jti")
		if diff := cmp.Diff(c.want, payload); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// A group's name is one by SPEC A4, or an app that splits at commas would see
// others. Some of the groups are never passed for all.
func TestGroupsAreAllOrNone(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, newRing(t))
	many := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("group-%07d", i)) // 16 bytes with quotes and comma
		}
		return all
	}
	const fit = 316 // besides the rest of alice
	for name, c := range map[string]struct {
		groups []string
		want   any
	}{
		"a comma, an umlaut, a space, none": {[]string{"staff,admin", "ä", "a b", "", "ops"}, []any{"ops"}},
		"doubled":                           {[]string{"a", "b", "a"}, []any{"a", "b"}},
		"no proper one":                     {[]string{","}, []any{}},
		"as many as fit":                    {many(fit), fit},
		"one more":                          {many(fit + 1), nil},
		"500":                               {many(500), nil},
		"improper and repeated ones do not count": {append(many(fit), append(many(fit), strings.Repeat("x", 65))...), fit},
	} {
		of := alice()
		of.Groups = c.groups
		_, payload := open(t, keys, sign(t, keys, of, noon))
		got, there := payload["groups"]
		if list, ok := got.([]any); ok && len(list) > 10 {
			got = len(list)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || there != (c.want != nil) {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if omitted, said := payload["groups_omitted"]; said != (c.want == nil) || said && omitted != true {
			t.Errorf("%s: groups_omitted: %v", name, omitted)
		}
	}
}

// Whatever the fields hold, a header line has the 8 KiB that servers take.
func TestTokenFitsAHeaderLine(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, newRing(t))
	of := alice()
	of.Issuer, of.Audience = "https://"+strings.Repeat("a", 253)+":65535", strings.Repeat("a", 253)+":65535"
	of.Username, of.Name, of.Email = strings.Repeat("u", 128), strings.Repeat("<", 128), strings.Repeat("&", 254)
	longest, omitted := 0, false
	for n := 0; !omitted; n++ {
		of.Groups = append(of.Groups, fmt.Sprint("g", n))
		if n%20 > 0 {
			continue
		}
		text := sign(t, keys, of, noon)
		longest = max(longest, len(assertion.Header)+len(": \r\n")+len(text))
		_, payload := open(t, keys, text)
		omitted = payload["groups_omitted"] == true
	}
	if longest > 8<<10 || longest < 7<<10 {
		t.Errorf("%d bytes", longest)
	}
}
