package factor

import (
	"fmt"
	"runtime/debug"
)

// inBackground runs f where requests of other people wait for it as little as
// the system allows. wait returns when f has ended; a panic in f is one in wait,
// with the stack of where it was.
func inBackground(f func()) (wait func()) {
	done := make(chan error, 1)
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("%v\n%s", p, debug.Stack())
			}
		}()
		behindOthers(f)
	}()
	return func() {
		if err := <-done; err != nil {
			panic(err)
		}
	}
}
