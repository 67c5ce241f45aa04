package testtools

import (
	"net"
	"testing"
)

// TestFreePortIsNotOneOfAConnection: none is given twice, and none can be the
// near end of a connection that goes out.
func TestFreePortIsNotOneOfAConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if outgoing := l.Addr().(*net.TCPAddr).Port; outgoing <= lastPort {
		t.Errorf("the system gives %d to connections", outgoing)
	}
	given := map[int]bool{}
	for range 500 {
		port := FreePort(t)
		if port < firstPort || port > lastPort || given[port] {
			t.Errorf("%d; given before: %v", port, given[port])
		}
		given[port] = true
	}
}
