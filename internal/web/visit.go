package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// visit is one request to a page.
type visit struct {
	*Portal
	w       http.ResponseWriter
	r       *http.Request
	arrival Arrival
	keys    *keyring.Ring
	codecs  Codecs
	jar     session.Jar
	client  login.Client
	form    url.Values // of a POST, each field once
	began   time.Time
	person  *login.Person   // set by signedIn
	binding session.Binding // set by bindBrowser
	bound   bool            // bindBrowser was called
	// verifying: a second factor is being proved at sign-in, where another
	// one may be chosen.
	verifying bool
	ofPhone   bool   // the codes that are asked for are sent to a phone
	tail      string // what follows the route's path
}

func (p *Portal) visit(w http.ResponseWriter, r *http.Request, a Arrival) *visit {
	v := &visit{Portal: p, w: w, r: r, arrival: a, jar: a.Jar(), began: p.Machine.Now()}
	v.keys, v.codecs = p.Keys()
	v.client.Network, v.client.Wide = Networks(a.Client)
	ua := r.UserAgent()
	v.client.Agent = func() string { return Agent(ua) }
	v.client.Request, v.client.Host = a.RequestID, a.Host
	if raw := v.browserCookie(); raw != nil {
		v.client.Browser = BrowserHash(raw)
	}
	v.client.Language = p.Config.Language
	v.client.Device, v.client.Trust = v.device(), v.trust()
	return v
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// place is where the portal's session token opens.
func (v *visit) place() login.Place { return login.Place{Purpose: v.purpose(), Host: v.arrival.Host} }

// BrowserHash is what flows know of a browser cookie's value.
func BrowserHash(value []byte) login.BrowserHash {
	sum := sha256.Sum256(value)
	return login.BrowserHash(hex.EncodeToString(sum[:]))
}

// browserCookie returns the value of this browser's binding cookie, nil
// without a good one.
func (v *visit) browserCookie() []byte {
	text := v.jar.Get(v.r, session.CookieBrowser)
	if text == "" || v.keys == nil {
		return nil
	}
	raw, err := v.codecs.Browser.Decode(text)
	if err != nil || len(raw) != bindingBytes {
		return nil
	}
	return raw
}

const bindingBytes = 32

// bindBrowser makes sure that the browser has a binding cookie, and lengthens
// the life of the one it has, so that tabs do not overwrite each other's.
func (v *visit) bindBrowser() error {
	if v.bound {
		return nil
	}
	if v.keys == nil {
		return errNoKeys
	}
	raw := v.browserCookie()
	if raw == nil {
		raw = secret.NewKey(bindingBytes).Reveal()
	}
	text, err := v.codecs.Browser.Encode(raw)
	if err != nil {
		return err
	}
	v.jar.Set(v.w, session.CookieBrowser, text, session.BrowserLife)
	v.client.Browser, v.binding, v.bound = BrowserHash(raw), BindingHash(raw), true
	return nil
}

func (v *visit) device() *login.Device {
	text := v.jar.Get(v.r, session.CookieDevice)
	if text == "" || v.keys == nil {
		return nil
	}
	raw, err := v.codecs.Device.Decode(text)
	if err != nil {
		return nil
	}
	var d login.Device
	if json.Unmarshal(raw, &d) != nil || d.ID == "" {
		return nil
	}
	return &d
}

func (v *visit) setDevice(d login.Device) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	text, err := v.codecs.Device.Encode(raw)
	if err != nil {
		return err
	}
	v.jar.Set(v.w, session.CookieDevice, text, session.DeviceLife)
	return nil
}

func (v *visit) trust() *login.Trust {
	text := v.jar.Get(v.r, session.CookieTrust)
	if text == "" || v.keys == nil {
		return nil
	}
	raw, err := v.codecs.Trust.Decode(text)
	if err != nil {
		return nil
	}
	t, err := login.ParseTrust(raw)
	if err != nil {
		return nil
	}
	return &t
}

func (v *visit) setTrust(t login.Trust) error {
	text, err := v.codecs.Trust.Encode(t.Marshal())
	if err != nil {
		return err
	}
	v.jar.Set(v.w, session.CookieTrust, text, v.Machine.Settings.TrustBrowser)
	return nil
}

// endedKnown is how long after its end a session's cookie still says whose it
// was (SPEC A6).
const endedKnown = 24 * time.Hour

