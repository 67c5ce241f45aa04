package pages

// Args are the values for the named placeholders of a message, as {n} or
// {time}. A time.Duration is written as people say it ("15 minutes", rounded
// up), a time.Time as a clock in UTC that the script turns into local time, a
// whole number also chooses the plural form when it is called n. Everything
// else is text and is escaped. {service} and {support} are always known.
type Args map[string]any

// Problem is one thing wrong with what was sent. It is shown in the summary on
// top of the page and, when Field names a control, beside that control.
type Problem struct {
	// Field is the id of the control to put right, which is also its name:
	// username, password, code, method, saved, label, phone, channel, name,
	// hosts, paths, methods. "" is
	// the whole form.
	Field string
	// Key names the sentence, one of the constants in keys.go.
	Key string
	// Args fill the sentence. A whole number called left adds how many
	// attempts remain.
	Args Args
}

// Notice kinds.
const (
	Success = "success"
	Warning = "warning"
	Info    = "info"
)

// Notice is one thing that the person should know and need not put right.
type Notice struct {
	// Kind is Success, Warning or Info.
	Kind string
	// Key names the sentence, one of the constants in keys.go.
	Key  string
	Args Args
}

// Frame is what every page has around its content. Every view embeds it.
type Frame struct {
	// Base is where the portal is: "" at the root of this host, "/sallyport"
	// below it, or "https://login.example.com" for a page that an app's host
	// shows while the portal has its own. In the last case the style sheet
	// comes from there (the Content-Security-Policy says so) and nothing posts.
	Base string
	// Lang is the language wanted, as "en" or "de-AT". One without catalogue
	// is shown in English.
	Lang string
	// RequestID is shown where a person may have to name it to support.
	RequestID string
	// Account is the name of the person signed in, "" for nobody. With it, the
	// header offers to sign out.
	Account string
	// Flow is sent along by every form as the hidden field flow, and by every
	// link to another step of the same flow. "" leaves it out.
	Flow string

	Problems []Problem
	Notices  []Notice
}

func (f Frame) frame() Frame { return f }

// View is one page, filled. The structs of this package are the only ones.
type View interface {
	// frame is promoted from the embedded Frame.
	frame() Frame
	// page is the name of the template, and the prefix of its messages.
	page() string
}
