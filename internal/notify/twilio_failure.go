package notify

import "strconv"

// twilioReasons are Twilio's error codes, as its error dictionary describes
// them. Others count by their status.
var twilioReasons = map[int]Reason{
	13223: BadNumber, // not a number that can be called
	13224: BadNumber, // the same
	13226: BadNumber, // no such country
	21211: BadNumber, // invalid 'To'
	21214: BadNumber, // 'To' cannot be reached
	21217: BadNumber, // invalid number
	21265: BadNumber, // a short code
	21401: BadNumber, // invalid number
	21421: BadNumber, // invalid number
	21614: BadNumber, // not a mobile number
	21635: BadNumber, // a landline
	30003: BadNumber, // unreachable
	30005: BadNumber, // unknown
	30006: BadNumber, // a landline

	13227: Blocked, // country not allowed for calls
	21202: Blocked, // premium rate
	21215: Blocked, // country not allowed for calls
	21216: Blocked, // number not allowed for calls
	21219: Blocked, // a trial account calls confirmed numbers only
	21408: Blocked, // country not allowed for messages
	21608: Blocked, // a trial account texts confirmed numbers only
	21610: Blocked, // its owner has answered STOP
	21612: Blocked, // no way from this sender to this number
	30004: Blocked, // by the owner or the carrier
	30007: Blocked, // by a filter
	30450: Blocked, // as suspected fraud
	32205: Blocked, // country not allowed for calls

	10001: NoFunds, // account not active, for want of funds first of all
	20005: NoFunds, // the same
	30002: NoFunds, // account suspended, for the same
	90010: NoFunds, // account not active

	20003: Credentials, // authentication failed
	20404: Credentials, // no such account
	21210: Credentials, // 'From' not confirmed
	21212: Credentials, // invalid 'From'
	21603: Credentials, // 'From' missing
	21606: Credentials, // 'From' cannot send
	21659: Credentials, // 'From' is not Twilio's
	21660: Credentials, // 'From' is of another account
	21661: Credentials, // 'From' cannot send texts
	21701: Credentials, // no such messaging service
	21703: Credentials, // messaging service without numbers

	10004: Limited, // too many calls at once
	20429: Limited,
	21611: Limited, // queue of the sender full
	30001: Limited, // queue full
}

// twilioFailure names a refusal, or a message that was made and failed. A 429
// and a 5xx keep their own meaning.
func twilioFailure(status, code int, words string) *Failure {
	f := statusFailure(status, ownWords(number(code), words))
	if f.Reason == Limited || status >= 500 {
		return f
	}
	if reason, known := twilioReasons[code]; known {
		f.Reason = reason
	} else if status/100 == 2 {
		f.Reason = Rejected
	}
	f.Maybe = false
	return f
}

func number(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}
