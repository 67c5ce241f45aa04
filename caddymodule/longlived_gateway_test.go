package caddymodule

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/sallyport-auth/sallyport/internal/session"
)

const firstEvent = "data: hello\n\n"

// streams are what the app behind the gateway has open.
type streams struct {
	open atomic.Int64
	who  atomic.Pointer[http.Header] // of the newest request
	// pushes, where set, is sent again and again.
	pushes string
}

// answer echoes WebSockets at /ws and sends an event at /events, then nothing.
func (s *streams) answer(w http.ResponseWriter, r *http.Request) {
	h := r.Header.Clone()
	s.who.Store(&h)
	switch {
	case r.URL.Path == "/ws" && r.Header.Get("Upgrade") != "":
		websocket.Server{Handler: func(ws *websocket.Conn) {
			s.open.Add(1)
			defer s.open.Add(-1)
			for s.pushes != "" {
				if _, err := io.WriteString(ws, s.pushes); err != nil {
					return
				}
			}
			_, _ = io.Copy(ws, ws)
		}}.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/events"):
		s.open.Add(1)
		defer s.open.Add(-1)
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, firstEvent)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// drained waits for the app to have nothing open.
func (s *streams) drained(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(2 * time.Second); s.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the app still has %d open", s.open.Load())
		}
	}
}

// dialWS opens a WebSocket to a site of the gateway.
func (g *gateway) dialWS(path string, changes ...change) *websocket.Conn {
	g.t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g.port))
	g.must(err)
	g.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	config, err := websocket.NewConfig("ws://app.example.com"+path, "https://app.example.com")
	g.must(err)
	r, _ := http.NewRequest("GET", "/", nil)
	for _, c := range append(changes, header("X-Forwarded-Proto", "https")) {
		c(r)
	}
	config.Header = r.Header
	ws, err := websocket.NewClient(config, conn)
	g.must(err)
	return ws
}

func echoes(t testing.TB, ws *websocket.Conn) {
	t.Helper()
	got := ""
	if err := websocket.Message.Send(ws, "ping"); err != nil {
		t.Errorf("send: %v", err)
	} else if err := websocket.Message.Receive(ws, &got); err != nil || got != "ping" {
		t.Errorf("receive: %q %v", got, err)
	}
}

// closeCode reads frames until a close frame, and returns its code; 0 where the
// connection just ended.
func closeCode(t testing.TB, ws *websocket.Conn) uint16 {
	t.Helper()
	for {
		frame, err := ws.NewFrameReader()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Logf("instead of a close frame: %v", err)
			}
			return 0
		}
		payload, err := io.ReadAll(frame)
		if err != nil {
			t.Errorf("half a frame: %v", err)
			return 0
		}
		if frame.PayloadType() == websocket.CloseFrame && len(payload) >= 2 {
			return binary.BigEndian.Uint16(payload)
		}
	}
}

// eventStream is one that has had its first event.
type eventStream struct {
	ended chan error // has how it ended
	stop  func()
}

// events opens an event stream and reads its first event.
func (g *gateway) events(path string, changes ...change) eventStream {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	g.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://127.0.0.1:%d%s", g.port, path), nil)
	g.must(err)
	r.Host = "app.example.com"
	for _, c := range append(changes, header("X-Forwarded-Proto", "https")) {
		c(r)
	}
	res, err := direct.Transport.RoundTrip(r)
	g.must(err)
	first := make([]byte, len(firstEvent))
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != firstEvent {
		g.t.Fatalf("%d, first event %q: %v", res.StatusCode, first, err)
	}
	e := eventStream{make(chan error, 1), cancel}
	go func() {
		_, err := io.Copy(io.Discard, res.Body)
		e.ended <- err
	}()
	return e
}

// endsCut waits for a stream to be cut, which does not look like its proper end.
func (e eventStream) endsCut(t testing.TB, within time.Duration) {
	t.Helper()
	select {
	case err := <-e.ended:
		if err == nil {
			t.Error("the stream looks complete")
		}
	case <-time.After(within):
		t.Errorf("the stream is still open after %v", within)
	}
}

func (e eventStream) lives(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case err := <-e.ended:
		t.Errorf("the stream ended: %v", err)
	case <-time.After(d):
	}
}

func (g *gateway) sessionOf(c change) session.ID {
	g.t.Helper()
	r, _ := http.NewRequest("GET", "/", nil)
	c(r)
	raw, err := started.current().engine.codecs().App.Decode(session.Jar{Secure: true}.Get(r, session.CookieApp))
	g.must(err)
	cred, err := session.ParseCredential(raw)
	g.must(err)
	return cred.ID
}

