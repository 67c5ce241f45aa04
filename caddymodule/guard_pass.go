package caddymodule

import (
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/assertion"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// identityHeaders are the names that tell an app who is asking: the
// configured ones, and the default ones even where others are configured.
func identityHeaders(h HeaderNames) []string {
	names := []string{"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", assertion.Header}
	for _, n := range []string{h.User, h.Name, h.Email, h.Groups} {
		if n != "" {
			names = append(names, n)
		}
	}
	return names
}

// pass lets the request through to the app: without our cookies, and with the
// identity of the session, if there is one.
func (v *guardVisit) pass(e *session.Entry) error {
	v.passed = true
	stripCookies(v.r.Header)
	if e != nil {
		v.identify(e)
	}
	if v.ReportOnly {
		e = nil // what stays open is ended by nobody
	}
	f := &cookieFilter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: v.w}}
	f.prepare(v, e)
	defer f.finish()
	return v.next.ServeHTTP(f, v.r)
}

// identify sets who is asking, from the server's record alone, in place of
// what StripRequest removed.
func (v *guardVisit) identify(e *session.Entry) {
	a := &e.Account
	joined := joinGroups(a.Groups)
	values := [...]string{a.Name, a.DisplayName, a.Email, joined}
	lines := make([]string, len(values)) // of all four headers
	for i, name := range [...]string{v.HeaderNames.User, v.HeaderNames.Name, v.HeaderNames.Email, v.HeaderNames.Groups} {
		if values[i] != "" {
			lines[i] = headerText(values[i])
			v.r.Header[textproto.CanonicalMIMEHeaderKey(name)] = lines[i : i+1 : i+1]
		}
	}
	v.assert(e)
	if repl, ok := v.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(func(key string) (any, bool) {
			switch key {
			case "http.auth.user.id":
				return a.Name, true
			case "http.auth.user.account":
				return string(a.ID), true
			case "http.auth.user.name":
				return a.DisplayName, true
			case "http.auth.user.email":
				return a.Email, true
			case "http.auth.user.groups":
				return joined, true
			}
			return nil, false
		})
	}
}

// joinGroups lists the groups with a proper name, each once (SPEC A4).
func joinGroups(groups []string) string {
	var b strings.Builder
	for i, g := range groups {
		if !account.ValidGroup(g) || slices.Contains(groups[:i], g) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(g)
	}
	return b.String()
}

// headerText leaves out what would end a header line.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// stripCookies removes our cookies from what the app sees (R46), and leaves
// the app's own as they were sent.
func stripCookies(h http.Header) {
	lines := h["Cookie"]
	kept := lines[:0:0]
	for _, line := range lines {
		if line = withoutOurs(line); line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = kept
}

// withoutOurs is one Cookie header's text without our cookies.
func withoutOurs(line string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(line, ";") {
		part = strings.TrimSpace(part)
		// Some programs drop what stands before a name, and quotes around it.
		name, _, _ := strings.Cut(strings.TrimLeft(part, "= \t\""), "=")
		if part == "" || session.Ours(strings.TrimRight(name, " \t\"")) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		} else {
			b.Grow(len(line))
		}
		b.WriteString(part)
	}
	return b.String()
}

// cookieFilter drops cookies of our names from what an app answers: an app
// must not be able to set, replace or end a sign-in. An answer that stays open
// is made to end with its session.
type cookieFilter struct {
	caddyhttp.ResponseWriterWrapper
	filtered bool
	openAnswer
}

func (f *cookieFilter) WriteHeader(status int) {
	f.filter(status)
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		f.filtered = false // the final answer's header is still to come
	}
	f.ResponseWriterWrapper.WriteHeader(status)
}

func (f *cookieFilter) Write(b []byte) (int, error) {
	f.filter(http.StatusOK)
	switch {
	case f.ended.Load():
		return 0, errEnded
	case f.socket != nil:
		return f.socket.Write(b)
	}
	return f.ResponseWriterWrapper.Write(b)
}

// ReadFrom and FlushError send the header too, where nothing else did before.
func (f *cookieFilter) ReadFrom(r io.Reader) (int64, error) {
	f.filter(http.StatusOK)
	if f.remove != nil { // it stays open, and each write is looked at
		return io.Copy(struct{ io.Writer }{f}, r)
	}
	return f.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError is what http.ResponseController asks for.
func (f *cookieFilter) FlushError() error {
	f.filter(http.StatusOK)
	flush := http.NewResponseController(f.ResponseWriter).Flush
	switch {
	case f.ended.Load():
		return errEnded
	case f.socket != nil:
		return f.socket.flush(flush)
	}
	return flush()
}

// Flush is for those who do not ask by http.ResponseController.
func (f *cookieFilter) Flush() { _ = f.FlushError() }

func (f *cookieFilter) filter(status int) {
	if f.filtered {
		return
	}
	f.filtered = true
	if status >= 200 || status == http.StatusSwitchingProtocols {
		defer f.begin(status)
	}
	h := f.Header()
	lines := h["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := lines[:0:0]
	for _, line := range lines {
		// A cookie without a name is sent back as its value alone: `=x=y`
		// would come back as one named x.
		name, _, _ := strings.Cut(strings.TrimLeft(line, "= \t"), "=")
		name, _, _ = strings.Cut(name, ";")
		if !session.Ours(strings.TrimSpace(name)) {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		h.Del("Set-Cookie")
		return
	}
	h["Set-Cookie"] = kept
}
