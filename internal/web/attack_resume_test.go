package web_test

import (
	"net/http"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/authtest"
)

// What the page that sends a form has sealed holds no form: it is not shown as
// one, and no fault of ours.
func TestSealedAddressIsNoKeptForm(t *testing.T) {
	t.Parallel()
	s := newSite(t, needsFactor)
	ann, b := s.Add("ann", authtest.WithApp, authtest.WithCodes(3)), s.browser()
	s.idle(b, ann)
	kept := postForm(b, editURL, edited).Forms(t)[0].Fields.Get("kept")
	s.signInAt(b, appURL+"/", ann)
	page := postForm(b, resumeURL, values("kept", kept).Encode())
	action, err := page.URL.Parse(page.Forms(t)[0].Action)
	s.Must(err)
	got := postForm(b, resumeURL, values("kept", action.Query().Get("form")).Encode())
	want(t, got, http.StatusBadRequest)
	want(t, postForm(b, resumeURL, values("kept", kept).Encode()), http.StatusOK)
}
