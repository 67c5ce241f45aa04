package pages

import "time"

// Kinds of limits.
const (
	LimitRequests = "requests"
	LimitSignIn   = "signin"
	LimitCodes    = "codes"
	LimitSends    = "sends"
)

// Limited says that there were too many tries. Status 429; the handler sets
// Retry-After to the exact wait.
type Limited struct {
	Frame
	// Kind is one of the Limit constants.
	Kind string
	// Phone says that the codes of LimitCodes are sent to one.
	Phone bool
	// Wait is how long to wait, Until when that is over.
	Wait  time.Duration
	Until time.Time
	// Retry is the address to try again at, "" for {base}/sign-in.
	Retry string
	// OtherWays is the address where another way can be chosen now, "" for none.
	OtherWays string
}

// Denied is for somebody signed in who may not open this app. Status 403.
type Denied struct {
	Frame
	// User is who they are. Frame.Account may be left empty on an app's host.
	User string
	// App is the name or host of what they asked for.
	App string
	// Switch is the address to sign in as someone else, "" for {base}/sign-out.
	Switch string
}

// WrongNetwork is for an app that opens only from networks that this address is
// not in. Status 403. It says nothing of who may open it, nor which networks.
type WrongNetwork struct {
	Frame
	App string
	// Address is where the request came from.
	Address string
}

// FrameSignIn is shown inside a frame, embed or object: a link that opens at
// the top. Status 401; it alone may be framed.
type FrameSignIn struct {
	Frame
	App string
	// URL is where signing in begins.
	URL string
}

// Kinds of misdirected requests.
const (
	MisdirectedHost     = "host"
	MisdirectedInsecure = "insecure"
)

// Misdirected is for a host that nothing answers for, or a connection that is
// not secure. Status 421.
type Misdirected struct {
	Frame
	// Kind is MisdirectedHost or MisdirectedInsecure.
	Kind string
	// Host is what was asked for.
	Host string
	// Secure is the same address by HTTPS, "" when there is none.
	Secure string
	// Port is the port of this server, for the ssh command; 0 means 8080.
	Port int
}

// CookiesBlocked is for a browser that keeps no cookies.
type CookiesBlocked struct {
	Frame
	// Retry is the address to try again at, "" for {base}/sign-in.
	Retry string
}

// Busy is for a full password queue. Status 503 with Retry-After.
type Busy struct {
	Frame
	Retry string
}

// Unavailable is for a store that is away. Status 503 with Retry-After. It
// needs nothing but itself.
type Unavailable struct{ Frame }

// Kinds of failures.
const (
	FailureRequest   = "request"   // 400: a doubled field, a broken encoding
	FailureCrossSite = "crosssite" // 403: a form sent from another site
	FailureNotFound  = "notfound"  // 404
	FailureRuled     = "ruled"     // 403: a change of one's account that a rule forbids
	FailureMethod    = "method"    // 405
	FailureTooLarge  = "toolarge"  // 413
	FailureTooEarly  = "tooearly"  // 425
	FailureServer    = "server"    // 500
)

// Failure is every other answer that is not what was asked for.
type Failure struct {
	Frame
	// Kind is one of the Failure constants.
	Kind string
}

// Help answers what can be answered without knowing who asks. Its anchors:
// #password, #code, #phone, #lost, #sso, #limits, #cookies, #notme, #contact.
type Help struct{ Frame }

func (Limited) page() string        { return "limited" }
func (Denied) page() string         { return "denied" }
func (WrongNetwork) page() string   { return "wrongnetwork" }
func (FrameSignIn) page() string    { return "framed" }
func (Misdirected) page() string    { return "misdirected" }
func (CookiesBlocked) page() string { return "cookies" }
func (Busy) page() string           { return "busy" }
func (Unavailable) page() string    { return "unavailable" }
func (Failure) page() string        { return "failure" }
func (Help) page() string           { return "help" }

// framable marks the one page that other pages may show in a frame.
func (FrameSignIn) framable() {}

// secretPath marks the pages whose own address is a secret, or may be: a
// refusal may stand at the address of a link that still opens.
func (Link) secretPath()           {}
func (EnrolLink) secretPath()      {}
func (Limited) secretPath()        {}
func (Misdirected) secretPath()    {}
func (CookiesBlocked) secretPath() {}
func (Busy) secretPath()           {}
func (Unavailable) secretPath()    {}
func (Failure) secretPath()        {}
