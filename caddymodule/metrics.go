package caddymodule

import (
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/notify"
)

// metrics counts what happens. It lives in the engine, so that a reload, which
// gives Caddy a new registry, loses no counts. No label holds anything
// personal: names of events and senders, countries, channels, limits.
type metrics struct {
	events   *prometheus.CounterVec
	sent     *prometheus.CounterVec
	entered  *prometheus.CounterVec
	failures *prometheus.CounterVec
	refusals *prometheus.CounterVec
	// mailFailures are attempts to send an e-mail.
	mailFailures *prometheus.CounterVec
	ratio        *prometheus.GaugeVec
	// certificate is how long each identity provider can still sign.
	certificate *prometheus.GaugeVec
	// open are connections that stay open.
	open *prometheus.GaugeVec
}

// sendLimits names the limits on codes by the events of their refusals.
var sendLimits = map[audit.Name]string{
	audit.SendLimitAccount: "send_account",
	audit.SendLimitNumber:  "send_number",
	audit.SendLimitNetwork: "send_network",
	audit.SendDailyCap:     "daily_cap",
}

// sendWait is the limit whose refusals have no event of their own: people run
// into it by a click too many.
const sendWait = "send_wait"

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "sallyport", Name: name, Help: help}, labels)
	}
	m := &metrics{
		events:       counter("audit_events_total", "Audit events by name.", "event"),
		sent:         counter("codes_sent_total", "Codes that a sender took, by the country of the number.", "country", "channel", "sender"),
		entered:      counter("codes_entered_total", "Codes from phones that were entered and right.", "country", "channel"),
		failures:     counter("send_failures_total", "Messages that a sender did not take.", "sender", "channel", "reason"),
		mailFailures: counter("mail_failures_total", "Attempts to send an e-mail that failed. Each is tried again.", "reason"),
		refusals:     counter("send_refusals_total", "Requests for a code that a limit refused.", "limit"),
		ratio: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "sallyport", Name: "codes_entered_ratio",
			Help: "Share of the codes sent 70 to 10 minutes ago that were entered, by country; \"all\" is all countries.",
		}, []string{"country"}),
		certificate: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "sallyport", Name: "saml_certificate_days_left",
			Help: "Days until the last certificate of an identity provider ends; 0 when there is none that is good.",
		}, []string{"provider"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "sallyport", Name: "open_connections",
			Help: "WebSockets and event streams of people who are signed in.",
		}, []string{"kind"}),
	}
	m.refusals.WithLabelValues(sendWait)
	for _, limit := range sendLimits {
		m.refusals.WithLabelValues(limit)
	}
	return m
}

// register shows the metrics in a configuration's registry.
func (m *metrics) register(r prometheus.Registerer) error {
	var failed []error
	for _, c := range []prometheus.Collector{m.events, m.sent, m.entered, m.failures, m.mailFailures, m.refusals, m.ratio, m.certificate, m.open} {
		failed = append(failed, r.Register(c))
	}
	return errors.Join(failed...)
}

// count counts audit events.
func (m *metrics) count(events ...audit.Event) {
	for _, e := range events {
		m.events.WithLabelValues(string(e.Name)).Inc()
		switch e.Name {
		case audit.CodeSent:
			m.sent.WithLabelValues(e.Country, e.Method, e.Reason).Inc()
		case audit.LimitHit:
			if e.Reason == sendWait {
				m.refusals.WithLabelValues(sendWait).Inc()
			}
		default:
			if enteredCode(e.Name, e.Method) {
				m.entered.WithLabelValues(e.Country, e.Method).Inc()
			}
			if limit, ok := sendLimits[e.Name]; ok {
				m.refusals.WithLabelValues(limit).Inc()
			}
		}
	}
}

// enteredCode reports whether an event says that a code from a phone was
// right.
func enteredCode(name audit.Name, method string) bool {
	return slices.Contains([]audit.Name{audit.FactorRight, audit.FactorAdded, audit.FactorReplaced}, name) &&
		account.Method(method).Kind() == account.KindPhone
}

// reasons are the labels that failures have: another one's sender may invent
// any text.
var reasons = []notify.Reason{
	notify.BadNumber, notify.Blocked, notify.NoFunds, notify.Credentials, notify.Limited,
	notify.Rejected, notify.Deferred, notify.Broken, notify.Timeout, notify.Unreachable,
}

// notSent counts a message that a sender did not take.
func (m *metrics) notSent(sender string, c notify.Channel, reason notify.Reason) {
	if !slices.Contains(reasons, reason) {
		reason = "other"
	}
	m.failures.WithLabelValues(sender, string(c), string(reason)).Inc()
}