// T15: open WebSockets and event streams live on over a reload, and end with
// their session. Those of another session do not.
func TestOpenConnectionsOutliveAReloadAndEndWithTheirSession(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	s := &streams{}
	g.answer = s.answer
	config := func(title string) string {
		return g.global("") + g.site("app.example.com", "encode\nsallyport {\ntitle "+title+"\nrule /events-open* {\nbypass\n}\n}\n"+g.proxy())
	}
	g.mustLoad(config("A"))
	g.waitReady("app.example.com")
	cookie, other := g.signedIn(session.LevelSecondFactor, "app.example.com"), g.signedIn(session.LevelSecondFactor, "app.example.com")
	forged := header("Remote-User", "root", "Remote-Groups", "admin")
	ws := g.dialWS("/ws", cookie, forged)
	if who := *s.who.Load(); who.Get("Remote-User") != "alice" || len(who["Remote-User"]) != 1 || who.Get("Remote-Groups") != "staff,ops" {
		t.Errorf("the app was told %q, %q", who["Remote-User"], who["Remote-Groups"])
	}
	stays := g.dialWS("/ws", other)
	stream := g.events("/events", cookie)
	bypass := g.events("/events-open", cookie)
	if who := *s.who.Load(); who.Get("Remote-User") != "alice" {
		t.Errorf("the app was told %q", who["Remote-User"])
	}
	streamStays := g.events("/events", other)
	nobodys := g.events("/events-open", forged)
	gauge := func() (ws, es float64) {
		all := gathered(t, started.current().engine.metrics)
		return all[`open_connections{kind="websocket"}`], all[`open_connections{kind="event_stream"}`]
	}
	if ws, es := gauge(); ws != 2 || es != 3 {
		t.Errorf("%v WebSockets and %v streams are counted", ws, es)
	}
	for i := range 3 {
		g.mustLoad(config(fmt.Sprint("B", i)))
	}
	time.Sleep(2500 * time.Millisecond) // past the grace period
	for _, c := range []*websocket.Conn{ws, stays} {
		echoes(t, c)
	}
	stream.lives(t, 0)
	bypass.lives(t, 0)
	began := time.Now()
	g.must(started.current().engine.short.EndSession(t.Context(), g.sessionOf(cookie)))
	if code := closeCode(t, ws); code != 1008 {
		t.Errorf("the WebSocket ended with %d", code)
	}
	t.Logf("told after %v", time.Since(began))
	stream.endsCut(t, 2*time.Second)
	bypass.endsCut(t, 2*time.Second)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("they ended after %v", took)
	}
	echoes(t, stays)
	streamStays.lives(t, 500*time.Millisecond)
	nobodys.lives(t, 0)
	streamStays.stop()
	nobodys.stop()
	_ = stays.Close()
	s.drained(t)
	time.Sleep(100 * time.Millisecond)
	if ws, es := gauge(); ws != 0 || es != 0 {
		t.Errorf("%v WebSockets and %v streams are still counted", ws, es)
	}
	if strings.Contains(g.logged(), "panic") {
		t.Error("the log tells of a panic")
	}
}

// TestOpenConnectionEndsInTheMiddleOfATorrent: an app that never pauses gets no
// frame past the end, and the client sees whole frames.
func TestOpenConnectionEndsInTheMiddleOfATorrent(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	s := &streams{pushes: strings.Repeat("x", 100_000)}
	g.answer = s.answer
	g.guarded("")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	ws := g.dialWS("/ws", cookie)
	go func() {
		time.Sleep(100 * time.Millisecond)
		_ = started.current().engine.short.EndSession(context.Background(), g.sessionOf(cookie))
	}()
	if code := closeCode(t, ws); code != 1008 {
		t.Errorf("the WebSocket ended with %d", code)
	}
	s.drained(t)
}

// TestOpenConnectionEndsWithItsEngine: what nobody can tell of any more is not
// believed, and `report_only` ends nothing.
func TestOpenConnectionEndsWithItsEngine(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	s := &streams{}
	g.answer = s.answer
	g.guarded("")
	cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
	ws := g.dialWS("/ws", cookie)
	stream := g.events("/events", cookie)
	ring, err := os.ReadFile(filepath.Join(g.dir, "caddy", "sallyport", "keys"))
	g.must(err)
	g.must(os.WriteFile(filepath.Join(g.dir, "ring"), ring, 0o600)) // another engine
	g.mustLoad(g.global("keys "+g.dir+"/ring") + g.site("app.example.com", "sallyport {\nreport_only on\n}\n"+g.proxy()))
	if code := closeCode(t, ws); code != 1001 {
		t.Errorf("the WebSocket ended with %d", code)
	}
	stream.endsCut(t, 2*time.Second)
	s.drained(t)
	g.waitReady("app.example.com")
	cookie = g.signedIn(session.LevelSecondFactor, "app.example.com")
	ws = g.dialWS("/ws", cookie)
	g.must(started.current().engine.short.EndSession(t.Context(), g.sessionOf(cookie)))
	time.Sleep(1500 * time.Millisecond)
	echoes(t, ws)
	_ = ws.Close()
}
