package samlsp

import "time"

// Finding is the answer of one check, for an operator.
type Finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Reason Reason `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Explain judges a response by every check, where Verify stops at the first
// that fails. It is for looking at, and lets nobody in: checks that come after
// a signature that does not hold are made of what was not signed.
func (p *Provider) Explain(r *Response, asked *Asked, now time.Time) []Finding {
	j := &judgement{Provider: p, response: r, asked: asked, now: now}
	var found []Finding
	for _, c := range j.checks() {
		f := Finding{Check: c.name, OK: true}
		if refusal := c.run(); refusal != nil {
			f.OK, f.Reason, f.Detail = false, refusal.Reason, refusal.Detail
		}
		found = append(found, f)
		if j.outer == nil {
			j.outer = r.root
		}
		if j.inner == nil {
			j.inner = r.assertion
		}
		if !f.OK && r.assertion == nil {
			break // nothing is left to look at
		}
	}
	return found
}
