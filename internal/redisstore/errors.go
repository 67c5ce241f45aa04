package redisstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// Errors that waiting does not mend. Each comes together with
// session.ErrUnavailable, so ask for these first.
var (
	// ErrCredentials: Redis refuses the user name or the password.
	ErrCredentials = errors.New("redis refuses the user name or password")
	// ErrMisconfigured: the server is set up in a way that would lose
	// counters or sessions, or lacks a permission. The text says what to do.
	ErrMisconfigured = errors.New("redis is not set up for sallyport")
)

// errRecord is the cause when Redis answered, but with what cannot be ours.
var errRecord = session.ErrDamaged

// unavailable wraps err so that the caller refuses.
func unavailable(doing string, err error) error {
	if wrongCredentials(err) {
		return fmt.Errorf("%s: %w: %w: %w", doing, session.ErrUnavailable, ErrCredentials, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, session.ErrUnavailable, err)
}

// damaged is the error of a record that Redis has and nobody of us wrote.
func damaged(doing, what string, args ...any) error {
	return unavailable(doing, fmt.Errorf("%w: %w", errRecord, fmt.Errorf(what, args...)))
}

func misconfigured(format string, args ...any) error {
	return unavailable("redis check", fmt.Errorf("%w: %w", ErrMisconfigured, fmt.Errorf(format, args...)))
}

func wrongCredentials(err error) bool {
	if redis.IsAuthError(err) {
		return true
	}
	// Not in go-redis' list: a password for a server that has none.
	var answer redis.Error
	return errors.As(err, &answer) && strings.Contains(answer.Error(), "without any password configured")
}

// lacksPermission: the ACL user may not run a command, or not touch a key or
// channel. Within scripts Redis says so in other words and without NOPERM.
func lacksPermission(err error) bool {
	if redis.IsPermissionError(err) {
		return true
	}
	var answer redis.Error
	return errors.As(err, &answer) && strings.Contains(answer.Error(), "The user executing the script can't")
}
