package pages

// recoverFixtures are the views that an e-mail leads to, and those before it.
func recoverFixtures(w sample) []fixture {
	frame := Frame{Base: "/sallyport", RequestID: w.token}
	forgotten := Recover{Frame: frame, Username: w.account}
	choose := NewPassword{frame, w.token, w.account, 12}
	what := Activity{Kind: ActivityFactorAdded, Method: MethodApp, When: at, Browser: w.browser, Network: w.network}
	support := Activity{Kind: ActivityStepReset, When: at, Support: true}
	none := func(name string, view View) fixture { return fixture{name, view, nil, nil} }

	return []fixture{
		{
			"recover", forgotten, func(p ...Problem) View { forgotten.Problems = p; return forgotten },
			[]Problem{{"username", IDEmpty, nil}, {"username", IDFormat, nil}},
		},
		none("recoversent", RecoverSent{frame, w.account, 15}),
		none("recoversent-unnamed", RecoverSent{Frame: frame, Minutes: 1}),
		{
			"newpassword", choose, func(p ...Problem) View { choose.Problems = p; return choose },
			[]Problem{
				{"password", PwNewEmpty, nil},
				{"password", PwShort, Args{"n": 12}},
				{"password", PwLong, Args{"n": 128}},
				{"password", PwCommon, nil},
				{"password", PwSame, nil},
			},
		},
		none("recoverproblem", RecoverProblem{frame}),
		none("notme", NotMe{frame, w.token, w.account, what}),
		none("notme-somewhere", NotMe{frame, w.token, w.account, Activity{Kind: ActivitySignedIn, When: at}}),
		none("notme-support", NotMe{frame, w.token, w.account, support}),
		none("notmedone", NotMeDone{frame, ""}),
		none("notmedone-org", NotMeDone{frame, w.org}),
		none("notmeproblem", NotMeProblem{frame}),
	}
}
