package web

import (
	"io"
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

// showCodes shows the backup codes until they are saved, or asks somebody who
// has none left whether to make new ones.
func showCodes(v *visit) error {
	f, a, fs, here, err := v.expect(login.StepSaveCodes, login.StepOfferCodes)
	if err != nil || !here {
		return err
	}
	if v.Machine.Next(f, fs) == login.StepOfferCodes {
		return v.show(http.StatusOK, pages.NewBackupCodes{Frame: v.flowFrame(f), AtSignIn: true})
	}
	f, codes, err := v.Machine.ShowCodes(v.ctx(), f)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, v.codesView(f, a, codes))
}

// downloadCodes gives the same codes as text, one a line.
func downloadCodes(v *visit) error {
	f, a, _, here, err := v.expect(login.StepSaveCodes)
	if err != nil || !here {
		return err
	}
	f, codes, err := v.Machine.ShowCodes(v.ctx(), f)
	if err != nil {
		return err
	}
	text, err := v.Pages.BackupCodesText(v.codesView(f, a, codes))
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+v.Pages.BackupCodesFile()+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, err = io.WriteString(v.w, text)
	return err
}

// codesView is the sheet of backup codes, on screen and as text.
func (v *visit) codesView(f login.Flow, a account.Account, codes []string) pages.BackupCodes {
	return pages.BackupCodes{
		Frame: v.flowFrame(f), Codes: codes, Owner: a.Label(), Made: f.CodesExpire.Add(-login.PendingLife), Replaces: f.CodesWanted,
	}
}

// submitCodes makes the shown codes the account's set. The session cookie
// changes with it, so that Back does not bring the codes back.
func submitCodes(v *visit) error {
	f, err := v.flow()
	if err != nil {
		return err
	}
	if answer := v.form.Get("answer"); answer != "" {
		if f, err = v.Machine.OfferedCodes(v.ctx(), f, answer == "new"); err != nil {
			return err
		}
		return v.next(f)
	}
	f, err = v.Machine.SaveCodes(v.ctx(), v.client, f, v.form.Get("saved") != "")
	if err != nil {
		return err
	}
	if len(f.Problems) > 0 {
		return v.to("/set-up/backup-codes", "flow", string(f.ID))
	}
	if f.Purpose == login.Enrol {
		cred, err := v.Machine.Rotate(v.ctx(), *v.person, v.place())
		if err != nil {
			return err
		}
		if err := v.setSession(cred); err != nil {
			return err
		}
	}
	return v.next(f)
}
