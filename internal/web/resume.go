package web

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// A form that meets a session that has ended is not lost (SPEC A6). It goes back
// to its person in a page that holds it sealed; they sign in beside that page,
// and then send it by a click of their own, once. Nothing of it is kept here
// but that it may be sent.

// ResumePath is where a kept form is shown again and sent, on an app's host.
const ResumePath = OwnPrefix + "/resume"

const (
	// maxUnsent bounds the form that is kept, and maxResume the one that holds
	// it sealed, in bytes.
	maxUnsent = 64 << 10
	maxResume = 128 << 10
	// unsentLife is that of the browser cookie which a kept form is bound to.
	unsentLife = session.BrowserLife
	sealUnsent = "unsent form"
	onceUnsent = "unsent form\x00"
)

// unsentForm is a form on its way round.
type unsentForm struct {
	ID      string // its hash is spent when it is sent
	Account account.ID
	Binding session.Binding // to the browser
	Expires time.Time
	// Wish is the app's address that the form is for, and what it asks for.
	Wish login.Wish
	// Confirm: somebody was signed in, and more was asked for.
	Confirm bool `json:",omitempty"`
	// Type is its content type, Body what it holds; both are left out once the
	// page has it in clear.
	Type string `json:",omitempty"`
	Body []byte `json:",omitempty"`
}

// KeepForm answers a form that met no session, or one that is not enough: with
// a page that holds the form, and a way to sign in beside it. It reports false,
// and has answered nothing, where the form cannot be kept: it comes from
// another site, is of nobody known, too large, or has files. of is who is
// signed in, "" for nobody: then the cookie of the ended session says whose
// the form is.
func (p *Portal) KeepForm(w http.ResponseWriter, r *http.Request, a Arrival, wish login.Wish, of account.ID) bool {
	v := p.visit(w, r, a)
	defer v.recoverPanic()
	if v.keys == nil || !sameOrigin(r, a) {
		return false
	}
	confirm := of != ""
	if !confirm {
		of = v.lastAccount()
	}
	f := unsentForm{Account: of, Wish: wish, Confirm: confirm}
	if of == "" || !f.read(w, r) {
		return false
	}
	if err := v.keep(f); err != nil {
		v.fault(err)
	}
	return true
}

// lastAccount is whose session the browser's cookie is, or was.
func (v *visit) lastAccount() account.ID {
	raw, err := v.codecs.App.Decode(v.jar.Get(v.r, session.CookieApp))
	if err != nil {
		return ""
	}
	c, err := session.ParseCredential(raw)
	if err != nil {
		return ""
	}
	return c.Account
}

// read takes the form of a request, if it is one that can be sent again.
func (f *unsentForm) read(w http.ResponseWriter, r *http.Request) bool {
	if r.ContentLength > maxUnsent {
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUnsent))
	f.Type, f.Body = r.Header.Get("Content-Type"), body
	if err != nil {
		return false
	}
	_, _, err = formFields(f.Type, f.Body)
	return err == nil
}

// keep answers with the page that holds the form.
func (v *visit) keep(f unsentForm) error {
	if err := v.Machine.TakeForm(v.ctx(), v.client); err != nil {
		return err
	}
	if err := v.bindBrowser(); err != nil {
		return err
	}
	f.ID, f.Binding, f.Expires = secret.NewToken().Reveal(), v.binding, v.Machine.Now().Add(unsentLife)
	if err := v.Machine.Once.PutOnce(v.ctx(), unsentKey(f.ID), []byte{1}, f.Expires); err != nil {
		return err
	}
	return v.showUnsent(f, "")
}

// showUnsent is the page that holds the form, with what is in the way.
func (v *visit) showUnsent(f unsentForm, problem string) error {
	text, err := sealText(v.keys, sealUnsent, f)
	if err != nil {
		return err
	}
	back := f.Wish
	back.URI = ResumePath
	address, err := v.signInAddress(back)
	if err != nil {
		return err
	}
	return v.show(http.StatusUnauthorized, pages.UnsentForm{
		Frame: v.appFrame(), App: f.Wish.Title, Action: ResumePath, SignIn: address, Kept: text,
		Confirm: f.Confirm, Problem: problem,
	})
}

