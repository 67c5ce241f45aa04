package caddymodule

import (
	"io"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

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

// canonical gives the names in the order of guardVisit.lines, as a header has
// them; "" for none.
func (h HeaderNames) canonical() (names [toldLines]string) {
	for i, name := range [...]string{h.User, h.Name, h.Email, h.Groups, assertion.Header} {
		if name != "" {
			names[i] = textproto.CanonicalMIMEHeaderKey(name)
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
	f := &v.filter
	f.prepare(v, e)
	defer f.finish()
	return v.next.ServeHTTP(f, v.r)
}

// identify sets who is asking, from the server's record alone, in place of
// what the Stripper removed.
func (v *guardVisit) identify(e *session.Entry) {
	t := v.told(e)
	v.lines = [...]string{t.User, t.Name, t.Email, t.Groups, v.assert(e, t)}
	for i, name := range v.tells {
		if v.lines[i] != "" && name != "" {
			v.r.Header[name] = v.lines[i : i+1 : i+1] // this request's own: directives replace values in place
		}
	}
	if repl, ok := v.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(t.Placeholder)
	}
}

// stripCookies removes our cookies from what the app sees (R46), and leaves
// the app's own as they were sent.
func stripCookies(h http.Header) {
	lines := h["Cookie"]
	kept := lines[:0]
	for _, line := range lines {
		if line = withoutOurs(line); line != "" {
			kept = append(kept, line)
		}
	}
	switch len(kept) {
	case len(lines):
	case 0:
		delete(h, "Cookie")
	default:
		h["Cookie"] = kept
	}
}

// withoutOurs is one Cookie header's text without our cookies. It makes a text
// anew only where the app's do not stand together, as a browser's mostly do.
func withoutOurs(line string) string {
	var before strings.Builder // what is kept of the line before start
	start, end := 0, 0         // of what is kept and stands together; 0, 0 for nothing
	for at, to := 0, 0; at <= len(line); at = to + 1 {
		to = len(line)
		if n := strings.IndexByte(line[at:], ';'); n >= 0 {
			to = at + n
		}
		part := strings.TrimSpace(line[at:to])
		if part == "" || session.Ours(cookieName(part)) {
			continue
		}
		from := at + strings.Index(line[at:to], part)
		switch {
		case end == 0:
			start = from
		case line[end:from] != "; ":
			before.Grow(len(line))
			before.WriteString(line[start:end])
			before.WriteString("; ")
			start = from
		}
		end = from + len(part)
	}
	if before.Len() == 0 {
		return line[start:end]
	}
	before.WriteString(line[start:end])
	return before.String()
}

// cookieName is the name that a part of a Cookie header has to some program:
// some drop what stands before it, and quotes around it.
func cookieName(part string) string {
	for part != "" && (part[0] == '=' || quoting(part[0])) {
		part = part[1:]
	}
	name, _, _ := strings.Cut(part, "=")
	for name != "" && quoting(name[len(name)-1]) {
		name = name[:len(name)-1]
	}
	return name
}

func quoting(c byte) bool { return c == ' ' || c == '\t' || c == '"' }

// cookieFilter drops cookies of our names from what an app answers: an app
// must not be able to set, replace or end a sign-in. An answer that stays open
// is made to end with its session.
type cookieFilter struct {
	caddyhttp.ResponseWriterWrapper
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
