package testtools

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports are given from below those that Linux (32768 and up), macOS and Windows
// give to connections that go out: such a connection, of any process, could hold
// one when the program that it was given to listens. Above 10080, to which
// Chromium does not connect.
const (
	firstPort = 10240
	lastPort  = 32767
)

// givenPorts are not given again in this process.
var givenPorts sync.Map // int → nothing

// FreePort returns a TCP port on 127.0.0.1 that nothing listened on a moment
// ago. Another process may take it meanwhile, so starting there can fail.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func freePort() (int, error) {
	failed := errors.New("all that were tried have been given")
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if _, given := givenPorts.LoadOrStore(port, nil); given {
			continue
		}
		l, err := net.Listen("tcp", loopback(port))
		if err == nil {
			return port, l.Close()
		}
		failed = err
	}
	return 0, fmt.Errorf("no port from %d to %d is free: %w", firstPort, lastPort, failed)
}
