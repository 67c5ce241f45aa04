package pages

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func rendered(t *testing.T, v View) string {
	t.Helper()
	body, err := newSet(t).render(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// buttons are the forms of a page that ask for a code: action, hidden channel
// and words.
func buttons(page string) (found []string) {
	form := regexp.MustCompile(`(?s)<form method="post" action="([^"]+)"[^>]*>(.{0,400}?)</form>`)
	channel, words := regexp.MustCompile(`name="channel" value="(\w+)"`), regexp.MustCompile(`class="(main|second)" data-again>([^<]+)<`)
	for _, m := range form.FindAllStringSubmatch(page, -1) {
		w := words.FindStringSubmatch(m[2])
		if w == nil {
			continue
		}
		row := m[1] + " " + w[1] + " " + w[2]
		if c := channel.FindStringSubmatch(m[2]); c != nil {
			row += " " + c[1]
		}
		found = append(found, row)
	}
	return found
}

func TestButtonsAskForACodeByTheRightChannel(t *testing.T) {
	t.Parallel()
	both := VerifyPhone{Frame: Frame{Base: "/s"}, Method: MethodText, CanText: true, CanCall: true, MoreCodes: -1}
	with := func(f func(*VerifyPhone)) View { v := both; f(&v); return v }
	set := ConfirmPhone{Number: "1", CanText: true, CanCall: true, MoreCodes: 2}
	for name, c := range map[string]struct {
		view View
		want []string
	}{
		"before, text":     {both, []string{"/s/verify/text/send main Text me", "/s/verify/call/send second Call me"}},
		"before, call":     {with(func(v *VerifyPhone) { v.Method = MethodCall }), []string{"/s/verify/call/send main Call me", "/s/verify/text/send second Text me"}},
		"before, no texts": {with(func(v *VerifyPhone) { v.CanText = false }), []string{"/s/verify/call/send main Call me"}},
		"before, nothing":  {with(func(v *VerifyPhone) { v.CanText, v.CanCall = false, false }), nil},
		"before, last one": {with(func(v *VerifyPhone) { v.MoreCodes = 0 }), []string{"/s/verify/text/send main Text me", "/s/verify/call/send second Call me"}},
		"texted":           {with(func(v *VerifyPhone) { v.Sent = true }), []string{"/s/verify/text/send second Send a new code", "/s/verify/call/send second Call me instead"}},
		"called": {with(func(v *VerifyPhone) { v.Sent, v.SentBy = true, MethodCall }), []string{
			"/s/verify/call/send second Call me again", "/s/verify/text/send second Send a text message instead",
		}},
		"texted, no calls": {with(func(v *VerifyPhone) { v.Sent, v.CanCall = true, false }), []string{"/s/verify/text/send second Send a new code"}},
		"texted, no texts": {with(func(v *VerifyPhone) { v.Sent, v.CanText = true, false }), []string{"/s/verify/call/send second Call me instead"}},
		"no more":          {with(func(v *VerifyPhone) { v.Sent, v.MoreCodes = true, 0 }), nil},
		"new number":       {set, []string{"/set-up/phone/send main Text me text", "/set-up/phone/send second Call me call"}},
		"new number called": {func() View { v := set; v.SentBy = MethodCall; return v }(), []string{
			"/set-up/phone/send second Call me again call", "/set-up/phone/send second Send a text message instead text",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, buttons(rendered(t, c.view))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPhonePageSaysWhereTheCodeWent(t *testing.T) {
	t.Parallel()
	tag := regexp.MustCompile(`<[^>]*>`)
	sent := VerifyPhone{Method: MethodText, Ending: "42", Sent: true, CanText: true, CanCall: true, Minutes: 10, MoreCodes: 3, Wait: 21 * time.Second}
	called := sent
	called.SentBy, called.Minutes, called.MoreCodes, called.Wait = MethodCall, 0, -1, 0
	last := sent
	last.MoreCodes = 0
	confirm := ConfirmPhone{Number: "(0) 7700-900 982", Current: "17", SentBy: MethodText, CanText: true, Minutes: 9, MoreCodes: 1}
	for name, c := range map[string]struct {
		view     View
		has, not []string
	}{
		"text": {sent, []string{
			"We've sent a text message with a 6-digit code to the number ending in 42. It can take a few minutes. The code works for 10 minutes.",
			"You can ask for a new code in 30 seconds", "You can ask for 3 more codes.", "Check your phone",
		}, []string{"calling"}},
		"call": {called, []string{
			"We're calling the number ending in 42 with a 6-digit code.", "The code works for 1 minute.",
		}, []string{"You can ask", "text message with"}},
		"last":       {last, []string{"This is the last code that you can ask for now."}, []string{"You can ask for a", "0 more"}},
		"none":       {VerifyPhone{Method: MethodText, Ending: "42"}, []string{"We cannot send codes for now."}, []string{"We'll send", "Security code"}},
		"none, sent": {VerifyPhone{Method: MethodText, Ending: "42", Sent: true, MoreCodes: 2}, []string{"We cannot send codes for now.", "Security code"}, []string{"You can ask"}},
		"new number": {confirm, []string{
			"code to (0) 7700-900 982. It can", "Your old number, ending in 17, works until you have entered this code.",
			"Change the number", "You can ask for 1 more code.",
		}, []string{"Step 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, main, _ := strings.Cut(rendered(t, c.view), "<main")
			words := strings.ReplaceAll(tag.ReplaceAllString(main, ""), "&#39;", "'")
			for _, want := range c.has {
				if !strings.Contains(words, want) {
					t.Errorf("%q is missing in:\n%s", want, words)
				}
			}
			for _, bad := range c.not {
				if strings.Contains(words, bad) {
					t.Errorf("it says %q:\n%s", bad, words)
				}
			}
		})
	}
}

// Only a text message can hold a code that the browser offers to fill in.
func TestOnlyTextedCodesAreOfferedByTheBrowser(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		view View
		want bool
	}{
		"before":             {VerifyPhone{Method: MethodText, CanText: true}, false},
		"texted":             {VerifyPhone{Method: MethodText, Sent: true}, true},
		"texted before call": {VerifyPhone{Method: MethodCall, Sent: true, SentBy: MethodText}, true},
		"called":             {VerifyPhone{Method: MethodText, Sent: true, SentBy: MethodCall}, false},
		"app":                {VerifyApp{}, false},
		"new number":         {ConfirmPhone{SentBy: MethodText}, true},
		"new number, called": {ConfirmPhone{SentBy: MethodCall}, false},
	} {
		if got := strings.Contains(rendered(t, c.view), " data-webotp>"); got != c.want {
			t.Errorf("%s: data-webotp %v, want %v", name, got, c.want)
		}
	}
}

func TestTypedNumberIsShownUnchanged(t *testing.T) {
	t.Parallel()
	page := rendered(t, SetUpPhone{Number: " (0)7700 / 900-982", CanText: true, CanCall: true, DefaultCode: "+44"})
	for _, want := range []string{
		`value=" (0)7700 / 900-982"`, `name="channel" value="text" checked>`, "Without one we take it as <bdi>&#43;44</bdi>",
	} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "&#43;", "+")) {
			t.Errorf("%s is missing in:\n%s", want, page)
		}
	}
	if strings.Contains(page, `value="call" checked`) {
		t.Error("both channels are chosen")
	}
}

func TestSingleChannelIsNoQuestion(t *testing.T) {
	t.Parallel()
	for channel, view := range map[string]SetUpPhone{
		MethodText: {CanText: true, Channel: MethodCall}, MethodCall: {CanCall: true},
	} {
		page := rendered(t, view)
		if !strings.Contains(page, `<input type="hidden" name="channel" value="`+channel+`">`) || strings.Contains(page, "<fieldset") {
			t.Errorf("%s:\n%s", channel, page)
		}
	}
}

// TestConfirmByPhoneHasNoCodeField: the code is sent only after the password.
func TestConfirmByPhoneHasNoCodeField(t *testing.T) {
	t.Parallel()
	page := rendered(t, Confirm{
		Frame: Frame{Base: "/s", Flow: "f&1", Account: "ann"}, Change: ChangePhone, Method: MethodText, Ending: "42",
		Others: []string{MethodApp, MethodBackup}, Next: "/account/security/phone",
	})
	for _, want := range []string{
		`name="password"`, `<input type="hidden" name="method" value="text">`, "to the number ending in <bdi>42</bdi>",
		`href="/s/account/security/confirm?flow=f%261&amp;method=app&amp;next=%2Faccount%2Fsecurity%2Fphone"`, "method=backup&amp;",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is missing in:\n%s", want, page)
		}
	}
	if strings.Contains(page, `name="code"`) {
		t.Error("it asks for a code that nobody has")
	}
}
