package web

import (
	"net/http"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// showSecurity is the page of security settings.
func showSecurity(v *visit) error {
	p := v.person
	open, err := v.Machine.Sessions.SessionsOf(v.ctx(), p.Account.ID)
	if err != nil {
		return err
	}
	view := pages.Security{
		Frame: v.frame(), Methods: v.methods(p.Factors),
		MayTurnOff: v.Machine.Settings.MayTurnOff && p.Factors.Protected(), Open: v.openSessions(open),
		MayAddPhone:    v.Machine.SendsAny() && len(p.Factors.Of(account.KindPhone)) == 0,
		MayChangePhone: v.Machine.SendsAny(),
		Org:            v.personOrg(),
	}
	for _, set := range p.Factors.Of(account.KindBackup) {
		view.BackupCodes, view.CodesMade = set.Left, set.Created
	}
	// What a change just did is told once, from its flow.
	if f, err := v.flow(); err == nil && f.Of(*p) {
		view.Notices = append(v.flowFrame(f).Notices, view.Notices...)
		_ = v.Machine.Flows.DeleteFlow(v.ctx(), f.Browser, f.ID)
	}
	if key, ok := doneKeys[v.r.URL.Query().Get("done")]; ok {
		view.Notices = append(view.Notices, pages.Notice{Kind: pages.Success, Key: key})
	}
	return v.show(http.StatusOK, view)
}

// openSessions lists sign-ins, the present one first.
func (v *visit) openSessions(all []session.Session) []pages.OpenSession {
	list := make([]pages.OpenSession, 0, len(all))
	for _, s := range all {
		shown := pages.OpenSession{
			ID: string(s.ID), Browser: s.Browser, Network: s.Network, Began: s.Created, Current: s.ID == v.person.Session.ID,
			Org: v.org(s.Provider()),
		}
		if shown.Current {
			list = slices.Insert(list, 0, shown)
			continue
		}
		list = append(list, shown)
	}
	return list
}

// doneKeys are what the address says after a removal, in words.
var doneKeys = map[string]string{
	"removed":       pages.NoticeRemoved,
	"phone-removed": pages.NoticePhoneRemoved,
	"off":           pages.NoticeTurnedOff,
}

// methods lists the enrolled methods as the page shows them.
func (v *visit) methods(fs account.Factors) []pages.Method {
	var out []pages.Method
	for _, f := range fs {
		if f.Kind != account.KindBackup {
			out = append(out, v.method(f, fs))
		}
	}
	return out
}

func (v *visit) method(f account.Factor, fs account.Factors) pages.Method {
	m := pages.Method{
		ID: f.ID, Kind: string(f.Kind), Name: f.Label, Added: f.Created, LastUsed: f.LastUsed,
		Kept: v.Machine.LastMethod(fs, f.ID) && !v.Machine.Settings.MayTurnOff,
	}
	if f.Kind == account.KindPhone {
		m.Ending = v.ending(fs)
	}
	return m
}

// showAddApp begins adding an authenticator, or replacing the one that the
// address names. It needs a fresh proof and makes nothing yet.
func showAddApp(v *visit) error {
	if !v.Machine.Fresh(*v.person) {
		return login.ErrStale
	}
	return v.show(http.StatusOK, pages.SetUpChoose{
		Frame: v.frame(), Post: "/account/security/app" + slash(v.tail), Choices: []pages.Choice{{Method: pages.MethodApp, Checked: true}},
	})
}

// slash puts a slash before what is not empty.
func slash(s string) string {
	if s == "" {
		return ""
	}
	return "/" + s
}

func submitAddApp(v *visit) error {
	if err := v.bindBrowser(); err != nil {
		return err
	}
	f, err := v.Machine.BeginEnrol(v.ctx(), v.client, *v.person, v.tail)
	if err != nil {
		return err
	}
	if f, err = v.Machine.BeginApp(v.ctx(), f, false); err != nil {
		return err
	}
	return v.next(f)
}

// showNewCodes says what making new codes does to the old ones.
func showNewCodes(v *visit) error {
	if !v.Machine.Fresh(*v.person) {
		return login.ErrStale
	}
	left, _ := v.person.Factors.BackupLeft()
	return v.show(http.StatusOK, pages.NewBackupCodes{Frame: v.frame(), Left: left})
}

func submitNewCodes(v *visit) error {
	if err := v.bindBrowser(); err != nil {
		return err
	}
	f, err := v.Machine.BeginCodes(v.ctx(), v.client, *v.person)
	if err != nil {
		return err
	}
	return v.next(f)
}
