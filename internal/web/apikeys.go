package web

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

const day = 24 * time.Hour

// keyLives are what somebody may choose for a new key; keyGraces for how long a
// replaced one goes on working.
var (
	keyLives  = map[string]time.Duration{pages.KeyMonth: 30 * day, pages.KeyQuarter: 90 * day, pages.KeyYear: 365 * day, pages.KeyNever: 0}
	keyGraces = map[string]time.Duration{pages.KeyHour: time.Hour, pages.KeyDay: day, pages.KeyWeek: 7 * day, pages.KeyAtOnce: 0}
)

// apiKeys lists the person's keys.
func (v *visit) apiKeys() ([]pages.APIKey, error) {
	all, err := v.Machine.APIKeys.APIKeysOf(v.ctx(), v.person.Account.ID)
	list := make([]pages.APIKey, 0, len(all))
	for _, k := range all {
		list = append(list, v.apiKey(k))
	}
	return list, err
}

func (v *visit) apiKey(k account.APIKey) pages.APIKey {
	now := v.Machine.Now()
	shown := pages.APIKey{
		ID: k.ID, Name: k.Name, Hosts: k.Scope.Hosts, Paths: k.Scope.Paths, Methods: k.Scope.Methods,
		Made: k.Issued, Expires: k.Expires, Expired: k.Expired(now), LastUsed: k.LastUsed, Unused: k.Unused(now),
	}
	if k.OldUntil.After(now) {
		shown.OldUntil = k.OldUntil
	}
	return shown
}

// showNewKey asks what a new key is for and what it may.
func showNewKey(v *visit) error {
	if !v.Machine.Fresh(*v.person) {
		return login.ErrStale
	}
	frame, kept := v.keptFrame()
	view := pages.NewAPIKey{
		Frame: frame, Name: kept["name"], Hosts: kept["hosts"], Paths: kept["paths"], Methods: kept["methods"], Life: kept["life"],
	}
	if _, known := keyLives[view.Life]; !known {
		view.Life = pages.KeyQuarter
	}
	return v.show(http.StatusOK, view)
}

func submitNewKey(v *visit) error {
	if err := v.bindBrowser(); err != nil {
		return err
	}
	kept := map[string]string{}
	for _, name := range []string{"name", "hosts", "paths", "methods", "life"} {
		kept[name] = v.form.Get(name)
	}
	life, known := keyLives[kept["life"]]
	if !known {
		life = keyLives[pages.KeyQuarter]
	}
	f, problem, err := v.Machine.AddAPIKey(v.ctx(), v.client, *v.person, login.KeyWish{
		Name: kept["name"], Hosts: words(kept["hosts"]), Paths: words(kept["paths"]), Methods: words(kept["methods"]), Life: life,
	})
	if err != nil {
		return err
	}
	if problem != nil {
		return v.refuseChange(kept, *problem)
	}
	return v.to("/account/keys/made", "flow", string(f.ID))
}

// words are what stands between spaces, commas and line ends.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' })
}

// showMadeKey shows a new key to the browser that it was made in, until the
// person has it, or half an hour is over.
func showMadeKey(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	k, err := v.Machine.ShownKey(*v.person, f)
	if errors.Is(err, login.ErrNotNext) {
		return toSecurity(v)
	}
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, pages.MadeAPIKey{Frame: v.flowFrame(f), Name: k.Name, Key: k.Text})
}

// submitMadeKey forgets the key: from here on nobody can show it. The session
// cookie changes with it, so that Back does not bring the key back.
func submitMadeKey(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	if f.Purpose != login.ShowKey {
		return toSecurity(v)
	}
	if err := v.Machine.Flows.DeleteFlow(v.ctx(), f.Browser, f.ID); err != nil {
		return err
	}
	cred, err := v.Machine.Rotate(v.ctx(), *v.person, v.place())
	if err != nil {
		return err
	}
	if err := v.setSession(cred); err != nil {
		return err
	}
	return toSecurity(v)
}

// showRotateKey asks for how long the old one goes on working.
func showRotateKey(v *visit) error {
	k, err := v.ownKey()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, pages.RotateAPIKey{Frame: v.frame(), Key: v.apiKey(k)})
}

func submitRotateKey(v *visit) error {
	if err := v.bindBrowser(); err != nil {
		return err
	}
	grace := keyGraces[cmp.Or(v.form.Get("grace"), pages.KeyDay)]
	f, err := v.Machine.RotateAPIKey(v.ctx(), v.client, *v.person, v.tail, grace)
	if err != nil {
		return gone(err)
	}
	return v.to("/account/keys/made", "flow", string(f.ID))
}

// showRevokeKey asks before a key ends.
func showRevokeKey(v *visit) error {
	k, err := v.ownKey()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, pages.RevokeAPIKey{Frame: v.frame(), Key: v.apiKey(k)})
}

// submitRevokeKey ends a key. One that is gone already is what was wanted.
func submitRevokeKey(v *visit) error {
	return v.ended(v.Machine.RevokeAPIKey(v.ctx(), v.client, *v.person, v.tail), "key-revoked")
}

// ownKey is the key that the address names.
func (v *visit) ownKey() (account.APIKey, error) {
	k, err := v.Machine.OwnAPIKey(v.ctx(), *v.person, v.tail)
	return k, gone(err)
}

// gone is the answer for a key that is not there, or not theirs.
func gone(err error) error {
	if errors.Is(err, account.ErrNotFound) {
		return errNotFound
	}
	return err
}
