package login_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

var ctx = context.Background()

// wrong is nobody's password.
var wrong = secret.New("not the password")

// wantProblem checks the one problem of a flow.
func wantProblem(t *testing.T, f login.Flow, err error, key string) {
	t.Helper()
	if err != nil {
		t.Fatalf("error %v, want the problem %s", err, key)
	}
	if len(f.Problems) != 1 || f.Problems[0].Key != key {
		t.Fatalf("problems %v, want %s", f.Problems, key)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// wantLimited checks a refusal by a limit, and when a try is counted again.
func wantLimited(t *testing.T, err error, name string, after time.Duration) {
	t.Helper()
	var l *login.Limited
	if !errors.As(err, &l) {
		t.Fatalf("error %v, want the limit %s", err, name)
	}
	if l.Limit != name || after > 0 && l.RetryAfter != after {
		t.Fatalf("limit %s for %s, want %s for %s", l.Limit, l.RetryAfter, name, after)
	}
}

// passed checks that a step was passed.
func passed(t *testing.T, f login.Flow, err error) login.Flow {
	t.Helper()
	if err != nil || len(f.Problems) > 0 {
		t.Fatalf("error %v, problems %v", err, f.Problems)
	}
	return f
}

// together runs n calls at the same moment.
func together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			f(i)
		})
	}
	done.Wait()
}

// password submits a password in a new flow of the browser.
func password(s *authtest.Site, c login.Client, name string, pw secret.Text) (login.Flow, error) {
	return s.Machine.SubmitPassword(ctx, c, s.Begin(c), name, pw)
}
