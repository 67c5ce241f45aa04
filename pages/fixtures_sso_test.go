package pages

// ssoFixtures are the views about signing in with an identity provider.
func ssoFixtures(text string, flow, account Frame) []fixture {
	const idp = "https://idp.example.com/sso?a=b&SAMLRequest=x"
	fields := []HiddenField{{"SAMLRequest", text}, {"RelayState", text}}
	providers := []Provider{{text, "/sallyport/saml/example/login?wish=x"}, {"Partner Ltd", "/sallyport/saml/partner/login"}}
	signed := account
	signed.Flow, signed.Notices = text, nil
	bare := Frame{Base: "/sallyport", RequestID: text, Flow: text}

	signIn := SignIn{Frame: bare, Username: text, Providers: providers, Plain: true}
	confirm := Confirm{Frame: signed, Change: ChangeSessions, Method: MethodApp, Others: []string{MethodBackup}, Next: text, Org: text}
	none := func(name string, view View) fixture { return fixture{name, view, nil, nil} }

	return []fixture{
		none("sso", SSO{Frame: bare, Org: text, Target: idp}),
		none("sso-unnamed", SSO{Frame: flow, Target: "http://127.0.0.1:8080/sso"}),
		none("sso-post", SSO{Frame: bare, Org: text, Action: idp, Fields: fields}),
		none("sso-switch", SSO{Frame: signed, Org: text, Target: idp, Switch: true}),
		none("sso-switch-post", SSO{Frame: signed, Org: text, Action: idp, Fields: fields, Switch: true}),
		none("sso-fresh", SSO{Frame: signed, Org: text, Target: idp, Fresh: true}),
		none("sso-fresh-post", SSO{Frame: bare, Action: idp, Fields: fields, Fresh: true}),
		none("ssoconfirm", SSOConfirm{bare, text, text}),
		none("ssoconfirm-other", SSOConfirm{signed, "", text}),
		none("ssoproblem-technical", SSOProblem{bare, text, SSOTechnical, text}),
		none("ssoproblem-expired", SSOProblem{bare, text, SSOExpired, text}),
		none("ssoproblem-cancelled", SSOProblem{bare, text, SSOCancelled, text}),
		none("ssoproblem-notallowed", SSOProblem{bare, text, SSONotAllowed, ""}),
		none("ssoproblem-browser", SSOProblem{bare, text, SSOBrowser, ""}),
		none("ssoproblem-unasked", SSOProblem{bare, text, SSOUnasked, ""}),
		none("ssoproblem-unnamed", SSOProblem{bare, "", SSOUnasked, ""}),
		none("managed", Managed{account, text}),
		{
			"signin-providers", signIn, func(p ...Problem) View { signIn.Problems = p; return signIn },
			[]Problem{{"username", IDEmpty, nil}},
		},
		none("signedout-org", SignedOut{Frame: bare, Org: text, SignOutOrg: "/sallyport/sso?out=x"}),
		none("signedout-org-only", SignedOut{Frame: bare, Org: text}),
		none("signedout-both", SignedOut{Frame: bare, Org: text, OrgDone: true}),
		none("signedout-failed", SignedOut{Frame: bare, Org: text, OrgFailed: true}),
		none("security-org", Security{Frame: account, Open: sessions(2), Org: text}),
		none("home-org", Home{Frame: account, LastSignIn: at, Org: text}),
		none("everywhere-org", SignOutEverywhere{account, 3, false, text}),
		{
			"confirm-org", confirm, func(p ...Problem) View { confirm.Problems = p; return confirm },
			[]Problem{{"", SSOUnknown, Args{"org": text, "id": text}}},
		},
	}
}
