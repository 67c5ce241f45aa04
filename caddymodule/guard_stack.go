package caddymodule

import "net/http"

// HTTP/2 serves each request on a goroutine of its own, whose stack begins with a
// few KiB. On the way from Caddy's handlers through the guard to the app more
// than 8 are needed, and the stack would be made larger two or three times, each
// time copying all that is on it: that was a tenth of what such a request costs
// (docs/performance.md). HTTP/1.1 serves all requests of a connection on one
// goroutine, whose stack is large enough after the first.

// stackRoom is what is still needed when a request comes to the guard, in bytes.
const stackRoom = 10 << 10

// makeRoom makes the stack large enough at once, while little is on it.
func makeRoom(r *http.Request) {
	if r.ProtoMajor > 1 {
		_ = room(0)
	}
}

// room needs a frame of stackRoom, and does nothing.
//
//go:noinline
func room(at uint8) byte {
	var frame [stackRoom]byte
	return frame[at]
}
