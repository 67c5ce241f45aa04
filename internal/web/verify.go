package web

import (
	"net/http"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

// showVerify lists the ways to verify it's you.
func showVerify(v *visit) error {
	f, a, fs, here, err := v.expect(login.StepVerify)
	if err != nil || !here {
		return err
	}
	view := pages.VerifyChoose{Frame: v.flowFrame(f), Testing: f.Purpose == login.Test}
	// Of the page before are other problems, and what was sent.
	view.Problems = slices.DeleteFunc(view.Problems, func(p pages.Problem) bool { return p.Field != "method" })
	view.Notices = slices.DeleteFunc(view.Notices, func(n pages.Notice) bool { return n.Key == pages.NoticeSent || n.Key == pages.NoticeCalled })
	ending := v.ending(fs)
	for i, k := range v.Machine.Offered(a, fs) {
		choice := pages.Choice{Method: string(k), Checked: k == f.Method || f.Method == "" && i == 0}
		if k.Kind() == account.KindPhone {
			choice.Ending = ending
		}
		view.Choices = append(view.Choices, choice)
	}
	return v.show(http.StatusOK, view)
}

func submitVerify(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	f, err = v.Machine.ChooseMethod(v.ctx(), f, account.Method(v.form.Get("method")))
	if err != nil {
		return err
	}
	if len(f.Problems) > 0 {
		return v.to("/verify", "flow", string(f.ID))
	}
	return v.next(f)
}

// hintAfter: after so many wrong codes the page says what to check.
const hintAfter = 2

// showVerifyApp asks for the code of the authenticator app.
func showVerifyApp(v *visit) error {
	f, a, fs, here, err := v.expect(login.StepVerify)
	if err != nil || !here {
		return err
	}
	return v.show(http.StatusOK, pages.VerifyApp{
		Frame: v.flowFrame(f), Hint: f.WrongCodes >= hintAfter, OtherWays: len(v.Machine.Offered(a, fs)) > 1,
		Trust: v.trustOffer(f), Testing: f.Purpose == login.Test,
	})
}

func submitVerifyApp(v *visit) error {
	return v.submitCode("/verify/app", func(f login.Flow, code string) (login.Flow, error) {
		return v.Machine.SubmitTOTP(v.ctx(), v.client, f, code)
	})
}

// showVerifyBackup asks for a backup code, on a page of its own: beside
// another code field password managers would fill both.
func showVerifyBackup(v *visit) error {
	f, a, fs, here, err := v.expect(login.StepVerify)
	if err != nil || !here {
		return err
	}
	return v.show(http.StatusOK, pages.VerifyBackup{
		Frame: v.flowFrame(f), OtherWays: len(v.Machine.Offered(a, fs)) > 1,
		Trust: v.trustOffer(f), Testing: f.Purpose == login.Test,
	})
}

func submitVerifyBackup(v *visit) error {
	return v.submitCode("/verify/backup", func(f login.Flow, code string) (login.Flow, error) {
		return v.Machine.SubmitBackup(v.ctx(), v.client, f, code)
	})
}
