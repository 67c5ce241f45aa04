package notify

import "strings"

// A telnyxError is one of the errors of Telnyx's answers.
type telnyxError struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Source struct {
		Pointer string `json:"pointer"`
	} `json:"source"`
}

// telnyxReasons are Telnyx's error codes, as its lists of API errors and of
// messaging errors describe them. Others count by their status.
var telnyxReasons = map[string]Reason{
	"10001": BadNumber, // inactive phone number
	"10002": BadNumber, // invalid phone number
	"10016": BadNumber, // not in E.164
	"40001": BadNumber, // not routable: a landline, or no such number
	"40012": BadNumber, // invalid destination number
	"40301": BadNumber, // type of message not supported there
	"40310": BadNumber, // invalid 'to' address
	"40319": BadNumber, // type of message not compatible with 'to'

	"40002": Blocked, // as spam, for now
	"40003": Blocked, // as spam, for good
	"40004": Blocked, // rejected by the destination
	"40015": Blocked, // as spam, by Telnyx
	"40300": Blocked, // its owner has answered STOP
	"40309": Blocked, // country not allowed in the messaging profile
	"40322": Blocked, // because of the content

	"20012": NoFunds, // account inactive, for want of funds first of all
	"20100": NoFunds,

	"10009": Credentials, // authentication failed
	"10010": Credentials, // authorization failed
	"20002": Credentials, // key revoked
	"20006": Credentials, // token expired
	"20013": Credentials, // account blocked
	"20014": Credentials, // account not verified
	"20015": Credentials, // feature not enabled
	"20016": Credentials, // account not verified enough
	"20017": Credentials, // the same
	"40013": Credentials, // invalid sending number
	"40100": Credentials, // sending number not enabled for messages
	"40305": Credentials, // invalid 'from' address
	"40306": Credentials, // sender's name not set up
	"40308": Credentials, // invalid 'from' address
	"40312": Credentials, // messaging profile disabled
	"40314": Credentials, // messaging disabled for the account
	"40315": Credentials, // 'from' address with too many complaints
	"40320": Credentials, // 'from' address not usable yet
	"40321": Credentials, // no usable numbers in the profile
	"40329": Credentials, // toll-free number not verified yet

	"10011": Limited,
	"40011": Limited, // by the carrier
	"40016": Limited, // by the carrier, for today
	"40018": Limited, // by the carrier, for this minute
	"40318": Limited, // queue full
}

// telnyxPointers are the fields of our requests that can be at fault: what the
// operator has configured, and the number.
var telnyxPointers = map[string]Reason{
	"from": Credentials, "messaging_profile_id": Credentials, "verify_profile_id": Credentials, "connection_id": Credentials,
	"to": BadNumber, "phone_number": BadNumber,
}

// telnyxFailure names a refusal. A 429 and a 5xx keep their own meaning.
func telnyxFailure(status int, errors []telnyxError) *Failure {
	if len(errors) == 0 {
		return statusFailure(status, "")
	}
	e := errors[0]
	f := statusFailure(status, ownWords(e.Code, e.Title))
	if f.Reason == Limited || status >= 500 {
		return f
	}
	f.Reason = Rejected
	if reason, known := telnyxPointers[strings.Trim(e.Source.Pointer, "/")]; known {
		f.Reason = reason
	}
	// A number that is bad may be ours: then the pointer knows better.
	if reason, known := telnyxReasons[e.Code]; known && (reason != BadNumber || f.Reason != Credentials) {
		f.Reason = reason
	} else if !known && f.Reason == Rejected {
		f.Reason = statusFailure(status, "").Reason
	}
	f.Maybe = false
	return f
}