// ServeResume takes the page's form: it shows what it holds, ready to be sent,
// or sends it.
func (p *Portal) ServeResume(w http.ResponseWriter, r *http.Request, a Arrival) {
	p.visit(w, r, a).answerBy((*visit).resume)
}

func (v *visit) resume() error {
	if v.keys == nil {
		return errNoKeys
	}
	if !sameOrigin(v.r, v.arrival) {
		return errCrossSite
	}
	if text := v.r.URL.Query().Get("form"); text != "" {
		return v.sendUnsent(text)
	}
	form, err := readFormOf(v.w, v.r, maxResume)
	if err != nil {
		return err
	}
	f, err := v.openUnsent(form.Get("kept"))
	if err != nil {
		return v.formGone()
	}
	if problem, err := v.holds(f); err != nil || problem != "" {
		if err != nil {
			return err
		}
		return v.showUnsent(f, problem)
	}
	kind, fields, err := formFields(f.Type, f.Body)
	if err != nil { // the sealed text of the next page, which holds no form
		return v.formGone()
	}
	f.Type, f.Body = "", nil
	text, err := sealText(v.keys, sealUnsent, f)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, pages.SendForm{
		Frame: v.appFrame(), App: f.Wish.Title, Method: http.MethodPost, Address: v.arrival.Origin() + f.Wish.URI,
		Action: ResumePath + "?" + url.Values{"form": {text}}.Encode(), Encoding: kind, Fields: fields,
	})
}

// sendUnsent sends a form on to its app, with what the page had of it in clear:
// the browser repeats it at that address (RFC 9110 section 15.4.8). Once.
func (v *visit) sendUnsent(text string) error {
	f, err := v.openUnsent(text)
	if err != nil {
		return v.formGone()
	}
	problem, err := v.holds(f)
	if err != nil {
		return err
	}
	if problem != "" { // ended again meanwhile
		if !f.read(v.w, v.r) {
			return errBadForm
		}
		return v.showUnsent(f, problem)
	}
	_, err = v.Machine.Once.TakeOnce(v.ctx(), unsentKey(f.ID), v.Machine.Now())
	if errors.Is(err, session.ErrNotFound) {
		return v.show(http.StatusConflict, pages.FormSent{Frame: v.appFrame(), App: f.Wish.Title, Address: v.arrival.Origin() + "/"})
	}
	if err != nil {
		return err
	}
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.Header().Set("Location", LocalPath(f.Wish.URI))
	v.w.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}

// holds tells what is in the way of showing a form to who is signed in now, ""
// for nothing.
func (v *visit) holds(f unsentForm) (problem string, err error) {
	e, err := v.appSession()
	switch {
	case errors.Is(err, session.ErrNotFound):
		return pages.UnsentSignedOut, nil
	case err != nil:
		return "", err
	case e.Account.ID != f.Account:
		return pages.UnsentOther, nil
	case !f.Wish.ReachedBy(e.Token, e.Provider, v.Machine.Now()):
		return pages.UnsentSignedOut, nil
	}
	return "", nil
}

func unsentKey(id string) [32]byte { return login.OnceKey(onceUnsent, id) }

// formGone: the form is too old, or of another browser. Nothing can be shown.
func (v *visit) formGone() error {
	return v.show(http.StatusBadRequest, pages.Expired{Frame: v.appFrame(), Start: "/"})
}

// openUnsent reads a form that this browser was given on this host.
func (v *visit) openUnsent(text string) (f unsentForm, err error) {
	if f, err = openText[unsentForm](v.keys, sealUnsent, text, maxResume); err != nil {
		return f, err
	}
	raw := v.browserCookie()
	if raw == nil || BindingHash(raw) != f.Binding || f.Wish.Host != v.arrival.Host || !v.Machine.Now().Before(f.Expires) {
		return f, errors.New("a form of another browser or host, or too old")
	}
	return f, nil
}