// setSession sends the portal's session cookie.
func (v *visit) setSession(c session.Credential) error {
	raw, err := c.Marshal()
	if err != nil {
		return err
	}
	text, err := v.codecs.Of(v.purpose()).Encode(raw)
	if err != nil {
		return err
	}
	v.jar.Set(v.w, v.cookie(), text, v.Config.SessionLife+endedKnown)
	return nil
}

// signedIn reads who is signed in, from the stores; nil for nobody.
func (v *visit) signedIn() (*login.Person, error) {
	if v.person != nil {
		return v.person, nil
	}
	text := v.jar.Get(v.r, v.cookie())
	if text == "" {
		return nil, nil
	}
	e, err := v.Reader.Read(v.ctx(), session.Key{Purpose: v.purpose(), Host: v.arrival.Host, Cookie: text})
	if errors.Is(err, session.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := v.Reader.Use(v.ctx(), e, v.Machine.Now()); err != nil && !errors.Is(err, session.ErrNotFound) {
		return nil, err
	}
	person, err := v.Machine.Person(v.ctx(), e)
	if errors.Is(err, session.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if provider := person.Session.Provider(); provider != "" {
		if _, ok := v.Machine.Settings.Providers[provider]; !ok {
			return nil, nil // nobody answers for them any more
		}
	}
	v.person = &person
	return v.person, nil
}

// flow loads the flow that the request names, in its form or its address.
func (v *visit) flow() (login.Flow, error) {
	id := v.form.Get("flow")
	if v.r.Method != http.MethodPost {
		id = v.r.URL.Query().Get("flow")
	}
	if v.client.Browser == "" {
		return login.Flow{}, errNoBinding
	}
	f, err := v.Machine.Load(v.ctx(), v.client, login.FlowID(id))
	if err != nil || f.Purpose == login.SignIn {
		return f, err
	}
	// A flow that somebody signed in began opens nothing without their session.
	p, err := v.signedIn()
	if err == nil && (p == nil || !f.Of(*p)) {
		err = login.ErrNoFlow
	}
	return f, err
}

// frame is what every page has around it.
func (v *visit) frame() pages.Frame {
	f := pages.Frame{Base: v.Config.Base, Lang: v.Config.Language, RequestID: v.arrival.RequestID}
	if v.person != nil {
		f.Account = v.person.Account.Label()
	}
	return f
}

// flowFrame adds the flow's identity and what is to be told.
func (v *visit) flowFrame(f login.Flow) pages.Frame {
	frame := v.frame()
	frame.Flow = string(f.ID)
	for _, p := range f.Problems {
		args := pages.Args{}
		switch {
		case p.Key == pages.SendWait:
			args["time"] = time.Duration(p.Left) * time.Second
		case p.Left > 0:
			args[leftName(p.Key)] = p.Left
		}
		frame.Problems = append(frame.Problems, pages.Problem{Field: p.Field, Key: p.Key, Args: args})
	}
	for _, n := range f.Notices {
		frame.Notices = append(frame.Notices, pages.Notice{Kind: n.Kind, Key: n.Key, Args: pages.Args{"n": n.Count, "ending": n.Ending}})
	}
	return frame
}

// leftName: the number of a problem is the attempts left, but for the length
// of a new password or a name, and for how many of something there may be.
func leftName(key string) string {
	switch key {
	case pages.PwShort, pages.PwLong, pages.LabelLong, pages.KeyTerms, pages.KeyTooMany:
		return "n"
	}
	return "left"
}

// show renders a page.
func (v *visit) show(status int, view pages.View) error { return v.Pages.Write(v.w, status, view) }

// to answers 303 to a page of the portal.
func (v *visit) to(path string, query ...string) error {
	target := v.Config.Base + path
	if len(query) > 0 {
		q := url.Values{}
		for i := 0; i+1 < len(query); i += 2 {
			if query[i+1] != "" {
				q.Set(query[i], query[i+1])
			}
		}
		if len(q) > 0 {
			target += "?" + q.Encode()
		}
	}
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.Header().Set("Location", target)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// answerMark is how answers to a password leave: at the next multiple after
// the work, so that its duration tells nothing (SPEC B1).
const answerMark = 250 * time.Millisecond

// waitForMark sleeps until the next mark since the request began.
func (v *visit) waitForMark() {
	passed := v.Machine.Now().Sub(v.began)
	select {
	case <-time.After(answerMark - passed%answerMark):
	case <-v.ctx().Done():
	}
}
