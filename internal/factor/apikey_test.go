package factor_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

func TestAPIKeyReadsAsItWasMade(t *testing.T) {
	t.Parallel()
	id := factor.NewAPIKeyID()
	made := factor.NewAPIKey(id)
	read, err := factor.ParseAPIKey(made.Text().Reveal())
	if err != nil || read.ID() != id || read.Digest() != made.Digest() {
		t.Fatalf("%v %q", err, read.ID())
	}
	if text := made.Text().Reveal(); len(text) != factor.APIKeyRunes || !strings.HasPrefix(text, "sp_"+id) {
		t.Errorf("%d characters", len(text))
	}
	again := factor.NewAPIKey(id)
	if again.Digest() == made.Digest() {
		t.Error("two keys have one secret")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if strings.Contains(fmt.Sprintf(verb, made), made.Text().Reveal()[20:]) {
			t.Errorf("%s prints it", verb)
		}
	}
}

// TestEverySlipInAnAPIKeyIsFound: the checksum is looked at before any store.
func TestEverySlipInAnAPIKeyIsFound(t *testing.T) {
	t.Parallel()
	text := factor.NewAPIKey(factor.NewAPIKeyID()).Text().Reveal()
	for i := range text {
		for _, c := range "a7z_A1 \x00" {
			if other := text[:i] + string(c) + text[i+1:]; other != text {
				if _, err := factor.ParseAPIKey(other); err == nil {
					t.Errorf("%q at %d is taken", c, i)
				}
			}
		}
		if i > 0 && text[i] != text[i-1] {
			if _, err := factor.ParseAPIKey(text[:i-1] + text[i:i+1] + text[i-1:i] + text[i+1:]); err == nil {
				t.Errorf("two characters that changed places at %d are taken", i)
			}
		}
	}
	for _, other := range []string{"", "sp_", text[:57], text + "a", " " + text, text + "\n", strings.ToUpper(text), "sp_" + text, text[3:]} {
		if _, err := factor.ParseAPIKey(other); err == nil {
			t.Errorf("%q is taken", other)
		}
	}
	if _, err := factor.ParseAPIKey(text); err != nil {
		t.Error(err)
	}
}

func TestAPIKeyIsFoundInAnyText(t *testing.T) {
	t.Parallel()
	text := factor.NewAPIKey(factor.NewAPIKeyID()).Text().Reveal()
	for _, holds := range []string{text, "x" + text + "x", "sp_sp_" + text, `"` + text + `"`, "sp_" + text} {
		if !factor.HoldsAPIKey(holds) {
			t.Errorf("not found in %q", holds)
		}
	}
	for _, not := range []string{"", "sp_", text[:57], text[1:], "sp_sp_sp_", strings.ToUpper(text)} {
		if factor.HoldsAPIKey(not) {
			t.Errorf("found in %q", not)
		}
	}
}

func TestAPIKeyHashNeedsItsPepper(t *testing.T) {
	t.Parallel()
	digest := factor.NewAPIKey(factor.NewAPIKeyID()).Digest()
	one, err := factor.HashAPIKey(digest, secret.NewBytes([]byte("one")))
	if err != nil {
		t.Fatal(err)
	}
	two, _ := factor.HashAPIKey(digest, secret.NewBytes([]byte("two")))
	if one == two || one == digest {
		t.Error("the pepper is not in it")
	}
	if _, err := factor.HashAPIKey(digest, secret.Bytes{}); err == nil {
		t.Error("hashed without a pepper")
	}
}
