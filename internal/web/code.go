package web

import (
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

// submitCode is every page that takes a code at sign-in: the flow goes on, or
// the same page says what was wrong.
func (v *visit) submitCode(page string, submit func(f login.Flow, code string) (login.Flow, error)) error {
	v.verifying = true
	f, err := v.flow()
	if err != nil {
		return err
	}
	f.Remember = v.form.Get("remember") != "" && v.trustDays(f) > 0
	f, err = submit(f, v.form.Get("code"))
	if err != nil {
		return err
	}
	if len(f.Problems) > 0 {
		return v.to(page, "flow", string(f.ID))
	}
	return v.next(f)
}

// trustDays is for how long this browser may be remembered after the code that
// the flow waits for; 0 is not at all.
func (v *visit) trustDays(f login.Flow) int {
	if f.Purpose != login.SignIn {
		return 0
	}
	return days(v.Machine.Settings.TrustBrowser)
}

// days is a life as people are told it: whole days, and one at least.
func days(life time.Duration) int {
	if life <= 0 {
		return 0
	}
	return max(1, int(life/(24*time.Hour)))
}

// trustOffer is the box that asks for it.
func (v *visit) trustOffer(f login.Flow) pages.Trust { return pages.Trust{Days: v.trustDays(f)} }
