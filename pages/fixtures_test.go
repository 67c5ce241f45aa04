package pages

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"slices"
	"testing"
	"time"
)

// at is when everything in these tests happens.
var at = time.Date(2026, time.March, 4, 10, 30, 0, 0, time.UTC)

// fixture is one view, filled, with the problems that its page can show.
type fixture struct {
	name string
	view View
	// with returns the view showing problems; nil when its page has no form
	// that can be wrong.
	with func(...Problem) View
	// problems are what can be wrong.
	problems []Problem
}

func newSet(t *testing.T) *Set {
	t.Helper()
	s, err := New(Brand{Name: "Example portal", Support: "it@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// testPNG stands for a QR code.
func testPNG() []byte {
	img := image.NewGray(image.Rect(0, 0, 29, 29))
	for i := range img.Pix {
		if (i*7+i/29*3)%5 < 2 {
			img.Pix[i] = 255
		}
	}
	img.SetGray(0, 0, color.Gray{Y: 255})
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

// fixtures are all views, with the words of the sample wherever a person or an
// operator can put some.
func fixtures(w sample) []fixture {
	flow := Frame{Base: "/sallyport", RequestID: w.token, Flow: w.token, Notices: []Notice{{Info, NoticeExpired, nil}}}
	account := Frame{RequestID: "8f3a2c", Account: w.account, Notices: []Notice{
		{Success, NoticeBackupUsed, Args{"n": 2}}, {Info, NoticeIdle, Args{"time": time.Hour}},
	}}
	phone := Method{ID: "a1", Kind: MethodApp, Name: w.label, Added: at, LastUsed: at.Add(time.Hour)}
	plain := Method{ID: "a2", Kind: MethodApp, Added: at, Kept: true}
	empty := func(key string) Problem { return Problem{Field: "code", Key: key} }
	wrong := Problem{"code", CodeWrong, Args{"left": 3}}
	choices := []Choice{{Method: MethodApp, Checked: true}, {Method: MethodText, Ending: w.ending}, {Method: MethodBackup}}

	signIn := SignIn{Frame: flow, Username: w.account, Wish: w.token, App: w.app}
	combined := signIn
	combined.Combined = true
	password := Password{flow, w.account, w.token, w.app}
	choose := VerifyChoose{Frame: flow, Choices: choices}
	app := VerifyApp{Frame: flow, Hint: true, OtherWays: true}
	backup := VerifyBackup{Frame: flow, OtherWays: true}
	setUp := SetUpChoose{flow, true, w.app, []Choice{{Method: MethodApp, Checked: true}, {Method: MethodPhone}}, "", false, nil}
	setUpApp := SetUpApp{
		Frame: flow, QR: testPNG(), Key: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
		URI:   "otpauth://totp/Example:ann?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Example",
		Entry: w.entry, Label: w.label, Hint: true, OtherWays: true, Forced: true,
	}
	codes := BackupCodes{Frame: flow, Owner: w.account, Made: at, Codes: []string{
		"7KQ2M-9XD4T", "3HV8N-W2RZC", "B6TJE-5MQ0X", "9FDAP-K7S1Y", "R4GWC-2N8VH",
		"XE5ZT-6BQ3J", "M1PDK-Y9A7F", "8SNRV-H4C2G", "T6WJQ-3E5XB", "D0ZMA-7K9PF",
	}}
	link := Link{Frame: flow, Token: w.token, Username: w.account, Min: 15}
	confirm := Confirm{Frame: account, Change: ChangeCodes, Method: MethodApp, Others: []string{MethodBackup}, Next: w.token, Hint: true}
	confirm.Flow = w.token

	return slices.Concat(phoneFixtures(w, flow, account), ssoFixtures(w, flow, account), accountFixtures(w, flow, account), recoverFixtures(w), []fixture{
		{"signin", signIn, func(p ...Problem) View { signIn.Problems = p; return signIn }, []Problem{{"username", IDEmpty, nil}, {"username", IDFormat, nil}}},
		{"signin-plain", SignIn{}, nil, nil},
		{
			"signin-combined", combined, func(p ...Problem) View { combined.Problems = p; return combined },
			[]Problem{{"", SignInFailed, Args{"left": 2}}, {"username", IDEmpty, nil}, {"password", PwEmpty, nil}},
		},
		{
			"password", password, func(p ...Problem) View { password.Problems = p; return password },
			[]Problem{{"password", PwEmpty, nil}, {"password", SignInFailed, Args{"left": 1}}},
		},
		{"choose", choose, func(p ...Problem) View { choose.Problems = p; return choose }, []Problem{{"method", MethodEmpty, nil}}},
		{
			"app", app, func(p ...Problem) View { app.Problems = p; return app },
			[]Problem{wrong, empty(CodeEmpty), empty(CodeFormat), empty(CodeUsed), empty(CodeExpired), empty(CodeLate)},
		},
		{"app-plain", VerifyApp{Frame: Frame{Lang: "tlh-XX"}}, nil, nil},
		{"backup", backup, func(p ...Problem) View { backup.Problems = p; return backup }, []Problem{empty(BackupEmpty), {"code", BackupWrong, Args{"left": 4}}}},
		{"setup", setUp, func(p ...Problem) View { setUp.Problems = p; return setUp }, []Problem{{"method", MethodEmpty, nil}}},
		{"setup-forced", SetUpChoose{Frame: flow, Forced: true, App: w.app}, nil, nil},
		{"setup-forced-unnamed", SetUpChoose{Frame: flow, Forced: true}, nil, nil},
		{"setup-free", SetUpChoose{Frame: account}, nil, nil},
		{"setup-another", SetUpChoose{Frame: account, Another: true}, nil, nil},
		{"setup-replace", SetUpChoose{Frame: account, Another: true, Old: &Method{ID: "a1", Kind: MethodApp, Name: w.label, Added: at}}, nil, nil},
		{"setupapp", setUpApp, func(p ...Problem) View { setUpApp.Problems = p; return setUpApp }, []Problem{wrong, {"label", LabelLong, Args{"n": 40}}}},
		{"setupapp-free", SetUpApp{Frame: account, Key: "JBSWY3DP"}, nil, nil},
		{"codes", codes, func(p ...Problem) View { codes.Problems = p; return codes }, []Problem{{"saved", SavedEmpty, nil}}},
		{"codes-new", BackupCodes{Frame: account, Codes: codes.Codes, Owner: w.account, Replaces: true}, nil, nil},
		{"continue", Continue{flow, "https://wiki.example.com/start?a=b&c", w.host}, nil, nil},
		{"expired", Expired{Frame: flow}, nil, nil},
		{"signout", SignOut{account}, nil, nil},
		{"signedout", SignedOut{Frame: flow, Start: "/sallyport/sign-in"}, nil, nil},
		{
			"link", link, func(p ...Problem) View { link.Problems = p; return link },
			[]Problem{{"password", PwShort, Args{"n": 15}}, {"password", PwLong, Args{"n": 128}}, {"password", PwCommon, nil}},
		},
		{"linkproblem", LinkProblem{flow}, nil, nil},
		{"needlink", NeedLink{account, w.app}, nil, nil},
		{"needlink-plain", NeedLink{account, ""}, nil, nil},
		{"home", Home{account, []App{{w.app, "https://wiki.example.com"}, {"Grafana", "https://grafana.example.com"}, {"Payroll", "https://pay.example.com"}}, true, 2, at, ""}, nil, nil},
		{"home-bare", Home{Frame: account}, nil, nil},
		{"home-nocodes", Home{Frame: account, SecondStep: true}, nil, nil},
		{"security", Security{Frame: account, Methods: []Method{phone, plain}, BackupCodes: 1, CodesMade: at, MayTurnOff: true, Open: sessions(w, 3)}, nil, nil},
		{"security-kept", Security{Frame: account, Methods: []Method{plain}, CodesMade: at, Open: sessions(w, 1)}, nil, nil},
		{"security-nocodes", Security{Frame: account, Methods: []Method{phone}, Open: sessions(w, 1)}, nil, nil},
		{"security-none", Security{Frame: account, Open: sessions(w, 1)}, nil, nil},
		{"confirm", confirm, func(p ...Problem) View { confirm.Problems = p; return confirm }, []Problem{{"password", PwCurrent, Args{"left": 2}}, wrong}},
		{"confirm-backup", Confirm{Frame: account, Change: ChangeRemove, Method: MethodBackup, Others: []string{MethodApp}}, nil, nil},
		{"confirm-add", Confirm{Frame: account, Change: ChangeAddApp}, nil, nil},
		{"confirm-off", Confirm{Frame: account, Change: ChangeTurnOff}, nil, nil},
		{"confirm-sessions", Confirm{Frame: account, Change: ChangeSessions}, nil, nil},
		{"confirm-openapp", Confirm{Frame: account, Change: ChangeOpenApp, App: w.app, Method: MethodApp, Others: []string{MethodBackup}}, nil, nil},
		{"confirm-any", Confirm{Frame: account}, nil, nil},
		{"newcodes", NewBackupCodes{account, 1, false}, nil, nil},
		{"newcodes-none", NewBackupCodes{account, 0, false}, nil, nil},
		{"newcodes-atsignin", NewBackupCodes{flow, 0, true}, nil, nil},
		{"enrollink", EnrolLink{flow, w.token, w.account}, nil, nil},
		{"remove", RemoveMethod{account, phone, true}, nil, nil},
		{"remove-plain", RemoveMethod{account, plain, false}, nil, nil},
		{"turnoff", TurnOff{account, []Method{phone, plain}, 7}, nil, nil},
		{"everywhere", SignOutEverywhere{account, 3, false, ""}, nil, nil},
		{"everywhere-one", SignOutEverywhere{account, 1, true, ""}, nil, nil},
		{"limited-requests", Limited{Frame: flow, Kind: LimitRequests, Wait: 25 * time.Second, Until: at}, nil, nil},
		{"limited-signin", Limited{Frame: flow, Kind: LimitSignIn, Wait: 14*time.Minute + time.Second, Until: at}, nil, nil},
		{"limited-codes", Limited{Frame: flow, Kind: LimitCodes, Wait: time.Hour, Until: at, Retry: "/sallyport/verify/app", OtherWays: "/sallyport/verify"}, nil, nil},
		{"limited-sends", Limited{Frame: flow, Kind: LimitSends, Wait: 5 * time.Hour, Until: at, OtherWays: "/sallyport/verify"}, nil, nil},
		{"denied", Denied{Frame{Base: w.portal, RequestID: "8f3a2c", Account: w.account}, w.account, w.app, ""}, nil, nil},
		{"unsentform", UnsentForm{Frame{Base: w.portal, RequestID: "8f3a2c"}, w.app, "/sallyport/resume", "https://login.example.com/sign-in?wish=x", w.token, false, ""}, nil, nil},
		{"unsentform-signedout", UnsentForm{Frame{Base: w.portal, RequestID: "8f3a2c"}, w.app, "/sallyport/resume", "https://login.example.com/sign-in?wish=x", w.token, true, UnsentSignedOut}, nil, nil},
		{"unsentform-other", UnsentForm{Frame{Base: w.portal, RequestID: "8f3a2c"}, w.app, "/sallyport/resume", "https://login.example.com/sign-in?wish=x", w.token, false, UnsentOther}, nil, nil},
		{"sendform", SendForm{
			Frame: Frame{Base: w.portal, RequestID: "8f3a2c"}, App: w.app, Method: "POST", Address: "https://" + w.host + "/pages/edit?id=" + w.token,
			Action: "/sallyport/resume?form=x", Encoding: "application/x-www-form-urlencoded",
			Fields: []HiddenField{{"title", w.app}, {"body", "one\r\ntwo"}, {"tags[]", "a"}, {"tags[]", "b"}, {w.token, ""}},
		}, nil, nil},
		{"sendform-empty", SendForm{Frame: Frame{Base: w.portal}, App: w.app, Method: "POST", Address: "https://" + w.host + "/run", Action: "/sallyport/resume?form=x", Encoding: "multipart/form-data"}, nil, nil},
		{"formsent", FormSent{Frame{Base: w.portal}, w.app, "https://" + w.host + "/"}, nil, nil},
		{"wrongnetwork", WrongNetwork{Frame{Base: w.portal, RequestID: "8f3a2c"}, w.app, "2001:db8:1234:5678:90ab:cdef:1234:5678"}, nil, nil},
		{"framed", FrameSignIn{Frame{Base: w.portal}, w.app, "https://login.example.com/sign-in?wish=x"}, nil, nil},
		{"backtotab", BackToTab{Frame{Base: w.portal}, w.app}, nil, nil},
		{"misdirected-host", Misdirected{Frame: flow, Kind: MisdirectedHost, Host: w.host}, nil, nil},
		{"misdirected-insecure", Misdirected{flow, MisdirectedInsecure, "box.lan:8080", "https://box.lan/", 8080}, nil, nil},
		{"cookies", CookiesBlocked{flow, ""}, nil, nil},
		{"busy", Busy{flow, ""}, nil, nil},
		{"unavailable", Unavailable{flow}, nil, nil},
		{"failure-request", Failure{flow, FailureRequest}, nil, nil},
		{"failure-crosssite", Failure{flow, FailureCrossSite}, nil, nil},
		{"failure-ruled", Failure{account, FailureRuled}, nil, nil},
		{"failure-notfound", Failure{flow, FailureNotFound}, nil, nil},
		{"failure-method", Failure{flow, FailureMethod}, nil, nil},
		{"failure-toolarge", Failure{flow, FailureTooLarge}, nil, nil},
		{"failure-tooearly", Failure{flow, FailureTooEarly}, nil, nil},
		{"failure-server", Failure{account, FailureServer}, nil, nil},
		{"help", Help{Frame{}}, nil, nil},
	})
}
