package web

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// Hooks takes calls back of senders' vendors.
type Hooks interface {
	// Hook takes one for the named sender. ErrNoHook when there is none of
	// that name, ErrHookRefused when it does not prove where it comes from;
	// with any other error the vendor should call again.
	Hook(ctx context.Context, sender string, header http.Header, body []byte) error
}

// Errors of Hooks.
var (
	ErrNoHook      = errors.New("no sender of that name takes calls back")
	ErrHookRefused = errors.New("the call back does not prove where it comes from")
)

// takeHook answers programs, so with a status and no page. Nothing that it is
// given is a form: it may come from anywhere, and its signature alone counts.
func takeHook(v *visit) error {
	if v.Hooks == nil {
		return ErrNoHook
	}
	body, err := io.ReadAll(http.MaxBytesReader(v.w, v.r.Body, maxForm))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return errTooLarge
	}
	if err != nil {
		return errBadForm
	}
	err = v.Hooks.Hook(v.ctx(), v.tail, v.r.Header, body)
	switch {
	case errors.Is(err, ErrNoHook):
		return err
	case errors.Is(err, ErrHookRefused): // anybody can send such, and each is a line in the log
		if limited := v.Machine.TakeForm(v.ctx(), v.client); limited != nil {
			return limited
		}
		return err
	case err != nil:
		return errors.Join(err, session.ErrUnavailable)
	}
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}
