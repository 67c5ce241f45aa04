package caddymodule

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// socketPair is a wrapped connection to a client, by TCP.
func socketPair(t *testing.T, framed bool, early string) (c *socketConn, rw *bufio.ReadWriter, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); conn.Close() })
	for _, x := range []net.Conn{client, conn} {
		_ = x.SetDeadline(time.Now().Add(20 * time.Second))
	}
	rw = bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
	if early != "" {
		_, _ = io.WriteString(client, early)
		if _, err := rw.Peek(len(early)); err != nil {
			t.Fatal(err)
		}
	}
	c, err = newSocketConn(conn, rw, framed)
	if err != nil {
		t.Fatal(err)
	}
	c.closed = func() {}
	return c, rw, client
}

// received is what the client gets until the end.
func received(t *testing.T, client net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(client)
	if err != nil {
		t.Errorf("the client's connection: %v", err)
	}
	return string(b)
}

var (
	hello = string(wsFrame(true, 1, false, []byte("hello"), 0))
	bye   = string(closeFrame(overGoodbye))
)

// TestCloseFrameStandsWhereAFrameEnds: in the middle of a frame it would be taken
// for a part of the message.
func TestCloseFrameStandsWhereAFrameEnds(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		before, after, want string
	}{
		"nothing was sent":     {"", "", bye},
		"between frames":       {hello, "", hello + bye},
		"between the parts":    {string(wsFrame(false, 1, false, []byte("he"), 0)), "", string(wsFrame(false, 1, false, []byte("he"), 0)) + bye},
		"in a header":          {hello[:1], hello[1:], hello + bye},
		"in a payload":         {hello[:4], hello[4:], hello + bye},
		"with the next frame":  {hello[:4], hello[4:] + hello, hello + bye},
		"the app was first":    {string(closeFrame(goodbye{1000, ""})), "", string(closeFrame(goodbye{1000, ""}))},
		"the frame never ends": {hello[:4], "", hello[:4]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, client := socketPair(t, true, "")
			if _, err := io.WriteString(c, row.before); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			c.end(overGoodbye)
			if row.after != "" {
				if _, err := io.WriteString(c, row.after); !errors.Is(err, errEnded) {
					t.Errorf("the app's write after the end: %v", err)
				}
			}
			if name != "the frame never ends" {
				if n, err := io.WriteString(c, hello); n != 0 || !errors.Is(err, errEnded) {
					t.Errorf("%d bytes are sent after the end: %v", n, err)
				}
			}
			_ = c.Close() // as a proxy does: the client is still to read it
			if got := received(t, client); got != row.want {
				t.Errorf("the client got %q, want %q", got, row.want)
			}
			if took := time.Since(began); took > goodbyeWait+time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestNothingReachesTheAppAfterTheEnd: what the client still sends is dropped,
// and read, or the system would drop the close frame too.
func TestNothingReachesTheAppAfterTheEnd(t *testing.T) {
	t.Parallel()
	c, _, client := socketPair(t, true, "")
	_, _ = io.WriteString(client, hello)
	b := make([]byte, 100)
	if n, err := c.Read(b); string(b[:n]) != hello || err != nil {
		t.Fatalf("before the end: %q %v", b[:n], err)
	}
	read := make(chan int)
	go func() { n, _ := c.Read(b); read <- n }()
	time.Sleep(20 * time.Millisecond)
	c.end(overGoodbye)
	for range 100 {
		_, _ = io.WriteString(client, strings.Repeat(hello, 1000))
	}
	if got := received(t, client); got != bye {
		t.Errorf("the client got %q", got)
	}
	if n := <-read; n != 0 {
		t.Errorf("the app got %d bytes after the end", n)
	}
}

// TestClientThatDoesNotReadIsHungUpOn: a write that hangs must not keep a
// connection open.
func TestClientThatDoesNotReadIsHungUpOn(t *testing.T) {
	t.Parallel()
	c, _, _ := socketPair(t, true, "")
	wrote := make(chan error)
	go func() {
		_, err := c.Write(wsFrame(true, 2, false, make([]byte, 64<<20), 0))
		wrote <- err
	}()
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	c.end(overGoodbye) // waits for the write
	if took := time.Since(began); took > goodbyeWait+time.Second {
		t.Errorf("the end took %v", took)
	}
	if err := <-wrote; err == nil {
		t.Error("64 MiB were sent to somebody who reads nothing")
	}
}

// TestConnectionsWithoutFramesAreClosed: a handler may have made anything of a
// connection.
func TestConnectionsWithoutFramesAreClosed(t *testing.T) {
	t.Parallel()
	c, _, client := socketPair(t, false, "")
	_, _ = io.WriteString(c, "HTTP/1.1 101 Anything\r\n\r\n")
	c.end(overGoodbye)
	if got := received(t, client); got != "HTTP/1.1 101 Anything\r\n\r\n" {
		t.Errorf("%q", got)
	}
}

// TestOnlyDataIsUse: browsers answer pings by themselves, so a tab that nobody
// looks at would keep its session for ever.
func TestOnlyDataIsUse(t *testing.T) {
	t.Parallel()
	long := wsFrame(true, 2, true, make([]byte, 1000), 0)
	for name, row := range map[string]struct {
		sent string
		want bool
	}{
		"text":                {string(wsFrame(true, 1, true, []byte("x"), 0)), true},
		"a long one":          {string(long), true},
		"nothing":             {"", false},
		"pong":                {string(wsFrame(true, 10, true, []byte("x"), 0)), false},
		"ping, close":         {string(wsFrame(true, 9, true, nil, 0)) + string(wsFrame(true, 8, true, nil, 0)), false},
		"a pong in a message": {string(wsFrame(false, 1, true, nil, 0)) + string(wsFrame(true, 10, true, nil, 0)), true},
	} {
		for _, step := range []int{1, 3, 4096} {
			s := &socket{framed: true}
			from := bytes.NewReader([]byte(row.sent))
			for b := make([]byte, step); ; {
				if _, err := s.read(from, b); err != nil {
					break
				}
			}
			if s.clearUsed() != row.want || s.clearUsed() {
				t.Errorf("%s, %d bytes at a time: used is not %v", name, step, row.want)
			}
		}
	}
	s := &socket{framed: true}
	s.hear(long[:500])
	s.clearUsed()
	if s.hear(long[500:]); !s.clearUsed() {
		t.Error("the rest of a long message is no use")
	}
	raw := &socket{}
	if raw.hear([]byte("x")); !raw.clearUsed() {
		t.Error("bytes on a connection without frames are no use")
	}
}

// TestWhatCameWithTheHandshakeIsNotLost: proxies find it buffered.
func TestWhatCameWithTheHandshakeIsNotLost(t *testing.T) {
	t.Parallel()
	early := string(wsFrame(true, 1, true, []byte("early"), 0))
	c, rw, client := socketPair(t, true, early)
	if got, _ := rw.Peek(rw.Reader.Buffered()); string(got) != early || !c.clearUsed() {
		t.Errorf("buffered: %q", got)
	}
	_, _ = io.WriteString(client, hello)
	b := make([]byte, len(early)+len(hello))
	if _, err := io.ReadFull(rw, b); err != nil || string(b) != early+hello {
		t.Errorf("read: %q %v", b, err)
	}
	if _, err := rw.WriteString(hello[:3]); err != nil || rw.Flush() != nil || c.out.boundary() {
		t.Error("what is written by the buffer is not followed")
	}
}
