package vendortest

import (
	"net/http"
	"time"
)

// An Answer is how a vendor meets a request. The zero value succeeds.
type Answer struct {
	kind string
	wait time.Duration
}

const (
	cutBeforeRead   = "cut before reading"
	cutAfterHeaders = "cut after the headers"
	cutBeforeAnswer = "cut before answering"
	cutInAnswer     = "cut in the answer"
	redirect        = "redirect"
	garbage         = "garbage"
	hugeBody        = "huge"
	slow            = "slow"
	late            = "late"
	failed          = "accepted and failed"
)

// A reason is why a vendor says no.
type reason string

const (
	malformed     reason = "malformed"
	invalidNumber reason = "invalid number"
	blocked       reason = "blocked"
	noFunds       reason = "no funds"
	limited       reason = "limited"
	unauthorized  reason = "unauthorized"
	serverError   reason = "server error"
	unknown       reason = "unknown"
	notAnswered   reason = "not answered"
	ended         reason = "ended"
)

// The answers that need no figure.
var (
	Succeed       = Answer{}
	InvalidNumber = Answer{kind: string(invalidNumber)}
	Blocked       = Answer{kind: string(blocked)}
	NoFunds       = Answer{kind: string(noFunds)}
	Unauthorized  = Answer{kind: string(unauthorized)}
	ServerError   = Answer{kind: string(serverError)}
	// CutBeforeRead closes the connection when it is made.
	CutBeforeRead = Answer{kind: cutBeforeRead}
	// CutAfterHeaders closes it without reading the body.
	CutAfterHeaders = Answer{kind: cutAfterHeaders}
	// CutBeforeAnswer does what was asked and closes the connection.
	CutBeforeAnswer = Answer{kind: cutBeforeAnswer}
	// CutInAnswer does what was asked and closes it in the middle of the answer.
	CutInAnswer = Answer{kind: cutInAnswer}
	// LateAnswer does what was asked and answers when nobody waits any more.
	LateAnswer = Answer{kind: late}
	// RedirectElsewhere points to another path of the same server.
	RedirectElsewhere = Answer{kind: redirect}
	// GarbageBody does what was asked and answers no JSON.
	GarbageBody = Answer{kind: garbage}
	// HugeBody does what was asked and answers 4 MiB.
	HugeBody = Answer{kind: hugeBody}
	// AcceptedButFailed says yes and, in the same answer, that it came to
	// nothing.
	AcceptedButFailed = Answer{kind: failed}
)

// RateLimited refuses, and says after how many whole seconds to come back.
func RateLimited(after time.Duration) Answer { return Answer{kind: string(limited), wait: after} }

// Slow waits before anything is done. It does nothing when nobody waits for it
// any more.
func Slow(d time.Duration) Answer { return Answer{kind: slow, wait: d} }

// answer does and says what the test wants.
func (f *fake) answer(w http.ResponseWriter, r *http.Request, op operation, a Answer) {
	switch a.kind {
	case "":
		f.write(w, r, op, op.perform(false))
	case failed:
		f.write(w, r, op, op.perform(true))
	case slow:
		if f.waited(r, a.wait) {
			f.write(w, r, op, op.perform(false))
		}
	case late:
		p := op.perform(false)
		f.waited(r, time.Hour)
		f.write(w, r, op, p)
	case cutBeforeAnswer:
		op.perform(false)
		cut(w)
	case cutInAnswer:
		p := op.perform(false)
		text := f.encode(r, op, p)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100000")
		w.WriteHeader(p.status)
		_, _ = w.Write(text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		cut(w)
	case redirect:
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	case garbage:
		w.WriteHeader(op.perform(false).status)
		_, _ = w.Write([]byte("<html>It works!</html>"))
	case hugeBody:
		p := op.perform(false)
		w.WriteHeader(p.status)
		huge(w)
		_, _ = w.Write(f.encode(r, op, p))
	default:
		p := f.vendor.refusal(reason(a.kind))
		if reason(a.kind) == limited {
			p.header = retryAfter(a.wait)
		}
		f.write(w, r, op, p)
	}
}

// waited waits, and reports whether the client still does.
func (f *fake) waited(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-f.over:
	}
	return false
}
