package pages

// ssoFixtures are the views about signing in with an identity provider.
func ssoFixtures(w sample, flow, account Frame) []fixture {
	const idp = "https://idp.example.com/sso?a=b&SAMLRequest=x"
	fields := []HiddenField{{"SAMLRequest", w.token}, {"RelayState", w.token}}
	providers := []Provider{{w.org, "/sallyport/saml/example/login?wish=x"}, {"Partner Ltd", "/sallyport/saml/partner/login"}}
	signed := account
	signed.Flow, signed.Notices = w.token, nil
	bare := Frame{Base: "/sallyport", RequestID: w.token, Flow: w.token}

	signIn := SignIn{Frame: bare, Username: w.account, Providers: providers, Plain: true}
	confirm := Confirm{Frame: signed, Change: ChangeSessions, Method: MethodApp, Others: []string{MethodBackup}, Next: w.token, Org: w.org}
	none := func(name string, view View) fixture { return fixture{name, view, nil, nil} }

	return []fixture{
		none("sso", SSO{Frame: bare, Org: w.org, Target: idp}),
		none("sso-typed", SSO{Frame: bare, Org: w.org, Typed: true, Target: idp}),
		none("sso-unnamed", SSO{Frame: flow, Target: "http://127.0.0.1:8080/sso"}),
		none("sso-post", SSO{Frame: bare, Org: w.org, Action: idp, Fields: fields}),
		none("sso-switch", SSO{Frame: signed, Org: w.org, Target: idp, Switch: true}),
		none("sso-switch-post", SSO{Frame: signed, Org: w.org, Action: idp, Fields: fields, Switch: true}),
		none("sso-fresh", SSO{Frame: signed, Org: w.org, Target: idp, Fresh: true}),
		none("sso-fresh-post", SSO{Frame: bare, Action: idp, Fields: fields, Fresh: true}),
		none("ssoconfirm", SSOConfirm{bare, w.org, w.other}),
		none("ssoconfirm-same", SSOConfirm{signed, w.org, w.account}),
		none("ssoconfirm-other", SSOConfirm{signed, "", w.other}),
		none("ssoproblem-technical", SSOProblem{bare, w.org, SSOTechnical, w.token}),
		none("ssoproblem-expired", SSOProblem{bare, w.org, SSOExpired, w.token}),
		none("ssoproblem-cancelled", SSOProblem{bare, w.org, SSOCancelled, w.token}),
		none("ssoproblem-notallowed", SSOProblem{bare, w.org, SSONotAllowed, ""}),
		none("ssoproblem-browser", SSOProblem{bare, w.org, SSOBrowser, ""}),
		none("ssoproblem-unasked", SSOProblem{bare, w.org, SSOUnasked, ""}),
		none("ssoproblem-unnamed", SSOProblem{bare, "", SSOUnasked, ""}),
		none("managed", Managed{account, w.org}),
		{
			"signin-providers", signIn, func(p ...Problem) View { signIn.Problems = p; return signIn },
			[]Problem{{"username", IDEmpty, nil}},
		},
		none("signedout-org", SignedOut{Frame: bare, Org: w.org, SignOutOrg: "/sallyport/sso?out=x"}),
		none("signedout-org-only", SignedOut{Frame: bare, Org: w.org}),
		none("signedout-both", SignedOut{Frame: bare, Org: w.org, OrgDone: true}),
		none("signedout-failed", SignedOut{Frame: bare, Org: w.org, OrgFailed: true}),
		none("security-org", Security{Frame: account, Open: sessions(w, 2), Org: w.org}),
		none("home-org", Home{Frame: account, LastSignIn: at, Org: w.org}),
		none("everywhere-org", SignOutEverywhere{account, 3, false, w.org}),
		{
			"confirm-org", confirm, func(p ...Problem) View { confirm.Problems = p; return confirm },
			[]Problem{{"", SSOUnknown, Args{"org": w.org, "id": w.token}}},
		},
	}
}
