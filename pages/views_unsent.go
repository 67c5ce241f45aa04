package pages

// What is in the way of a kept form.
const (
	UnsentSignedOut = "signedout" // nobody is signed in yet
	UnsentOther     = "other"     // somebody else is
)

// UnsentForm holds a form, sealed, that met a session that has ended or is not
// enough. Status 401. It
// posts the hidden field kept to Action.
type UnsentForm struct {
	Frame
	App string
	// Action is the path that takes the form, on the app's own host.
	Action string
	// SignIn is where signing in begins; it opens beside this page.
	SignIn string
	// Kept is the form, sealed.
	Kept string
	// Confirm: they are signed in, and the app asks for newer or more proof.
	Confirm bool
	// Problem is one of the Unsent constants, "" the first time.
	Problem string
}

// SendForm shows what a kept form is, and sends it by a click: its fields go to
// Action, which leads to Address.
type SendForm struct {
	Frame
	App string
	// Method and Address are where the form goes.
	Method, Address string
	Action          string
	// Encoding is the form's enctype.
	Encoding string
	Fields   []HiddenField
}

// FormSent says that a kept form was sent before. Status 409.
type FormSent struct {
	Frame
	App string
	// Address is that of the app.
	Address string
}

// Names are the names of the fields, each once.
func (v SendForm) Names() (names []string) {
	seen := map[string]bool{}
	for _, f := range v.Fields {
		if !seen[f.Name] {
			seen[f.Name] = true
			names = append(names, f.Name)
		}
	}
	return names
}

func (UnsentForm) page() string { return "unsentform" }
func (SendForm) page() string   { return "sendform" }
func (FormSent) page() string   { return "formsent" }
