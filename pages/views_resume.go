package pages

// BackToTab is for somebody who signed in beside a page that stayed open. It
// stands on the app's host.
type BackToTab struct {
	Frame
	// App is what the page that stayed open belongs to.
	App string
}

func (BackToTab) page() string { return "backtotab" }
