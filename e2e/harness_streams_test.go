package e2e

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// lastingApp makes an app echo WebSockets at …/ws, and send one event at
// …/events before it waits. It counts what it has open.
func lastingApp(a *app) (open *atomic.Int64) {
	open = new(atomic.Int64)
	a.Handle(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/ws"):
			websocket.Server{Handler: func(ws *websocket.Conn) {
				open.Add(1)
				defer open.Add(-1)
				_, _ = io.Copy(ws, ws)
			}}.ServeHTTP(w, r)
			return true
		case strings.HasSuffix(r.URL.Path, "/events"):
			open.Add(1)
			defer open.Add(-1)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return true
		}
		return false
	})
	return open
}

// lasting is a WebSocket or an event stream that is open. When it ends, ended
// has how: the code of a close frame, 0 for an event stream that was cut, and
// -1 for anything else.
type lasting struct {
	what  string
	ws    *websocket.Conn // nil for an event stream
	ended chan int
}

// webSocket opens one as the client's browser does.
func (c *client) webSocket(t testing.TB, path string, headers ...header) *lasting {
	t.Helper()
	conn := c.g.connect(t, c.base.Hostname(), "http/1.1")
	t.Cleanup(func() { conn.Close() })
	u := c.Resolve(path)
	config, err := websocket.NewConfig("wss://"+u.Host+u.RequestURI(), "https://"+u.Host)
	if err != nil {
		t.Fatal(err)
	}
	config.Header = http.Header{}
	for _, h := range append(headers, strings.TrimSuffix(c.cookieLine(c.base.Hostname()), "\r\n")) {
		name, value, _ := strings.Cut(h, ": ")
		config.Header.Add(name, value)
	}
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	l := &lasting{"WebSocket " + path, ws, make(chan int, 1)}
	l.echoes(t)
	go func() { l.ended <- closeCode(ws) }()
	return l
}

// echoes has the app send back what it is sent. It is for before anybody else
// reads.
func (l *lasting) echoes(t testing.TB) {
	t.Helper()
	got := ""
	if err := websocket.Message.Send(l.ws, "ping"); err != nil {
		t.Errorf("%s: send: %v", l.what, err)
	} else if err := websocket.Message.Receive(l.ws, &got); err != nil || got != "ping" {
		t.Errorf("%s: receive: %q %v", l.what, got, err)
	}
}

// closeCode reads to the end.
func closeCode(ws *websocket.Conn) int {
	for {
		frame, err := ws.NewFrameReader()
		if err != nil {
			return -1
		}
		payload, err := io.ReadAll(frame)
		if err != nil {
			return -1
		}
		if frame.PayloadType() == websocket.CloseFrame && len(payload) >= 2 {
			return int(payload[0])<<8 | int(payload[1])
		}
	}
}

// eventStream opens one, by HTTP/2 if the client does.
func (c *client) eventStream(t testing.TB, path string) *lasting {
	t.Helper()
	r := newRequest(t, c.Resolve(path).String())
	r.Header.Set("Accept", "text/event-stream")
	for _, k := range c.Jar.Cookies(r.URL) {
		r.AddCookie(k)
	}
	answer, err := c.transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	first := make([]byte, len("data: 1\n\n"))
	if _, err := io.ReadFull(answer.Body, first); err != nil {
		t.Fatalf("%s: %d: %v", path, answer.StatusCode, err)
	}
	l := &lasting{answer.Proto + " events " + path, nil, make(chan int, 1)}
	go func() {
		if _, err := io.Copy(io.Discard, answer.Body); err == nil || errors.Is(err, http.ErrBodyReadAfterClose) {
			l.ended <- -1 // it looks complete
			return
		}
		l.ended <- 0
	}()
	return l
}

// ends waits for a connection to end as it should: a WebSocket with the code.
func (l *lasting) ends(t testing.TB, within time.Duration, code int) {
	t.Helper()
	if l.ws == nil {
		code = 0
	}
	select {
	case got := <-l.ended:
		if got != code {
			t.Errorf("%s ended with %d, want %d", l.what, got, code)
		}
	case <-time.After(within):
		t.Errorf("%s is still open", l.what)
	}
}

// lives fails where a connection has ended.
func (l *lasting) lives(t testing.TB) {
	t.Helper()
	select {
	case got := <-l.ended:
		t.Errorf("%s ended with %d", l.what, got)
	default:
	}
}
