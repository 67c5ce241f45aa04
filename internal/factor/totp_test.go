package factor_test

import (
	"bytes"
	"encoding/base32"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// rfcKey is the key of RFC 6238 appendix B for SHA-1.
var rfcKey = secret.New(base32.StdEncoding.EncodeToString([]byte("12345678901234567890")))

var now = time.Unix(1_700_000_010, 0)

func code(t *testing.T, key secret.Text, at time.Time) string {
	t.Helper()
	text, err := factor.TOTPCode(key, at)
	if err != nil {
		t.Fatal(err)
	}
	return text.Reveal()
}

func TestCodesAreThoseOfRFC6238(t *testing.T) {
	t.Parallel()
	for seconds, eight := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471",
		1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		at := time.Unix(seconds, 0)
		// The appendix has eight digits; six are its last six.
		full, err := hotp.GenerateCodeCustom(rfcKey.Reveal(), uint64(factor.TOTPStep(at)), hotp.ValidateOpts{Digits: otp.DigitsEight})
		if err != nil || full != eight {
			t.Errorf("%d: %s, %v", seconds, full, err)
		}
		if got := code(t, rfcKey, at); got != eight[2:] {
			t.Errorf("%d: %s, not %s", seconds, got, eight[2:])
		}
		if step, err := factor.MatchTOTP(rfcKey, eight[2:], at, 0); err != nil || step != factor.TOTPStep(at) {
			t.Errorf("%d: step %d, %v", seconds, step, err)
		}
	}
}

func TestOneStepEitherSideIsAccepted(t *testing.T) {
	t.Parallel()
	key := factor.NewTOTPSecret()
	current := factor.TOTPStep(now)
	for offset := int64(-3); offset <= 3; offset++ {
		typed := code(t, key, now.Add(time.Duration(offset)*factor.TOTPPeriod))
		step, err := factor.MatchTOTP(key, typed, now, 0)
		if offset < -1 || offset > 1 {
			if !errors.Is(err, factor.ErrCodeWrong) {
				t.Errorf("offset %d: step %d, %v", offset, step, err)
			}
			continue
		}
		if err != nil || step != current+offset {
			t.Errorf("offset %d: step %d, %v", offset, step-current, err)
		}
	}
}

func TestUsedOrOlderCodeIsRefused(t *testing.T) {
	t.Parallel()
	key := factor.NewTOTPSecret()
	current := factor.TOTPStep(now)
	for _, c := range []struct {
		name   string
		offset int64
		at     time.Time
		last   int64
		want   error
	}{
		{"the same code", 0, now, current, factor.ErrCodeUsed},
		{"the same code, next step", 0, now.Add(factor.TOTPPeriod), current, factor.ErrCodeUsed},
		{"an older step", -1, now, current, factor.ErrCodeUsed},
		{"the newer step", 1, now, current, nil},
		{"after the newer step, this one", 0, now, current + 1, factor.ErrCodeUsed},
		{"clock back five minutes", -10, now.Add(-5 * time.Minute), current, factor.ErrCodeUsed},
		{"clock back, newest there", -9, now.Add(-5 * time.Minute), current, factor.ErrCodeUsed},
		{"a used code when it is stale", 0, now.Add(2 * factor.TOTPPeriod), current, factor.ErrCodeWrong},
	} {
		typed := code(t, key, now.Add(time.Duration(c.offset)*factor.TOTPPeriod))
		step, err := factor.MatchTOTP(key, typed, c.at, c.last)
		if !errors.Is(err, c.want) || (err == nil && step <= c.last) {
			t.Errorf("%s: step %d, %v", c.name, step-current, err)
		}
	}
}

// Two steps of one secret may have the same digits. Taking the newest leaves no
// step for which they would be right again.
func TestNewestStepWinsWhenDigitsRepeat(t *testing.T) {
	t.Parallel()
	const step = 910737 // the first with the digits of its follower, for the key of the RFC
	at := time.Unix(step*30, 0)
	digits := code(t, rfcKey, at)
	if digits != code(t, rfcKey, at.Add(factor.TOTPPeriod)) {
		t.Fatal("the two steps differ")
	}
	got, err := factor.MatchTOTP(rfcKey, digits, at, 0)
	if err != nil || got != step+1 {
		t.Errorf("step %d, %v", got, err)
	}
	if _, err := factor.MatchTOTP(rfcKey, digits, at, got); !errors.Is(err, factor.ErrCodeUsed) {
		t.Errorf("the digits were right twice: %v", err)
	}
}

