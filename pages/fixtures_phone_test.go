package pages

import "time"

// phoneFixtures are the views about codes by text message and call.
func phoneFixtures(w sample, flow, account Frame) []fixture {
	code := func(key string) Problem { return Problem{Field: "code", Key: key} }
	whole := func(key string) Problem { return Problem{Key: key} }
	late := Problem{"code", CodeLate, Args{"left": 2}}
	soon := Problem{"", SendWait, Args{"time": 21 * time.Second}}

	told := flow
	told.Notices = []Notice{{Success, NoticeSent, Args{"ending": w.ending}}, {Success, NoticeCalled, Args{"ending": w.ending}}}
	changed := account
	changed.Notices = []Notice{
		{Success, NoticePhoneAdded, Args{"ending": w.ending}},
		{Success, NoticePhoneChanged, Args{"ending": w.ending}},
		{Success, NoticePhoneRemoved, nil},
	}
	number := Method{ID: "p1", Kind: MethodPhone, Ending: w.ending, Added: at, LastUsed: at.Add(time.Hour)}
	kept := number
	kept.Kept = true
	app := Method{ID: "a1", Kind: MethodApp, Name: w.label, Added: at}

	ask := VerifyPhone{Frame: flow, Method: MethodText, Ending: w.ending, CanText: true, CanCall: true, MoreCodes: -1, OtherWays: true}
	sent := ask
	sent.Frame, sent.Sent, sent.SentBy, sent.Minutes, sent.Wait, sent.MoreCodes = told, true, MethodText, 10, 30*time.Second, 4
	called := VerifyPhone{
		Frame: flow, Method: MethodCall, Ending: w.ending, CanText: true, CanCall: true, Sent: true,
		Minutes: 1, MoreCodes: 1, Hint: true,
	}
	add := SetUpPhone{Frame: flow, Number: w.number, CanText: true, CanCall: true, App: true, OtherWays: true, Forced: true}
	change := SetUpPhone{
		Frame: account, Number: w.number, Channel: MethodCall, CanText: true, CanCall: true,
		DefaultCode: "+44", Current: w.ending, Post: "/account/security/phone",
	}
	confirm := ConfirmPhone{
		Frame: told, Number: w.number, CanText: true, CanCall: true, SentBy: MethodText,
		Minutes: 9, Wait: 29 * time.Second, MoreCodes: 3, Hint: true, OtherWays: true, Forced: true,
	}

	return []fixture{
		{"phone-ask", ask, func(p ...Problem) View { ask.Problems = p; return ask }, []Problem{
			whole(SendFail), whole(SendFailCall), whole(SendFailAny), whole(CodeVoid), whole(CodeExpired), whole(CodeNone), soon,
		}},
		{"phone-ask-call", VerifyPhone{Frame: flow, Method: MethodCall, Ending: w.ending, CanText: true, CanCall: true, Wait: time.Minute}, nil, nil},
		{"phone-ask-none", VerifyPhone{Frame: flow, Method: MethodText, Ending: w.ending, OtherWays: true}, nil, nil},
		{"phone-sent", sent, func(p ...Problem) View { sent.Problems = p; return sent }, []Problem{
			late, code(CodeEmpty), code(CodeFormat), code(CodeExpired), soon, whole(SendFail),
		}},
		{"phone-called", called, func(p ...Problem) View { called.Problems = p; return called }, []Problem{late, whole(SendFailCall)}},
		{"phone-sent-last", VerifyPhone{Frame: flow, Method: MethodText, Ending: w.ending, CanText: true, Sent: true, Minutes: 10, OtherWays: true}, nil, nil},
		{"phone-sent-textonly", VerifyPhone{Frame: flow, Method: MethodText, Ending: w.ending, CanText: true, Sent: true, MoreCodes: -1}, nil, nil},
		{"phone-sent-calls", VerifyPhone{Frame: flow, Method: MethodText, Ending: w.ending, CanCall: true, Sent: true, MoreCodes: -1}, nil, nil},
		{"phone-sent-none", VerifyPhone{Frame: flow, Method: MethodText, Ending: w.ending, Sent: true, Minutes: 5, MoreCodes: 2}, nil, nil},
		{"phone-unsure", VerifyPhone{
			Frame: flow, Method: MethodText, Ending: w.ending, CanText: true, CanCall: true, Sent: true, Unsure: true, Minutes: 10, MoreCodes: 5, OtherWays: true,
		}, nil, nil},
		{"confirmphone-unsure", ConfirmPhone{
			Frame: flow, Number: w.number, CanText: true, CanCall: true, SentBy: MethodCall, Unsure: true, Minutes: 1, MoreCodes: 5, OtherWays: true, Forced: true,
		}, nil, nil},
		{"setupphone", add, func(p ...Problem) View { add.Problems = p; return add }, []Problem{
			{"phone", PhoneEmpty, nil},
			{"phone", PhoneFormat, nil},
			{"phone", PhoneUnsupported, nil},
			{"phone", PhoneLandline, nil},
			{"phone", PhoneSame, nil},
			{"channel", PhoneChannel, nil},
			whole(SendFail),
		}},
		{"setupphone-change", change, func(p ...Problem) View { change.Problems = p; return change }, []Problem{{"phone", PhoneSame, nil}}},
		{"setupphone-text", SetUpPhone{Frame: account, CanText: true}, nil, nil},
		{"setupphone-call", SetUpPhone{Frame: flow, CanCall: true, App: true}, nil, nil},
		{"setupphone-none", SetUpPhone{Frame: flow, App: true, OtherWays: true, Forced: true}, nil, nil},
		{"confirmphone", confirm, func(p ...Problem) View { confirm.Problems = p; return confirm }, []Problem{late, code(CodeExpired), soon}},
		{"confirmphone-change", ConfirmPhone{Frame: account, Number: w.number, Current: w.ending, CanText: true, CanCall: true, SentBy: MethodCall, Minutes: 1}, nil, nil},
		{"confirmphone-ask", ConfirmPhone{Frame: flow, Number: w.number, CanText: true, CanCall: true, Current: w.ending}, nil, nil},
		{"offerapp", OfferApp{flow}, nil, nil},
		{"limited-phone", Limited{Frame: flow, Kind: LimitCodes, Phone: true, Wait: time.Minute, Until: at, OtherWays: "/verify?flow=x"}, nil, nil},
		{"setup-both", SetUpChoose{Frame: account, Choices: []Choice{{Method: MethodApp, Checked: true}, {Method: MethodPhone}}}, nil, nil},
		{"choose-phone", VerifyChoose{Frame: flow, Choices: []Choice{{Method: MethodCall, Ending: w.ending, Checked: true}, {Method: MethodText, Ending: w.ending}, {Method: MethodBackup}}}, nil, nil},
		{"security-phone", Security{Frame: changed, MayChangePhone: true, Methods: []Method{number}, BackupCodes: 9, CodesMade: at, Open: sessions(w, 1)}, nil, nil},
		{"security-both", Security{Frame: account, Methods: []Method{app, number}, BackupCodes: 9, CodesMade: at, MayTurnOff: true, Open: sessions(w, 2)}, nil, nil},
		{"security-keptphone", Security{Frame: account, Methods: []Method{kept}, BackupCodes: 9, CodesMade: at, Open: sessions(w, 1)}, nil, nil},
		{"security-addphone", Security{Frame: account, Methods: []Method{app}, BackupCodes: 9, CodesMade: at, MayAddPhone: true, Open: sessions(w, 1)}, nil, nil},
		{"security-addany", Security{Frame: account, MayAddPhone: true, Open: sessions(w, 1)}, nil, nil},
		{"remove-phone", RemoveMethod{account, number, true}, nil, nil},
		{"turnoff-phone", TurnOff{account, []Method{app, number}, 7}, nil, nil},
		{"confirm-text", Confirm{Frame: account, Change: ChangePhone, Method: MethodText, Ending: w.ending, Others: []string{MethodCall, MethodApp, MethodBackup}}, nil, nil},
		{"confirm-call", Confirm{Frame: account, Change: ChangeAddPhone, Method: MethodCall, Ending: w.ending, Others: []string{MethodText, MethodBackup}}, nil, nil},
	}
}
