package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
)

const (
	// soonDays is when a certificate's end is worth a remark, as it is worth a
	// warning in the log.
	soonDays = 30
	// noticedClock is how far a clock may be off before that is worth a remark.
	noticedClock = 5 * time.Second
)

// problem adds what prevents sign-ins, and what to do about it.
func (v *providerCheck) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

// remark adds what does not prevent them, or not yet.
func (v *providerCheck) remark(format string, args ...any) {
	v.Remarks = append(v.Remarks, fmt.Sprintf(format, args...))
}

func (v *providerCheck) judgeMetadata(state samlsp.State, usable bool, now time.Time) {
	const elsewhere = "mend that there, or name another place as `metadata`"
	switch {
	case state.Failed != nil && usable:
		v.remark("the metadata cannot be had or used now: %s; %s; until then the good copy of %s stays", state.Failed, elsewhere, when(state.Looked))
	case state.Failed != nil && state.IdP != nil:
		v.problem("the metadata cannot be had or used now: %s; %s; the last good copy, of %s, is void since %s", state.Failed, elsewhere, when(state.Looked), when(state.IdP.ValidUntil))
	case state.Failed != nil:
		v.problem("the metadata cannot be had or used now, and there is no good copy from before: %s; %s", state.Failed, elsewhere)
	case !usable:
		v.problem("the metadata was valid until %s: ask the provider for newer metadata", when(state.IdP.ValidUntil))
	}
	if state.IdP != nil {
		v.judgeCertificates(int(state.IdP.DaysLeft(now)))
	}
}

// judgeCertificates names those that are not good, and tells when the last one
// ends.
func (v *providerCheck) judgeCertificates(left int) {
	good := 0
	for _, c := range v.IdP.Certificates {
		switch c.State {
		case certificateGood:
			good++
		case certificateExpired:
			v.remark("the provider's certificate %s (%s) ended %s: what is signed with it is refused", c.SHA256, c.Subject, when(c.NotAfter))
		case certificateEarly:
			v.remark("the provider's certificate %s (%s) is valid from %s only: what is signed with it before is refused", c.SHA256, c.Subject, when(c.NotBefore))
		}
	}
	switch {
	case good == 0:
		v.problem("the provider has no certificate that is good now: ask it for metadata with a newer one")
	case left < soonDays:
		v.remark("the provider's last good certificate ends in %d days: ask it for metadata with a newer one", left)
	}
}

func (v *providerCheck) judgeClock(ahead *time.Duration, skew caddy.Duration) {
	if ahead == nil {
		return
	}
	way := "ahead of"
	if *ahead < 0 {
		way = "behind"
	}
	switch off := ahead.Abs(); {
	case off > time.Duration(skew):
		v.problem("the clock where the metadata is, is %s %s this one, and `clock_skew` allows %s: set both clocks (NTP)", off, way, timeText(skew))
	case off >= noticedClock:
		v.remark("the clock where the metadata is, is %s %s this one; `clock_skew` allows %s: set both clocks (NTP)", off, way, timeText(skew))
	}
}

func (v *providerCheck) judgeKeys() {
	const copied = "then copy the key ring to other nodes and run `sallyport keys reload` there"
	if len(v.SP.Signing) == 0 {
		v.problem("the key ring has no key that signs requests: run `sallyport keys add saml-signing`, %s", copied)
	}
	if len(v.SP.Decryption) == 0 {
		v.remark("the key ring has no key that decrypts, so that the provider must not encrypt: run `sallyport keys add saml-decryption`, %s", copied)
	}
}
