package factor_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

func TestBackupCodesAreTenDifferentOnes(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$`)
	seen := map[string]bool{}
	for range 100 {
		codes := factor.NewBackupCodes()
		if len(codes) != 10 {
			t.Fatalf("%d codes", len(codes))
		}
		for _, code := range codes {
			if !form.MatchString(code.Reveal()) || seen[code.Reveal()] {
				t.Errorf("code %q", code.Reveal())
			}
			seen[code.Reveal()] = true
		}
	}
}

func TestBackupCodeMayBeTypedInManyWays(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"ABCD0-1234Z", "abcd0-1234z", " abcd0 1234z\n", "a-b-c-d-0-1-2-3-4-z", "ABCDO-L234Z", "abcdo–i234z", "ＡＢＣＤ０１２３４Ｚ", "(ABCD0.1234Z)"} {
		if got, err := factor.NormaliseBackupCode(typed); err != nil || got.Reveal() != "ABCD01234Z" {
			t.Errorf("%q is %q, %v", typed, got.Reveal(), err)
		}
	}
	for _, typed := range []string{"", "-----", "ABCD0-1234", "ABCD0-1234ZZ", "ABCDU-1234Z", "ABCDÉ-1234Z", "АBCD0-1234Z", "ABCD0-1234²Z", strings.Repeat("A", 1<<20)} {
		if got, err := factor.NormaliseBackupCode(typed); !errors.Is(err, factor.ErrBackupFormat) {
			t.Errorf("%+q is %q, %v", typed[:min(20, len(typed))], got.Reveal(), err)
		}
	}
}

func TestBackupHashNeedsCodeSaltAndPepper(t *testing.T) {
	t.Parallel()
	salt, pepper := factor.NewBackupSalt(), secret.NewKey(32)
	hash := func(code string, salt []byte, pepper secret.Bytes) []byte {
		out, err := factor.HashBackupCode(secret.New(code), salt, pepper)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := hash("ABCD0-1234Z", salt, pepper)
	if len(want) != factor.BackupHashBytes || !bytes.Equal(want, hash("abcdo1234z", salt, pepper)) {
		t.Error("two spellings have two hashes")
	}
	set := [][]byte{nil, hash("ZBCD0-1234Z", salt, pepper), want, {}, want[:31]}
	if got := factor.FindBackupCode(want, set); got != 2 {
		t.Errorf("found at %d", got)
	}
	for name, other := range map[string][]byte{
		"other code": hash("ABCD0-1234Y", salt, pepper), "other salt": hash("ABCD0-1234Z", factor.NewBackupSalt(), pepper),
		"other pepper": hash("ABCD0-1234Z", salt, secret.NewKey(32)), "nothing": nil, "short": want[:31],
	} {
		if got := factor.FindBackupCode(other, set); got != -1 {
			t.Errorf("%s: found at %d", name, got)
		}
	}
	for name, err := range map[string]error{
		"bad code":     second(factor.HashBackupCode(secret.New("ABCD"), salt, pepper)),
		"short salt":   second(factor.HashBackupCode(secret.New("ABCD0-1234Z"), salt[:15], pepper)),
		"short pepper": second(factor.HashBackupCode(secret.New("ABCD0-1234Z"), salt, secret.NewKey(31))),
		"no pepper":    second(factor.HashBackupCode(secret.New("ABCD0-1234Z"), salt, secret.Bytes{})),
	} {
		if err == nil {
			t.Errorf("%s: hashed", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func FuzzNormaliseBackupCode(f *testing.F) {
	for _, seed := range []string{"ABCD0-1234Z", "oil", "\x00", "ＡＢ", "ß"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := factor.NormaliseBackupCode(typed)
		if err != nil {
			return
		}
		if len(got.Reveal()) != 10 || strings.Trim(got.Reveal(), secret.Crockford) != "" {
			t.Errorf("%q is %q", typed, got.Reveal())
		}
	})
}
