package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

// The two pages of a phone show the same code, and which buttons come first.
// Showing them never sends.

func showVerifyText(v *visit) error { return v.showVerifyPhone(account.MethodText) }
func showVerifyCall(v *visit) error { return v.showVerifyPhone(account.MethodCall) }

func (v *visit) showVerifyPhone(k account.Method) error {
	f, a, fs, here, err := v.expect(login.StepVerify)
	if err != nil || !here {
		return err
	}
	offered := v.Machine.Offered(a, fs)
	view := pages.VerifyPhone{
		Frame: v.flowFrame(f), Method: string(k), Ending: v.ending(fs),
		CanText: slices.Contains(offered, account.MethodText), CanCall: slices.Contains(offered, account.MethodCall),
		Hint: f.WrongCodes >= hintAfter, Trust: v.trustOffer(f), Testing: f.Purpose == login.Test,
	}
	view.OtherWays = slices.ContainsFunc(offered, func(m account.Method) bool { return m.Kind() != account.KindPhone })
	phones := fs.Of(account.KindPhone)
	if len(phones) == 0 || !view.CanText && !view.CanCall { // none, or locked
		return v.to("/verify", "flow", string(f.ID))
	}
	s := v.Machine.Sending(f, phones[0].ID)
	view.Sent, view.SentBy, view.MoreCodes, view.Wait, view.Unsure = s.Out, string(s.By), s.More, s.Wait, s.Unsure
	view.Minutes = minutes(s.Life)
	if view.Sent {
		fieldless(view.Problems, "code")
	} else {
		fieldless(view.Problems)
		view.Notices = nil // of a code that has ended
	}
	return v.show(http.StatusOK, view)
}

// minutes is a life as people are told it, to the nearest minute: a page that
// is shown a moment after the code was made says what the message says.
func minutes(life time.Duration) int { return int(life.Round(time.Minute) / time.Minute) }

// fieldless tells the problems of fields that the page does not have as those
// of the whole page.
func fieldless(problems []pages.Problem, has ...string) {
	for i, p := range problems {
		if !slices.Contains(has, p.Field) {
			problems[i].Field = ""
		}
	}
}

// ownProblems leaves out those of fields that the page does not have: they are
// of the page before.
func ownProblems(problems []pages.Problem, has ...string) []pages.Problem {
	return slices.DeleteFunc(problems, func(p pages.Problem) bool {
		return p.Field != "" && !slices.Contains(has, p.Field)
	})
}

// ending is the end of the account's number; "" where it can't be read.
func (v *visit) ending(fs account.Factors) string {
	for _, f := range fs.Of(account.KindPhone) {
		if n, _, err := v.Machine.Number(f); err == nil {
			return n.Ending()
		}
	}
	return ""
}

func sendText(v *visit) error { return v.sendCode(account.MethodText) }
func sendCall(v *visit) error { return v.sendCode(account.MethodCall) }

func (v *visit) sendCode(k account.Method) error {
	v.verifying, v.ofPhone = true, true
	f, err := v.flow()
	if err != nil {
		return err
	}
	if f, err = v.Machine.SendCode(v.ctx(), v.client, f, k); err != nil {
		return err
	}
	return v.to("/verify/"+string(k), "flow", string(f.ID))
}

func submitVerifyText(v *visit) error { return v.submitSent(account.MethodText) }
func submitVerifyCall(v *visit) error { return v.submitSent(account.MethodCall) }

func (v *visit) submitSent(k account.Method) error {
	v.ofPhone = true
	return v.submitCode("/verify/"+string(k), func(f login.Flow, code string) (login.Flow, error) {
		return v.Machine.SubmitSent(v.ctx(), v.client, f, k, code)
	})
}
