package pages

import (
	"slices"
	"time"
)

// sessions are n sign-ins, the first one the present, of no two browsers.
func sessions(w sample, n int) []OpenSession {
	list := make([]OpenSession, n)
	for i := range list {
		began := at.Add(-time.Duration(i) * 26 * time.Hour)
		list[i] = OpenSession{
			ID: "s" + string(rune('0'+i)), Browser: w.browser, Network: w.network,
			Began: began, LastUsed: began.Add(20 * time.Minute), Current: i == 0,
		}
	}
	return list
}

// recent is one activity of each kind, an hour apart, the last one by support.
func recent(w sample, kinds ...string) []Activity {
	var list []Activity
	for i, kind := range kinds {
		list = append(list, Activity{Kind: kind, When: at.Add(-time.Duration(i) * time.Hour), Browser: w.browser, Network: w.network})
	}
	last := &list[len(list)-1]
	last.Browser, last.Network, last.Support = "", "", true
	return list
}

// accountFixtures are the views of an account's own settings.
func accountFixtures(w sample, flow, account Frame) []fixture {
	app := Method{ID: "a1", Kind: MethodApp, Name: w.label, Added: at, LastUsed: at.Add(time.Hour)}
	plain := Method{ID: "a2", Kind: MethodApp, Added: at.Add(-time.Hour)}
	phone := Method{ID: "p1", Kind: MethodPhone, Ending: w.ending, Added: at}
	twin := app
	twin.ID, twin.Added = "a3", at.Add(-48*time.Hour)

	quiet := account
	quiet.Notices = nil
	tested := account
	tested.Notices = []Notice{
		{Success, NoticeTestedApp, nil},
		{Success, NoticeTestedPhone, Args{"ending": w.ending}},
		{Success, NoticeTestedBackup, Args{"n": 2}},
		{Success, NoticeRenamed, nil},
		{Success, NoticePasswordNew, nil},
		{Success, NoticeSessionEnded, nil},
		{Success, NoticeTrustEnded, nil},
		{Success, NoticeKeyRevoked, nil},
		{Info, NoticeConfirmed, nil},
	}
	open := sessions(w, 3)
	open[2].Browser, open[2].Network = "", ""
	managed := sessions(w, 2)
	managed[0].Org, managed[1].Org = w.org, w.org
	browsers := []TrustedBrowser{
		{ID: "b1", Browser: w.browser, Network: w.network, Since: at, Until: at.Add(720 * time.Hour), LastUsed: at, Current: true},
		{ID: "b2", Browser: "Safari on iPhone", Since: at.Add(-240 * time.Hour), Until: at.Add(480 * time.Hour)},
	}
	full := Security{
		Frame: quiet, Methods: []Method{app, plain, phone, twin}, BackupCodes: 8, CodesMade: at,
		MayTurnOff: true, MayChangePhone: true, MayTest: true, PasswordChanged: at,
		Open: open, Browsers: browsers, TrustDays: 30, APIKeys: apiKeys(w),
		Recent: recent(w, ActivitySignedIn, ActivityFactorAdded, ActivityTrusted, ActivityCodeWrong, ActivityStepReset),
	}
	all := full
	all.Frame, all.Browsers = tested, nil
	all.Recent = recent(w, activityKinds...)
	old := full
	old.TrustDays, old.MayTest, old.MayTurnOff, old.PasswordChanged = 0, false, false, time.Time{}

	change := ChangePassword{Frame: quiet, Username: w.account, Min: 12}
	trusted := change
	trusted.Trusted, trusted.Min = true, 15
	rename := RenameMethod{Frame: quiet, Method: app, Label: w.label}
	test := TestMethod{Frame: quiet, Choices: []Choice{
		{Method: MethodApp, Checked: true}, {Method: MethodText, Ending: w.ending}, {Method: MethodCall, Ending: w.ending}, {Method: MethodBackup},
	}}
	testing := quiet
	testing.Flow = w.token
	none := func(name string, view View) fixture { return fixture{name, view, nil, nil} }

	return slices.Concat(trustFixtures(w, flow), keyFixtures(w, quiet, testing), testingFixtures(w, testing), []fixture{
		none("security-full", full),
		none("security-all-activity", all),
		none("security-trusted-before", old),
		none("security-managed", Security{
			Frame: quiet, Open: managed, Org: w.org, APIKeys: apiKeys(w)[:1],
			Recent: []Activity{{Kind: ActivitySignedIn, Method: MethodSSO, When: at, Browser: w.browser, Network: w.network}},
		}),
		{
			"changepassword", change, func(p ...Problem) View { change.Problems = p; return change },
			[]Problem{
				{"current", PwNoCurrent, nil},
				{"current", PwCurrent, Args{"left": 2}},
				{"password", PwNewEmpty, nil},
				{"password", PwShort, Args{"n": 12}},
				{"password", PwLong, Args{"n": 128}},
				{"password", PwCommon, nil},
				{"password", PwSame, nil},
			},
		},
		none("changepassword-trusted", trusted),
		{"rename", rename, func(p ...Problem) View { rename.Problems = p; return rename }, []Problem{{"label", LabelLong, Args{"n": 40}}}},
		none("rename-phone", RenameMethod{Frame: quiet, Method: phone}),
		{"test", test, func(p ...Problem) View { test.Problems = p; return test }, []Problem{{"method", MethodEmpty, nil}}},
		none("test-one", TestMethod{Frame: quiet, Choices: []Choice{{Method: MethodApp, Checked: true}}}),
		none("confirm-password", Confirm{Frame: quiet, Change: ChangeOfPassword, Method: MethodApp}),
		none("confirm-keys", Confirm{Frame: quiet, Change: ChangeKeys, Method: MethodApp}),
		none("confirm-rename", Confirm{Frame: quiet, Change: ChangeName, Method: MethodApp}),
		none("everywhere-trusted", SignOutEverywhere{quiet, 2, true, ""}),
		none("everywhere-org-one", SignOutEverywhere{quiet, 1, false, w.org}),
	})
}

