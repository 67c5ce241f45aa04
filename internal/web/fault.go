package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/pages"
)

// errNoKeys: the key ring is not read yet, because its store is away.
var errNoKeys = fmt.Errorf("no key ring yet: %w", session.ErrUnavailable)

// Errors that pages return to be turned into an answer here.
var (
	errNotFound  = errors.New("no such page")
	errCrossSite = errors.New("the form came from another site")
	errInsecure  = errors.New("the connection is not secure")
	errHost      = errors.New("no such host here")
	errNoBinding = errors.New("the browser sent no binding cookie")
)

type methodError struct{ allow string }

func (e methodError) Error() string { return "method not allowed, use " + e.allow }

// fault is the one place where an error becomes an answer: a sentence for the
// person, the cause for the log, the request's id in both.
func (v *visit) fault(err error) {
	var limited *login.Limited
	var method methodError
	switch {
	case errors.As(err, &limited):
		v.limited(limited)
	case errors.Is(err, login.ErrNoFlow), errors.Is(err, login.ErrConflict), errors.Is(err, login.ErrNotNext):
		if err := v.lost(err); err != nil {
			v.fault(err)
		}
	case errors.Is(err, session.ErrNotFound): // ended while its request ran
		v.answer(v.to("/sign-in"))
	case errors.Is(err, errNoBinding):
		v.answer(v.show(http.StatusBadRequest, pages.CookiesBlocked{Frame: v.frame()}))
	case errors.Is(err, login.ErrStale):
		v.answer(v.confirmFirst())
	case errors.Is(err, login.ErrBusy):
		v.w.Header().Set("Retry-After", "2")
		v.answer(v.show(http.StatusServiceUnavailable, pages.Busy{Frame: v.frame()}))
	case errors.Is(err, errInsecure):
		v.log(slog.LevelWarn, err)
		v.misdirected(pages.MisdirectedInsecure)
	case errors.Is(err, errHost):
		v.log(slog.LevelWarn, err)
		v.misdirected(pages.MisdirectedHost)
	case errors.Is(err, ErrHookRefused):
		v.log(slog.LevelWarn, err)
		v.failure(http.StatusBadRequest, pages.FailureRequest)
	case errors.Is(err, errNotFound), errors.Is(err, account.ErrNotFound), errors.Is(err, ErrNoHook):
		v.failure(http.StatusNotFound, pages.FailureNotFound)
	case errors.Is(err, login.ErrNotAllowed):
		v.failure(http.StatusForbidden, pages.FailureRuled)
	case errors.Is(err, errCrossSite):
		v.log(slog.LevelInfo, err)
		v.failure(http.StatusForbidden, pages.FailureCrossSite)
	case errors.Is(err, errTooLarge):
		v.failure(http.StatusRequestEntityTooLarge, pages.FailureTooLarge)
	case errors.Is(err, errBadForm):
		v.failure(http.StatusBadRequest, pages.FailureRequest)
	case errors.As(err, &method):
		v.w.Header().Set("Allow", method.allow)
		v.failure(http.StatusMethodNotAllowed, pages.FailureMethod)
	case errors.Is(err, session.ErrUnavailable), errors.Is(err, v.ctx().Err()) && v.ctx().Err() != nil:
		level := slog.LevelError
		if HungUp(v.r, err, v.Machine.Now().Sub(v.began)) {
			level = slog.LevelDebug
		}
		v.log(level, err)
		v.w.Header().Set("Retry-After", "5")
		v.answer(v.show(http.StatusServiceUnavailable, pages.Unavailable{Frame: v.frame()}))
	default:
		v.log(slog.LevelError, err)
		v.failure(http.StatusInternalServerError, pages.FailureServer)
	}
}

// patience is how long a store may let somebody wait.
const patience = time.Second

// HungUp reports whether err says only that whoever asked did not wait for the
// answer. A store's error then wraps session.ErrUnavailable too, but no store is
// away. Who has waited for longer than they should have is one to be told of.
func HungUp(r *http.Request, err error, waited time.Duration) bool {
	return waited < patience && errors.Is(err, context.Canceled) && errors.Is(r.Context().Err(), context.Canceled)
}

// answer sends what a handler made, or the plainest of all answers.
func (v *visit) answer(err error) {
	if err != nil {
		v.log(slog.LevelError, err)
		http.Error(v.w, "There is a problem with this service. Try again in a few minutes. Reference "+v.arrival.RequestID,
			http.StatusInternalServerError)
	}
}

func (v *visit) failure(status int, kind string) {
	v.answer(v.show(status, pages.Failure{Frame: v.frame(), Kind: kind}))
}

// misdirected is for a host that nothing answers for, or plain HTTP.
func (v *visit) misdirected(kind string) {
	view := pages.Misdirected{Frame: v.frame(), Kind: kind, Host: v.arrival.Host}
	view.Port, _ = strconv.Atoi(v.arrival.Port)
	v.answer(v.show(http.StatusMisdirectedRequest, view))
}

// limited is the page of SPEC G3.
func (v *visit) limited(l *login.Limited) {
	seconds := int(math.Ceil(l.RetryAfter.Seconds()))
	v.w.Header().Set("Retry-After", RetryAfter(l))
	view := pages.Limited{
		Frame: v.frame(), Kind: limitKind(l.Limit),
		Phone: v.ofPhone, Wait: time.Duration(seconds) * time.Second, Until: v.Machine.Now().Add(l.RetryAfter),
	}
	if flow := v.form.Get("flow"); flow != "" && (v.verifying || v.ofPhone) {
		other := "/set-up?"
		if v.verifying {
			other = "/verify?"
		}
		view.OtherWays = v.Config.Base + other + url.Values{"flow": {flow}}.Encode()
	}
	v.answer(v.show(http.StatusTooManyRequests, view))
}

// RetryAfter is how long to wait, in whole seconds (RFC 9110 section 10.2.3).
func RetryAfter(l *login.Limited) string {
	return strconv.Itoa(max(1, int(math.Ceil(l.RetryAfter.Seconds()))))
}

func limitKind(name string) string {
	switch name {
	case "factor":
		return pages.LimitCodes
	case "forms", "recovery":
		return pages.LimitRequests
	case "send_account", "send_number", "send_network", "daily_cap":
		return pages.LimitSends
	}
	return pages.LimitSignIn
}

// lost sends a person whose flow is gone, or is elsewhere, to where they can
// go on.
func (v *visit) lost(err error) error {
	if errors.Is(err, login.ErrNoFlow) {
		return v.to("/expired")
	}
	f, err := v.flow()
	if err == nil {
		err = v.next(f)
	}
	switch {
	case errors.Is(err, login.ErrNoFlow), errors.Is(err, login.ErrConflict), errors.Is(err, login.ErrNotNext), errors.Is(err, errNoBinding):
		return v.to("/expired")
	}
	return err
}

func (v *visit) log(level slog.Level, err error) {
	v.Log.LogAttrs(v.ctx(), level, "portal request failed", slog.String("error", err.Error()),
		slog.String("request", v.arrival.RequestID), slog.String("host", v.arrival.Host), slog.String("network", v.client.Network))
}

// recoverPanic answers 500 to a defect instead of dropping the connection.
func (v *visit) recoverPanic() {
	if x := recover(); x != nil {
		if x == http.ErrAbortHandler {
			panic(x)
		}
		v.log(slog.LevelError, fmt.Errorf("panic: %v\n%s", x, debug.Stack()))
		v.failure(http.StatusInternalServerError, pages.FailureServer)
	}
}
