package web

import "github.com/sallyport-auth/sallyport/internal/login"

// submitCode is every page that takes a code at sign-in: the flow goes on, or
// the same page says what was wrong.
func (v *visit) submitCode(page string, submit func(f login.Flow, code string) (login.Flow, error)) error {
	v.verifying = true
	f, err := v.flow()
	if err != nil {
		return err
	}
	f, err = submit(f, v.form.Get("code"))
	if err != nil {
		return err
	}
	if len(f.Problems) > 0 {
		return v.to(page, "flow", string(f.ID))
	}
	return v.next(f)
}