// trustFixtures offer not to ask this browser again.
func trustFixtures(w sample, flow Frame) []fixture {
	app := VerifyApp{Frame: flow, OtherWays: true, Trust: Trust{30}}
	wrong := Problem{"code", CodeWrong, Args{"left": 3}}
	return []fixture{
		{"app-trust", app, func(p ...Problem) View { app.Problems = p; return app }, []Problem{wrong}},
		{"backup-trust", VerifyBackup{Frame: flow, OtherWays: true, Trust: Trust{1}}, nil, nil},
		{"phone-trust", VerifyPhone{
			Frame: flow, Method: MethodText, Ending: w.ending, CanText: true, CanCall: true, Sent: true,
			Minutes: 10, MoreCodes: 4, Wait: 30 * time.Second, OtherWays: true, Trust: Trust{30},
		}, nil, nil},
	}
}

// testingFixtures are the pages that ask for a code while somebody signed in
// tests one.
func testingFixtures(w sample, frame Frame) []fixture {
	code := func(key string) Problem { return Problem{Field: "code", Key: key} }
	app := VerifyApp{Frame: frame, OtherWays: true, Testing: true}
	backup := VerifyBackup{Frame: frame, OtherWays: true, Testing: true}
	choose := VerifyChoose{Frame: frame, Choices: []Choice{{Method: MethodApp, Checked: true}, {Method: MethodBackup}}, Testing: true}
	phone := VerifyPhone{Frame: frame, Method: MethodText, Ending: w.ending, CanText: true, CanCall: true, MoreCodes: -1, Testing: true}
	sent := phone
	sent.Sent, sent.Minutes, sent.OtherWays = true, 10, true
	return []fixture{
		{"app-testing", app, func(p ...Problem) View { app.Problems = p; return app }, []Problem{code(CodeWrong), code(CodeUsed)}},
		{"backup-testing", backup, func(p ...Problem) View { backup.Problems = p; return backup }, []Problem{code(BackupWrong)}},
		{"choose-testing", choose, func(p ...Problem) View { choose.Problems = p; return choose }, []Problem{{"method", MethodEmpty, nil}}},
		{"phone-testing-ask", phone, nil, nil},
		{"phone-testing-sent", sent, func(p ...Problem) View { sent.Problems = p; return sent }, []Problem{code(CodeLate)}},
	}
}

// activityKinds are all that can happen to an account.
var activityKinds = []string{
	ActivitySignedIn, ActivitySignedOut, ActivitySessionEnded, ActivitySessionsEnded, ActivityPasswordWrong,
	ActivityCodeWrong, ActivityLimit, ActivityFactorLocked, ActivityFactorAdded, ActivityFactorReplaced,
	ActivityFactorRenamed, ActivityFactorRemoved, ActivityStepOff, ActivityCodesMade, ActivityCodeUsed,
	ActivityTested, ActivityConfirmed, ActivityPassword, ActivityRecoveryAsked, ActivityStepReset,
	ActivityLinkMade, ActivityTrusted, ActivityTrustEnded, ActivityLocked, ActivityUnlocked, ActivityChanged,
	ActivityKeyAdded, ActivityKeyRotated, ActivityKeyRevoked,
}
