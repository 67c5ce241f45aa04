package caddymodule

// What lists print with --json.
type (
	accountListView struct {
		Accounts []accountView `json:"accounts"`
	}
	sessionList struct {
		Sessions []sessionView `json:"sessions"`
	}
)
