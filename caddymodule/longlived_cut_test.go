package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// TestEventStreamIsCutWhateverTheProxyWaitsFor: a client sees the end of its
// stream though the app says nothing more, though the proxy goes on with it
// without a client, and though the app never reads what the client sends.
func TestEventStreamIsCutWhateverTheProxyWaitsFor(t *testing.T) {
	g := newGateway(t)
	g.addAccount()
	over := make(chan struct{}) // an app with a body to read does not notice that its client is gone
	t.Cleanup(func() { close(over) })
	g.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/events" {
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.WriteString(w, firstEvent)
		_ = http.NewResponseController(w).Flush()
		<-over
	}
	at := strings.TrimPrefix(g.app.URL, "http://")
	for name, c := range map[string]struct {
		proxy string
		body  int
	}{
		"plainly":                       {g.proxy(), 0},
		"unbuffered":                    {"reverse_proxy " + at + " {\nflush_interval -1\n}", 0},
		"with a body that nobody reads": {g.proxy(), 32 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			g.mustLoad(g.global("") + g.site("app.example.com", "sallyport\n"+c.proxy))
			g.waitReady("app.example.com")
			cookie := g.signedIn(session.LevelSecondFactor, "app.example.com")
			r, _ := http.NewRequest("GET", "/", nil)
			cookie(r)
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g.port))
			g.must(err)
			defer conn.Close()
			head := "GET /events HTTP/1.1\r\nHost: app.example.com\r\nX-Forwarded-Proto: https\r\nCookie: " + r.Header.Get("Cookie") + "\r\n"
			if c.body != 0 {
				head = strings.Replace(head, "GET", "POST", 1) + fmt.Sprintf("Content-Length: %d\r\n", 64<<20)
			}
			go func() {
				_, _ = io.WriteString(conn, head+"\r\n")
				if c.body > 0 {
					_, _ = conn.Write(make([]byte, c.body))
				}
			}()
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			rd := bufio.NewReader(conn)
			for line := ""; !strings.HasPrefix(line, "data: hello"); {
				if line, err = rd.ReadString('\n'); err != nil {
					t.Fatalf("no first event: %v", err)
				}
			}
			time.Sleep(300 * time.Millisecond) // buffers fill
			began := time.Now()
			g.must(started.current().engine.short.EndSession(t.Context(), g.sessionOf(cookie)))
			_ = conn.SetReadDeadline(began.Add(4 * time.Second))
			rest, err := io.ReadAll(rd)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("still open after %v: %v", took, err)
			}
			if strings.Contains(string(rest), "\r\n0\r\n") {
				t.Error("the stream looks complete")
			}
		})
	}
}
