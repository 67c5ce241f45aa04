package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// problem is a refusal as RFC 9457 has it. It never holds a secret.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Code says it to programs.
	Code string `json:"code,omitempty"`
	// Lines are the faults of an import.
	Lines []lineFault `json:"lines,omitempty"`
}

// lineFault is what is wrong with one line of an imported file.
type lineFault struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// The codes of problems that commands tell apart.
const (
	codeNoApp    = "no_sallyport"
	codeNotReady = "not_ready"
	codeUnsigned = "unsigned"
)

func (p *problem) Error() string { return p.Detail }

// errAdminNotReady: there is a Sallyport, and its stores or keys are away.
var errAdminNotReady = &problem{
	Status: http.StatusServiceUnavailable, Code: codeNotReady,
	Detail: "sallyport is not ready: a store cannot be reached; its log says which",
}

func refuse(status int, format string, args ...any) error {
	return &problem{Status: status, Detail: fmt.Sprintf(format, args...)}
}

// refuseValue: the call is understood, and a value in it cannot be.
func refuseValue(format string, args ...any) error {
	return refuse(http.StatusUnprocessableEntity, format, args...)
}

// problemOf tells an error to the operator. What is not known to be harmless
// is in the log only.
func problemOf(err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, account.ErrNotFound), errors.Is(err, session.ErrNotFound):
		return &problem{Status: http.StatusNotFound, Detail: "not found: it was there a moment ago"}
	case errors.Is(err, account.ErrTaken):
		return &problem{Status: http.StatusConflict, Detail: "the name or e-mail address is, or once was, another account's"}
	case errors.Is(err, session.ErrUnavailable):
		return &problem{Status: http.StatusServiceUnavailable, Code: codeNotReady, Detail: "a store does not answer; the log says which"}
	case errors.Is(err, login.ErrBusy):
		return &problem{Status: http.StatusServiceUnavailable, Detail: "too many passwords are being checked: try again"}
	}
	return &problem{Status: http.StatusInternalServerError, Detail: "it failed; the log says why"}
}

func (p *problem) write(w http.ResponseWriter) {
	told := *p
	told.Title = http.StatusText(p.Status)
	// A failing connection is the caller's own; there is nobody to tell here.
	_ = writeJSON(w, p.Status, "application/problem+json", told)
}

func writeJSON(w http.ResponseWriter, status int, kind string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, err = w.Write(append(text, '\n'))
	return err
}
