package login

import (
	"errors"

	"github.com/sallyport-auth/sallyport/internal/factor"
)

// newPasswordProblem says in the catalogue's terms why a password may not be
// chosen, nil when it may.
func newPasswordProblem(err error) *Problem {
	p := &Problem{Field: "password"}
	var short factor.TooShort
	var long factor.TooLong
	switch {
	case err == nil:
		return nil
	case errors.As(err, &short):
		p.Key, p.Left = "pw.short", short.Min
	case errors.As(err, &long):
		p.Key, p.Left = "pw.long", long.Max
	default:
		p.Key = "pw.common"
	}
	return p
}
