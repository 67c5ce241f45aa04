package web

import (
	"net/http"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/pages"
)

// A change that comes before its person has confirmed that it is them leads to
// the confirmation and back to exactly its page, with what the form held
// (SPEC D2). The change is still theirs to send: nobody meets a button pressed
// that they did not press.

// keptFields are what a form of the settings may hold that is shown again.
// Passwords and codes never are.
var keptFields = []string{"label", "phone", "channel", "name", "hosts", "paths", "methods", "life"}

// confirmFirst leads to the confirmation.
func (v *visit) confirmFirst() error {
	path := strings.TrimPrefix(v.r.URL.Path, v.Config.Base)
	kept := map[string]string{}
	for _, name := range keptFields {
		if value := v.form.Get(name); value != "" && len(value) <= 4*account.MaxIdentifier {
			kept[name] = value
		}
	}
	if v.r.Method != http.MethodPost || len(kept) == 0 {
		return v.to("/account/security/confirm", "next", path)
	}
	if err := v.bindBrowser(); err != nil {
		return err
	}
	f, err := v.Machine.BeginStepUp(v.ctx(), v.client, *v.person, settingsPath(path), kept)
	if err != nil {
		return err
	}
	return v.to("/account/security/confirm", "flow", string(f.ID))
}

// keptFrame is the frame of a page of the settings, and what its form held
// before the person confirmed that it is them, or before it was refused.
func (v *visit) keptFrame() (pages.Frame, map[string]string) {
	f, err := v.flow()
	if err != nil || f.Purpose != login.StepUp || v.Config.Base+f.Return != v.r.URL.Path {
		return v.frame(), nil
	}
	frame := v.flowFrame(f)
	frame.Flow = ""
	kept := v.Machine.Kept(f)
	if len(kept) > 0 && len(frame.Problems) == 0 {
		frame.Notices = append(frame.Notices, pages.Notice{Kind: pages.Info, Key: pages.NoticeConfirmed})
	}
	return frame, kept
}

// refuseChange keeps what was wrong with a form of the settings, and what it
// held, for its page to tell.
func (v *visit) refuseChange(kept map[string]string, problems ...login.Problem) error {
	if err := v.bindBrowser(); err != nil {
		return err
	}
	path := settingsPath(strings.TrimPrefix(v.r.URL.Path, v.Config.Base))
	f, err := v.Machine.BeginStepUp(v.ctx(), v.client, *v.person, path, kept)
	if err != nil {
		return err
	}
	if f, err = v.Machine.RefuseStepUp(v.ctx(), f, "", problems); err != nil {
		return err
	}
	return v.to(path, "flow", string(f.ID))
}
