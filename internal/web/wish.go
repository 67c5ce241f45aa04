package web

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// WishLife is how long a wish may be presented.
const WishLife = time.Hour

// sealWish is the context that wishes are sealed for.
const sealWish = "wish"

// SealWish makes the text that a guard sends along to the portal.
func (p *Portal) SealWish(w login.Wish) (string, error) {
	ring, _ := p.Keys()
	if ring == nil {
		return "", errNoKeys
	}
	return sealText(ring, sealWish, w)
}

// openWish reads a wish that a guard of ours sealed, unexpired, for a host
// that is protected here.
func (v *visit) openWish(text string) (*login.Wish, error) {
	w, err := openText[login.Wish](v.keys, sealWish, text, maxSealed)
	if err != nil {
		return nil, err
	}
	if !v.Machine.Now().Before(w.Expires) {
		return nil, errors.New("the wish has expired")
	}
	known, err := v.Hosts.Known(v.ctx(), w.Host)
	if err != nil {
		return nil, err
	}
	if w.Host != v.arrival.Host && !(known && v.OwnHost()) {
		return nil, errHost
	}
	w.URI = LocalPath(w.URI)
	return &w, nil
}

// LocalPath gives a path and query that stays on its host: exactly one leading
// slash, no backslash, no control character. Anything else is "/".
func LocalPath(uri string) string {
	if !strings.HasPrefix(uri, "/") || len(uri) > maxSealed/2 {
		return "/"
	}
	uri = "/" + strings.TrimLeft(uri, `/\`)
	for _, c := range []byte(uri) {
		if c < 0x20 || c == 0x7f || c == '\\' {
			return "/"
		}
	}
	return uri
}

// BindingHash is what a wish and a ticket know of a browser cookie's value.
func BindingHash(value []byte) session.Binding { return sha256.Sum256(value) }

// depart leaves the portal after a finished sign-in: to its own home, to the
// address on this very host, or to the page that leads to another host.
func (v *visit) depart(w *login.Wish) error {
	switch {
	case w == nil:
		return v.to("/")
	case w.Host == v.arrival.Host:
		return v.redirectHere(w.URI)
	}
	text, err := v.SealWish(*w)
	if err != nil {
		return err
	}
	return v.to("/continue", "wish", text)
}

// redirectHere answers 303 to a path of this host outside the portal.
func (v *visit) redirectHere(uri string) error {
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.Header().Set("Location", LocalPath(uri))
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// SignInAddress binds this host's browser to a wish by a cookie, and gives the
// address of the sign-in page. A guard calls it before it sends a browser away.
func (p *Portal) SignInAddress(w http.ResponseWriter, r *http.Request, a Arrival, wish login.Wish) (string, error) {
	v := &visit{Portal: p, w: w, r: r, arrival: a, jar: a.Jar()} // of a visit what it needs
	v.keys, v.codecs = p.Keys()
	return v.signInAddress(wish)
}

func (v *visit) signInAddress(w login.Wish) (string, error) {
	if err := v.bindBrowser(); err != nil {
		return "", err
	}
	w.Binding, w.Expires = v.binding, v.Machine.Now().Add(WishLife)
	text, err := v.SealWish(w)
	if err != nil {
		return "", err
	}
	base := v.Config.Origin
	if base == "" {
		base = OwnPrefix
	}
	return base + "/sign-in?wish=" + text, nil // base64url needs no escape
}
