package pages

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func named(t *testing.T, name string) *Set {
	t.Helper()
	s, err := New(Brand{Name: name, Support: "https://help.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCodeTextIsBoundToThePagesHost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		minutes int
		host    string
		want    string
	}{
		"usual":     {10, "auth.example.com", "123456 is your Example portal security code. It works for 10 minutes. Never share it.\n\n@auth.example.com #123456"},
		"one":       {1, "auth.example.com", "123456 is your Example portal security code. It works for 1 minute. Never share it.\n\n@auth.example.com #123456"},
		"with port": {9, "auth.example.com:8443", "123456 is your Example portal security code. It works for 9 minutes. Never share it.\n\n@auth.example.com #123456"},
	} {
		if diff := cmp.Diff(c.want, newSet(t).CodeText("en", "123456", c.minutes, c.host)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A phone reads the code from the last line alone, so nothing may add to it.
func TestLastLineOfCodeTextIsOursWhateverTheName(t *testing.T) {
	t.Parallel()
	last := regexp.MustCompile(`^@[a-z.]+ #\d{6}$`)
	for _, name := range []string{
		"Example", "Line\n@evil.example #654321", "a\r\n\r\n@evil.example #654321", "\u202egnp.exe\u2066 x",
		strings.Repeat("Very long name ", 40), "{code} **x** [y](z)", "Ünïcödé 病院", "",
	} {
		text := named(t, name).CodeText("xx", "012345", 10, "auth.example.com")
		lines := strings.Split(text, "\n")
		if len(lines) != 3 || lines[1] != "" || !last.MatchString(lines[2]) || !strings.HasPrefix(text, "012345 is your ") {
			t.Errorf("%q: %q", name, text)
		}
		if strings.ContainsAny(text, "\r\u202e\u2066") {
			t.Errorf("%q: something invisible stayed in %q", name, text)
		}
		if strings.Contains(text, "  ") {
			t.Errorf("%q: two blanks in %q", name, text)
		}
	}
}

// TestCodeTextFitsOneMessage: each further part is paid for, and may be late.
func TestCodeTextFitsOneMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, host string
		fits       bool
	}{
		{"Example portal", "auth.example.com", true},
		{strings.Repeat("n", 200), "auth.example.com", true},
		{"[Brackets] {count} ~double~ [Brackets] {count}", "sign-in.department.example.com", true},
		{strings.Repeat("n", 200), strings.Repeat("h", 59) + ".example", true},
		{strings.Repeat("n", 200), strings.Repeat("h", 80) + ".example", false},
	} {
		text := named(t, c.name).CodeText("en", "123456", 10, c.host)
		if n := septets(text); (n <= 160) != c.fits {
			t.Errorf("%d septets, want fitting %v: %q", n, c.fits, text)
		}
		if !strings.HasSuffix(text, "@"+c.host+" #123456") {
			t.Errorf("the host is not whole in %q", text)
		}
	}
}

func TestCodeIsSpokenThreeTimesAfterAGreeting(t *testing.T) {
	t.Parallel()
	want := `Hello. This is Example portal with your security code.
Your code is: 0, 1, 2, 3, 4, 5.
Once more, your code is: 0, 1, 2, 3, 4, 5.
Once more, your code is: 0, 1, 2, 3, 4, 5.
It works for 10 minutes.
Never share it.
Goodbye.`
	if diff := cmp.Diff(want, newSet(t).CodeSpeech("en", "012345", 10)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoticesToAPhoneNameTheSupport(t *testing.T) {
	t.Parallel()
	s := named(t, "Example\nportal")
	for key, want := range map[string]string{
		TellPhoneChanged: "The phone number for your Example portal account was changed. If this was not you, contact help.example.com.",
		TellPhoneRemoved: "This phone number was removed from your Example portal account. If this was not you, contact help.example.com.",
	} {
		if diff := cmp.Diff(want, s.NoticeText("en", key)); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
		spoken := "Hello. This is Example portal.\n" + want + "\nOnce more:\n" + want + "\nGoodbye."
		if diff := cmp.Diff(spoken, s.NoticeSpeech("en", key)); diff != "" {
			t.Errorf("call (-want +got):\n%s", diff)
		}
	}
}

// TestBrokenMessagesToPhonesStopTheStart: a call in the night is no moment to
// find out.
func TestBrokenMessagesToPhonesStopTheStart(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for key, broken := range map[string]message{
		"sms.code":       {text: "{code} for {nobody}"},
		"call.hello":     {text: "Hello {unfinished"},
		"call.works":     {forms: map[string]string{"one": "{x}", "other": "{n}"}},
		TellPhoneChanged: {text: "ask [us](nowhere)"},
	} {
		c := *s.language("en").catalogue
		c.messages = map[string]message{key: broken}
		c.spare = s.language("en").catalogue
		l := &language{set: s, catalogue: &c}
		if err := l.checkMessages(); err == nil {
			t.Errorf("%s: %+v is not refused", key, broken)
		}
	}
}
