package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// appAddress in the environment makes this test binary the app behind the
// proxies.
const appAddress = "BENCH_APP_ADDRESS"

// The paths of the app that have an answer of their own.
const (
	countPath = "/count" // how many others were asked for so far
	whoPath   = "/who"   // the header Remote-User
)

// app answers every request with 1 KiB. It is a server of this package and not
// net/http's, so that it takes little of the core that it shares with the load.
type app struct{ address string }

// startApp starts it on the core of the load.
func startApp(t *testing.T) *app {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := &app{address: fmt.Sprintf("127.0.0.1:%d", testtools.FreePort(t))}
	c := contestant{}
	c.startPinned(t, t.TempDir(), []string{appAddress + "=" + a.address}, loadCore, self)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", a.address)
		if err == nil {
			conn.Close()
			return a
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// count is how many requests have come to the app.
func (a *app) count(t *testing.T) int {
	t.Helper()
	res, err := http.Get("http://" + a.address + countPath)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// settled is the count once nothing comes any more that a load began and did
// not wait for.
func (a *app) settled(t *testing.T) int {
	t.Helper()
	for last := -1; ; time.Sleep(30 * time.Millisecond) {
		n := a.count(t)
		if n == last {
			return n
		}
		last = n
	}
}

// serveApp serves until the process is ended.
func serveApp(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	var asked atomic.Int64
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serveConnection(c, &asked)
	}
}

// serveConnection answers requests that have no body, which is all that the
// measurements send.
func serveConnection(c net.Conn, asked *atomic.Int64) {
	defer c.Close()
	in := bufio.NewReaderSize(c, 16<<10)
	page := answer(strings.Repeat("x", 1024))
	for {
		line, user, err := readRequest(in)
		if err != nil {
			return
		}
		out := page
		switch {
		case bytes.HasPrefix(line, []byte("GET "+countPath+" ")):
			out = answer(strconv.FormatInt(asked.Load(), 10))
		case bytes.HasPrefix(line, []byte("GET "+whoPath+" ")):
			out = answer(user)
		default:
			asked.Add(1)
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// readRequest reads a request's head: its line and the header Remote-User.
func readRequest(in *bufio.Reader) (line []byte, user string, err error) {
	for {
		l, err := in.ReadSlice('\n')
		if err != nil {
			return nil, "", err
		}
		switch {
		case line == nil:
			line = append(line, l[:min(len(l), 32)]...) // as much as tells the paths apart
		case len(l) <= 2:
			return line, user, nil
		case bytes.HasPrefix(l, []byte("Remote-User: ")):
			user = string(bytes.TrimSpace(l[len("Remote-User: "):]))
		}
	}
}

func answer(body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
