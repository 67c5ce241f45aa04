package pages

import "time"

// MethodPhone is the phone among the methods that can be enrolled. To prove
// oneself it is MethodText or MethodCall.
const MethodPhone = "phone"

// VerifyPhone is {base}/verify/text and {base}/verify/call. Before a code is
// out it offers to send one; afterwards it asks for it. The code is posted as
// code to {base}/verify/text or {base}/verify/call, as Method says; the buttons
// that ask for a code post to {base}/verify/text/send and
// {base}/verify/call/send. Field: code, only when Sent.
type VerifyPhone struct {
	Frame
	// Method is which page this is: MethodText or MethodCall.
	Method string
	// Ending is the end of the phone number, all of it that is shown.
	Ending string
	// CanText and CanCall are the channels that can be used now. With neither
	// the page says so.
	CanText, CanCall bool
	// Sent says that a code is out and may still be entered. Otherwise the
	// page has no field for one, and its problems name none.
	Sent bool
	// SentBy is how it went last, MethodText or MethodCall; "" is Method.
	SentBy string
	// Unsure says that nobody knows whether the code is out: the sender failed.
	Unsure bool
	// Minutes is how long the code still works; less than 1 is shown as 1.
	Minutes int
	// Wait is how long until a code may be asked for again; 0 is now.
	Wait time.Duration
	// MoreCodes is how many more codes can be asked for now: -1 says nothing,
	// at 0 the page says that this is the last one and has no button for more.
	MoreCodes int
	// Hint adds what to check after two wrong codes.
	Hint bool
	// OtherWays links to {base}/verify.
	OtherWays bool
	Trust     Trust
	// Testing is as in VerifyChoose.
	Testing bool
}

// SetUpPhone asks for a phone number. It posts phone and channel to
// {base}/set-up/phone. Fields: phone, channel.
type SetUpPhone struct {
	Frame
	// Number is what was typed before, to the letter.
	Number string
	// Channel is the one chosen beforehand, MethodText or MethodCall; "" is
	// MethodText.
	Channel string
	// CanText and CanCall are the channels that can be used. A single one is
	// not a question; with neither the page says so.
	CanText, CanCall bool
	// DefaultCode is the calling code that a number without one gets, as
	// "+44"; "" says nothing about it.
	DefaultCode string
	// Current is the end of the number in use, which this one replaces; ""
	// adds the first.
	Current string
	// Post is where the form goes, "" for {base}/set-up/phone.
	Post string
	// App links the risk to the authenticator app, at {base}/set-up.
	App bool
	// OtherWays links to {base}/set-up.
	OtherWays bool
	// Forced: leaving means signing out, otherwise going back to the settings.
	Forced bool
}

// ConfirmPhone asks for the code that went to a new number. It posts code to
// {base}/set-up/phone/confirm, and channel to {base}/set-up/phone/send for
// another one. Field: code, only when SentBy is not empty.
type ConfirmPhone struct {
	Frame
	// Number is what was typed, to the letter.
	Number string
	// Current is the end of the number in use, which works until this one is
	// confirmed; "" when there is none.
	Current string
	// CanText and CanCall are the channels that can be used now.
	CanText, CanCall bool
	// SentBy is how the code went last, MethodText or MethodCall; "" while no
	// code is out, so that the page offers to send one.
	SentBy string
	// Unsure, Minutes, Wait, MoreCodes and Hint are as in VerifyPhone.
	Unsure    bool
	Minutes   int
	Wait      time.Duration
	MoreCodes int
	Hint      bool
	// OtherWays links to {base}/set-up.
	OtherWays bool
	// Forced: leaving means signing out, otherwise going back to the settings.
	Forced bool
}

// OfferApp offers an authenticator app to somebody who had to ask for a code
// more than once. It posts answer=app or answer=later to {base}/set-up.
type OfferApp struct{ Frame }

func (VerifyPhone) page() string  { return "phone" }
func (SetUpPhone) page() string   { return "setupphone" }
func (ConfirmPhone) page() string { return "confirmphone" }
func (OfferApp) page() string     { return "offerapp" }

func (v VerifyPhone) variant() string {
	if v.Sent {
		return "sent"
	}
	return "ask"
}

func (v SetUpPhone) variant() string {
	if v.Current != "" {
		return "change"
	}
	return "add"
}

// sends are the buttons that ask for a code: which channels there are, by
// which the last one went ("" before the first), and which comes first.
func (v VerifyPhone) sends() (canText, canCall bool, sentBy, first string) {
	if v.Sent {
		sentBy = v.lastBy()
	}
	return v.CanText, v.CanCall, sentBy, v.Method
}

func (v ConfirmPhone) sends() (canText, canCall bool, sentBy, first string) {
	return v.CanText, v.CanCall, v.SentBy, MethodText
}

// lastBy is how the code went last.
func (v VerifyPhone) lastBy() string {
	if v.SentBy == "" {
		return v.Method
	}
	return v.SentBy
}

// askPath and askChannel are the action and the hidden field of such a button.
func (VerifyPhone) askPath(channel string) string { return "/verify/" + channel + "/send" }
func (VerifyPhone) askChannel(string) string      { return "" }

func (ConfirmPhone) askPath(string) string            { return "/set-up/phone/send" }
func (ConfirmPhone) askChannel(channel string) string { return channel }
