package account_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// TestOneIdentifierHasOneSpelling: CVE-2026-47203, T32.
func TestOneIdentifierHasOneSpelling(t *testing.T) {
	t.Parallel()
	for want, spellings := range map[string][]string{
		"john":             {"john", "John", "JOHN", " john\t\n", "ｊｏｈｎ", "\u00a0john\u3000"},
		"john@example.com": {"John@EXAMPLE.com", "john＠example.com"},
		"josé":             {"jose\u0301", "JOSÉ", "JOSE\u0301"},
		"strasse":          {"straße", "STRASSE"},
		"ᏣᎳᎩ":              {"ᏣᎳᎩ", "ꮳꮃꭹ"}, // package cases swaps Cherokee's cases
	} {
		for _, s := range spellings {
			if got := account.NormaliseIdentifier(s); got != want {
				t.Errorf("%q became %q, want %q", s, got, want)
			}
		}
	}
	for _, other := range []string{"jоhn", "john+tag", "john.", "joh n"} { // a homoglyph, another address
		if account.NormaliseIdentifier(other) == "john" {
			t.Errorf("%q is taken for john", other)
		}
	}
}

func TestNormalisingTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	for r := rune(0); r < 0x20000; r++ {
		if r >= 0xD800 && r < 0xE000 {
			continue
		}
		once := account.NormaliseIdentifier("a" + string(r) + "B")
		if twice := account.NormaliseIdentifier(once); twice != once {
			t.Errorf("%U: %q, then %q", r, once, twice)
		}
	}
}

func TestNamesAreWhatHeadersCanCarry(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "ann.lee_2@example+x-y", strings.Repeat("n", 128)} {
		if err := account.CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "Ann", "a b", "a\n", "a\x00", "é", "a,b", "a:b", "a/b", "a%b", "а", strings.Repeat("n", 129)} {
		if account.CheckName(bad) == nil {
			t.Errorf("%q is allowed", bad)
		}
	}
}

// TestAddressIsOnePlainAddress: V16, CVE-2026-40574.
func TestAddressIsOnePlainAddress(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a@b.c", "ann+tag@mail.example.com", "o'neil@example.com", "jörg@bücher.example"} {
		if err := account.CheckEmail(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a", "@", "a@", "@b.c", "a@b", "evil@x.com@company.com", "a@b.c.", "a@.b.c", "a@b..c", "a@b.c@", `"a b"@c.d`, "a@[127.0.0.1]",
		"a@b.c,d@e.f", "a@b.c;d@e.f", "<a@b.c>", "Ann <a@b.c>", "a(x)@b.c", "a@b.c\r\nBcc: d@e.f", "a\x00@b.c", "a b@c.d", "a@b.c ", `a\@b.c`,
		"ann\u200b@b.c", "ann\u202e@b.c", "ann\u0085@b.c", "ann\u3164@b.c", "ann\ufe0f@b.c", "ann@b\u2028.c", "ann@b\u3002c.d", "ann\xff@b.c",
		strings.Repeat("a", 251) + "@b.c",
	} {
		if account.CheckEmail(bad) == nil {
			t.Errorf("%q is allowed", bad)
		}
		if account.EmailDomain(bad) != "" {
			t.Errorf("%q has the domain %q", bad, account.EmailDomain(bad))
		}
	}
	if got := account.EmailDomain("a@EXAMPLE.com"); got != "example.com" {
		t.Errorf("domain %q", got)
	}
}

func TestAddressThatWouldBecomeAnotherIsTold(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]bool{
		"ann@example.com": true, " Ann@EXAMPLE.com ": true, "MÜLLER@müller.example": true, "mu\u0308ller@example.com": true,
		"ann@xn--strae-oqa.example": true, "ann@straße.example": false, "weiß@example.com": false, "ann@λόγος.example": false,
		"ann@ｅxample.com": false, "oﬃce@example.com": false,
	} {
		if account.KeepsEmail(typed) != want {
			t.Errorf("%q: %t", typed, !want)
		}
	}
}

func TestGroupsThatCannotReachAnAppAreDropped(t *testing.T) {
	t.Parallel()
	kept, dropped := account.SplitGroups([]string{"Admins", "a,b", "corp:x@y-z._1", "Admins", "", "a,b", "ü", strings.Repeat("g", 64), strings.Repeat("g", 65), "a\n"})
	if diff := cmp.Diff([]string{"Admins", "corp:x@y-z._1", strings.Repeat("g", 64)}, kept); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a,b", "", "ü", strings.Repeat("g", 65), "a\n"}, dropped); diff != "" {
		t.Error(diff)
	}
}