// Vault CVE-2025-6014: a used code with a space was a new one.
func TestEverySpellingOfAUsedCodeIsRefused(t *testing.T) {
	t.Parallel()
	key := factor.NewTOTPSecret()
	c := code(t, key, now)
	arabic, persian, wide := strings.Builder{}, strings.Builder{}, strings.Builder{}
	for _, d := range c {
		arabic.WriteRune('٠' + d - '0')
		persian.WriteRune('۰' + d - '0')
		wide.WriteRune('０' + d - '0')
	}
	for _, typed := range []string{
		c, " " + c, c + " ", c + "\n", "\t" + c + " ", c + "\r\n", "\u00a0" + c, c + "\u2003", c[:3] + " " + c[3:],
		c[:3] + "-" + c[3:], c[:3] + "\u2013" + c[3:], c[:2] + "." + c[2:4] + "." + c[4:], "\u200e" + c + "\ufeff",
		arabic.String(), persian.String(), wide.String(), arabic.String()[:6] + c[3:], "-" + c, "\u2066" + c + "\u2069",
	} {
		if step, err := factor.MatchTOTP(key, typed, now, 0); err != nil || step != factor.TOTPStep(now) {
			t.Errorf("%+q unused: step %d, %v", typed, step, err)
		}
		if _, err := factor.MatchTOTP(key, typed, now, factor.TOTPStep(now)); !errors.Is(err, factor.ErrCodeUsed) {
			t.Errorf("%+q used: %v", typed, err)
		}
	}
}

func TestWhatIsNotSixDigitsIsAFormatError(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"", " ", "12345", "1234567", "12345678", "-12345", "+12345", "+123456", "1e5", "1e5000", "0x1234", "12345a", "a123456", "O12345",
		"123456\x00", "\x00123456", "12\x0734 56", "१२३४५६", "¹²³⁴⁵⁶", "①②③④⑤⑥", "123456\xff", "12345６７", "123,456", "#123456",
		"123456" + strings.Repeat(" ", 200), strings.Repeat("1", 1<<20),
	} {
		if got, err := factor.NormaliseCode(typed); !errors.Is(err, factor.ErrCodeFormat) {
			t.Errorf("%+q is %q, %v", typed[:min(len(typed), 20)], got, err)
		}
	}
	if got, err := factor.NormaliseCode("000 123"); err != nil || got != "000123" {
		t.Errorf("leading zeros: %q, %v", got, err)
	}
}

// pquerna/otp accepts what anyone computes for an empty key (V46).
func TestUnusableSecretAcceptsNothing(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", " ", "\n", "====", "-", "A", "GEZDGNBVGY3TQOJQ", "not base32!!not base32!!not base3", "0189018901890189018901890189", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n", strings.Repeat("A", 1000)} {
		for _, seed := range []string{"", key} {
			guess, err := hotp.GenerateCodeCustom(seed, uint64(factor.TOTPStep(now)), hotp.ValidateOpts{Digits: otp.DigitsSix})
			if err != nil {
				guess = "000000"
			}
			if _, err := factor.MatchTOTP(secret.New(key), guess, now, 0); !errors.Is(err, factor.ErrSecretUnusable) {
				t.Errorf("secret %q: %v", key, err)
			}
		}
		if err := factor.CheckTOTPSecret(secret.New(key)); !errors.Is(err, factor.ErrSecretUnusable) {
			t.Errorf("check of %q: %v", key, err)
		}
	}
	if _, err := factor.MatchTOTP(secret.Text{}, "123456", now, 0); !errors.Is(err, factor.ErrSecretUnusable) {
		t.Errorf("zero secret: %v", err)
	}
	before := time.Unix(-1000, 0)
	if _, err := factor.MatchTOTP(rfcKey, "123456", before, 0); !errors.Is(err, factor.ErrCodeWrong) {
		t.Errorf("before 1970: %v", err)
	}
	if _, err := factor.TOTPCode(rfcKey, before); err == nil {
		t.Error("a code before 1970")
	}
}

func TestSecretHas160BitsAndOneSpelling(t *testing.T) {
	t.Parallel()
	key := factor.NewTOTPSecret().Reveal()
	raw, err := base32.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 20 || len(key) != 32 {
		t.Errorf("%d characters, %d bytes, %v", len(key), len(raw), err)
	}
	grouped, err := factor.GroupKey(secret.New(strings.ToLower(key)))
	if err != nil || len(grouped.Reveal()) != 39 || strings.ReplaceAll(grouped.Reveal(), " ", "") != key {
		t.Errorf("%v", err)
	}
	for _, spelling := range []string{strings.ToLower(key), grouped.Reveal(), key + "======"} {
		if got := code(t, secret.New(spelling), now); got != code(t, secret.New(key), now) {
			t.Errorf("%q is another secret", spelling)
		}
	}
}

func TestOTPAuthLinkKeepsNamesApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ issuer, account, wantIssuer, wantAccount string }{
		{"Example", "anna@example.com", "Example", "anna@example.com"},
		{"Müller & Söhne?", "jürgen+2&secret=AAAA#x", "Müller & Söhne?", "jürgen+2&secret=AAAA#x"},
		{"login.example.com:8443", "a:b", "login.example.com 8443", "a b"},
		{"A/B 100%", "x/y%2f", "A/B 100%", "x/y%2f"},
		{"two\r\nlines", "日本語", "two lines", "日本語"},
	} {
		uri, err := factor.OTPAuthURI(rfcKey, c.issuer, c.account)
		if err != nil {
			t.Errorf("%q: %v", c.issuer, err)
			continue
		}
		parsed, err := url.Parse(uri.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		query := parsed.Query()
		got := fmt.Sprint(parsed.Scheme, parsed.Host, parsed.Path, query["issuer"], query["secret"], query["digits"], query["period"], query["algorithm"])
		want := fmt.Sprint("otpauth", "totp", "/"+c.wantIssuer+":"+c.wantAccount, []string{c.wantIssuer}, []string{rfcKey.Reveal()}, []string{"6"}, []string{"30"}, []string{"SHA1"})
		if got != want || strings.ContainsAny(uri.Reveal(), "+ \r\n") {
			t.Errorf("%s\ngives %s\nwant  %s", uri.Reveal(), got, want)
		}
	}
	for _, c := range [][2]string{{"", "a"}, {"a", ""}, {":", "a"}, {"a", " "}} {
		if _, err := factor.OTPAuthURI(rfcKey, c[0], c[1]); err == nil {
			t.Errorf("%q was accepted", c)
		}
	}
}

func TestQRCodeHasQuietZone(t *testing.T) {
	t.Parallel()
	enrolment, err := factor.NewEnrolment(factor.NewTOTPSecret(), "Example", "anna@example.com")
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(enrolment.PNG.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	side := picture.Bounds().Dx()
	if side < 240 || side != picture.Bounds().Dy() {
		t.Errorf("%v", picture.Bounds())
	}
	black := func(x, y int) bool { return color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y == 0 }
	edge := 0
	for !black(edge, edge) {
		edge++
	}
	run := 0
	for black(edge+run, edge) {
		run++
	}
	module := run / 7 // the finder pattern is seven modules wide
	if edge != 4*module {
		t.Errorf("the quiet zone is %d pixels of modules of %d", edge, module)
	}
	for i := range side {
		for j := range edge {
			if black(i, j) || black(j, i) || black(i, side-1-j) || black(side-1-j, i) {
				t.Fatal("the quiet zone is not white")
			}
		}
	}
	if strings.Contains(fmt.Sprintf("%+v %s", enrolment, enrolment), "otpauth") {
		t.Error("an enrolment prints its link")
	}
}

func TestSentCodeMatchesInAnySpelling(t *testing.T) {
	t.Parallel()
	sent := secret.New("012345")
	for typed, want := range map[string]error{
		"012345": nil, "012 345": nil, "012-345\n": nil, "٠١٢٣٤٥": nil,
		"12345": factor.ErrCodeFormat, "012346": factor.ErrCodeWrong, "": factor.ErrCodeFormat,
	} {
		if err := factor.MatchCode(sent, typed); !errors.Is(err, want) {
			t.Errorf("%q: %v", typed, err)
		}
	}
	if err := factor.MatchCode(secret.Text{}, "000000"); !errors.Is(err, factor.ErrCodeWrong) {
		t.Errorf("nothing was sent: %v", err)
	}
	if got, err := factor.NormaliseCode(factor.NewCode().Reveal()); err != nil || len(got) != 6 {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzNormaliseCode(f *testing.F) {
	for _, seed := range []string{"123456", "123 456", "１２３４５６", "1e5", "\x00", "-12345"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := factor.NormaliseCode(typed)
		if err != nil {
			return
		}
		if len(got) != 6 || strings.Trim(got, "0123456789") != "" {
			t.Errorf("%q is %q", typed, got)
		}
		if again, err := factor.NormaliseCode(got); err != nil || again != got {
			t.Errorf("%q is not stable", got)
		}
	})
}
