package assertion_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/keyring"
)

// What an app needs of each key, by RFC 7517 and RFC 7518 section 6.2.1, and
// nothing else: above all not `d`, the private half.
func TestKeySetHasPublicHalvesOnly(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, newRing(t))
	text, tag := keys.Set()
	var set map[string][]map[string]string
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	if len(set) != 1 || len(set["keys"]) != 1 {
		t.Fatalf("%s", text)
	}
	k := set["keys"][0]
	if len(k["x"]) != 43 || len(k["y"]) != 43 || k["kid"] == "" {
		t.Errorf("%v", k)
	}
	want := map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": k["kid"], "x": k["x"], "y": k["y"]}
	if diff := cmp.Diff(want, k); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if len(tag) != 24 || tag[0] != '"' || tag[23] != '"' {
		t.Errorf("entity tag %s", tag)
	}
	if _, other := keysOf(t, newRing(t)).Set(); other == tag {
		t.Error("another set has the same entity tag")
	}
}

// A key is published before it signs, and what it signed is good until it is
// retired.
func TestKeyIsPublishedFromItsAdditionToItsRetirement(t *testing.T) {
	t.Parallel()
	first := newRing(t)
	added, version, err := first.Add(keyring.Assertion, noon)
	if err != nil {
		t.Fatal(err)
	}
	promoted, err := added.Promote(keyring.Assertion, version)
	if err != nil {
		t.Fatal(err)
	}
	retired, err := promoted.Retire(keyring.Assertion, 1)
	if err != nil {
		t.Fatal(err)
	}
	one, two := first.Fingerprint()+".1", first.Fingerprint()+".2"
	for name, c := range map[string]struct {
		ring      *keyring.Ring
		signs     string
		published []string
	}{
		"first":    {first, one, []string{one}},
		"added":    {added, one, []string{one, two}},
		"promoted": {promoted, two, []string{two, one}},
		"retired":  {retired, two, []string{two}},
	} {
		keys := keysOf(t, c.ring)
		header, _ := open(t, keys, sign(t, keys, alice(), noon))
		if header["kid"] != c.signs {
			t.Errorf("%s: %v signs", name, header["kid"])
		}
		text, _ := keys.Set()
		var set struct{ Keys []struct{ Kid string } }
		if err := json.Unmarshal(text, &set); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, k := range set.Keys {
			ids = append(ids, k.Kid)
		}
		if diff := cmp.Diff(c.published, ids); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	open(t, keysOf(t, promoted), sign(t, keysOf(t, first), alice(), noon))
}

func TestWithoutKeysNothingIsSigned(t *testing.T) {
	t.Parallel()
	if keys, err := assertion.NewKeys[keyring.AssertionKey](nil); err == nil || keys != nil {
		t.Errorf("%v, %v", keys, err)
	}
}
