package pages

import "time"

// apiKeys are keys in every state.
func apiKeys(w sample) []APIKey {
	narrow := APIKey{
		ID: "k1", Name: w.label, Hosts: []string{w.host, "wiki.example.com"}, Paths: []string{"/api", "/export/reports"}, Methods: []string{"GET", "POST"},
		Made: at, Expires: at.Add(90 * 24 * time.Hour), LastUsed: at.Add(time.Hour), OldUntil: at.Add(24 * time.Hour),
	}
	unused := APIKey{ID: "k2", Name: "Backup job", Made: at.Add(-100 * 24 * time.Hour), Unused: true}
	twin := APIKey{ID: "k3", Name: "Backup job", Methods: []string{"GET"}, Made: at.Add(-200 * 24 * time.Hour), Expires: at.Add(-24 * time.Hour), Expired: true, Unused: true}
	return []APIKey{narrow, unused, twin}
}

// keyFixtures are the pages of API keys.
func keyFixtures(w sample, account, flow Frame) []fixture {
	fresh := NewAPIKey{Frame: account, Life: KeyQuarter}
	typed := NewAPIKey{Frame: account, Name: w.label, Hosts: w.host + " wiki.example.com", Paths: "/api /export/reports", Methods: "GET POST", Life: KeyNever}
	made := MadeAPIKey{flow, w.label, "sp_x3abrtyc5m2jqv7dk4hwnoezu6lgifsp2a7bqcdxe5yr3mnvt4wk2ab"}
	return []fixture{
		{"newkey", fresh, nil, nil},
		{
			"newkey-typed", typed, func(p ...Problem) View { typed.Problems = p; return typed },
			[]Problem{
				{"name", KeyNameEmpty, nil},
				{"name", LabelLong, Args{"n": 40}},
				{"name", KeyTooMany, Args{"n": 50}},
				{"hosts", KeyHostsBad, nil},
				{"hosts", KeyTerms, Args{"n": 20}},
				{"paths", KeyPathsBad, nil},
				{"methods", KeyMethodsBad, nil},
			},
		},
		{"madekey", made, nil, nil},
		{"rotatekey", RotateAPIKey{account, apiKeys(w)[0]}, nil, nil},
		{"revokekey", RevokeAPIKey{account, apiKeys(w)[0]}, nil, nil},
		{"revokekey-all", RevokeAPIKey{account, apiKeys(w)[1]}, nil, nil},
	}
}
