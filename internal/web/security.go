package web

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

// showSecurity is the page of security settings.
func showSecurity(v *visit) error {
	p := v.person
	view := pages.Security{
		Frame: v.frame(), Methods: v.methods(p.Factors),
		MayTurnOff:     v.Machine.Settings.MayTurnOff && p.Factors.Protected(),
		MayAddPhone:    v.Machine.SendsAny() && len(p.Factors.Of(account.KindPhone)) == 0,
		MayChangePhone: v.Machine.SendsAny(), MayTest: len(v.Machine.Offered(p.Account, p.Factors)) > 0,
		PasswordChanged: p.Account.PasswordChanged, TrustDays: days(v.Machine.Settings.TrustBrowser),
		Org: v.personOrg(),
	}
	for _, set := range p.Factors.Of(account.KindBackup) {
		view.BackupCodes, view.CodesMade = set.Left, set.Created
	}
	var err error
	if view.Open, err = v.openSessions(); err != nil {
		return err
	}
	if view.Browsers, err = v.trustedBrowsers(); err != nil {
		return err
	}
	if view.APIKeys, err = v.apiKeys(); err != nil {
		return err
	}
	if view.Recent, err = v.recent(); err != nil {
		return err
	}
	view.Notices = append(v.justDone(), view.Notices...)
	return v.show(http.StatusOK, view)
}

// openSessions lists the person's sign-ins, the present one first.
func (v *visit) openSessions() ([]pages.OpenSession, error) {
	all, err := v.Machine.Sessions.SessionsOf(v.ctx(), v.person.Account.ID)
	if err != nil {
		return nil, err
	}
	list := make([]pages.OpenSession, 0, len(all))
	for _, s := range all {
		shown := pages.OpenSession{
			ID: string(s.ID), Browser: s.Browser, Network: s.Network, Began: s.Created, LastUsed: s.Created,
			Current: s.ID == v.person.Session.ID, Org: v.org(s.Provider()),
		}
		if s.LastUsed.After(shown.LastUsed) {
			shown.LastUsed = s.LastUsed
		}
		if shown.Current {
			list = slices.Insert(list, 0, shown)
			continue
		}
		list = append(list, shown)
	}
	return list, nil
}

func (v *visit) trustedBrowsers() ([]pages.TrustedBrowser, error) {
	all, err := v.Machine.Trusts.TrustedBrowsers(v.ctx(), v.person.Account.ID, v.Machine.Now())
	list := make([]pages.TrustedBrowser, 0, len(all))
	for _, t := range all {
		list = append(list, pages.TrustedBrowser{
			ID: t.ID, Browser: t.Browser, Network: t.Network, Since: t.Created, Until: t.Expires, LastUsed: t.LastUsed,
			Current: v.client.Trust != nil && v.client.Trust.ID == t.ID,
		})
	}
	return list, err
}

// justDone tells what a change just did: from its flow, once, or as the address
// says.
func (v *visit) justDone() (notices []pages.Notice) {
	if f, err := v.flow(); err == nil && f.Of(*v.person) {
		notices = v.flowFrame(f).Notices
		_ = v.Machine.Flows.DeleteFlow(v.ctx(), f.Browser, f.ID)
	}
	q := v.r.URL.Query()
	if key, ok := doneKeys[q.Get("done")]; ok {
		n, _ := strconv.Atoi(q.Get("n"))
		if key == pages.NoticeTestedBackup {
			n, _ = v.person.Factors.BackupLeft()
		}
		args := pages.Args{"n": min(max(n, 0), 999), "ending": v.ending(v.person.Factors)}
		notices = append(notices, pages.Notice{Kind: pages.Success, Key: key, Args: args})
	}
	return notices
}

// doneKeys are what the address says after a change, in words.
var doneKeys = map[string]string{
	"removed":       pages.NoticeRemoved,
	"phone-removed": pages.NoticePhoneRemoved,
	"off":           pages.NoticeTurnedOff,
	"renamed":       pages.NoticeRenamed,
	"password":      pages.NoticePasswordNew,
	"session":       pages.NoticeSessionEnded,
	"others":        pages.NoticeSessionsEnded,
	"trust":         pages.NoticeTrustEnded,
	"key-revoked":   pages.NoticeKeyRevoked,
	"tested-app":    pages.NoticeTestedApp,
	"tested-phone":  pages.NoticeTestedPhone,
	"tested-backup": pages.NoticeTestedBackup,
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
	view := pages.SetUpChoose{
		Frame: v.frame(), Post: "/account/security/app" + slash(v.tail), Choices: []pages.Choice{{Method: pages.MethodApp, Checked: true}},
		Another: len(v.person.Factors.Of(account.KindApp)) > 0,
	}
	if v.tail != "" {
		f, ok := v.person.Factors.ByID(v.tail)
		if !ok || f.Kind != account.KindApp {
			return errNotFound
		}
		old := v.method(f, v.person.Factors)
		view.Old = &old
	}
	return v.show(http.StatusOK, view)
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
