package bench

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// An asker sends one request again and again over one connection that is kept
// alive, and knows when the answers came. It is what polls, so it does little.
type asker struct {
	line    *line
	request []byte
}

// newAsker connects to addr; the request is sent as it is.
func newAsker(t *testing.T, addr, request string) *asker {
	t.Helper()
	c, err := connect(addr)
	if err != nil {
		t.Fatal(err)
	}
	return &asker{c, []byte(request)}
}

// guarded is a request for a page behind the guard, as a program sends it that
// has a browser's cookie, through a proxy that is trusted.
func guarded(host, cookie string) string {
	return "GET /x HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.7\r\n" +
		"Accept: application/json\r\nCookie: " + cookie + "\r\n\r\n"
}

func (a *asker) close() { _ = a.line.Close() }

// ask sends the request once and returns the answer's status.
func (a *asker) ask() (status int, err error) {
	answer, err := a.line.send(a.request, 10*time.Second)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// must is ask where an error ends the test.
func (a *asker) must(t *testing.T) (status int) {
	t.Helper()
	status, err := a.ask()
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// A poll asks from its start until it is stopped, pausing between two requests.
type poll struct {
	pause time.Duration
	stop  chan struct{}
	done  sync.WaitGroup

	mu      sync.Mutex
	asked   int
	refused time.Time // when the first answer came that is not 200
	status  int       // of that answer
	opened  time.Time // when the last request was sent that got 200
	err     error
}

func (a *asker) poll(pause time.Duration) *poll {
	p := &poll{pause: pause, stop: make(chan struct{})}
	p.done.Go(func() {
		for {
			sent := time.Now()
			status, err := a.ask()
			p.saw(status, err, sent)
			select {
			case <-p.stop:
				return
			case <-time.After(p.pause):
			}
			if err != nil {
				return
			}
		}
	})
	return p
}

func (p *poll) saw(status int, err error, sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	switch {
	case err != nil:
		p.err = err
	case status == http.StatusOK:
		p.opened = sent
	case p.refused.IsZero():
		p.refused, p.status = time.Now(), status
	}
}

// awaitRefusal waits for the first refusal and gives its time.
func (p *poll) awaitRefusal(limit time.Duration) (time.Time, error) {
	for deadline := time.Now().Add(limit); ; time.Sleep(200 * time.Microsecond) {
		p.mu.Lock()
		refused, err := p.refused, p.err
		p.mu.Unlock()
		switch {
		case err != nil:
			return refused, err
		case !refused.IsZero():
			return refused, nil
		case time.Now().After(deadline):
			return refused, fmt.Errorf("still let through after %v", limit)
		}
	}
}

// end stops asking. An error says that a request was let through after one was
// refused.
func (p *poll) end() error {
	close(p.stop)
	p.done.Wait()
	if p.err == nil && !p.refused.IsZero() && p.opened.After(p.refused) {
		return fmt.Errorf("let through %v after it was refused with %d", p.opened.Sub(p.refused), p.status)
	}
	return p.err
}
