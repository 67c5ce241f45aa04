package caddymodule

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// How long a node's hosts are believed, and how often it says them again.
const (
	hostsLife  = 60 * time.Second
	hostsEvery = 20 * time.Second
	// hostsFresh bounds how often an unknown host is asked for in the store.
	hostsFresh = time.Second
)

// hostSet is the set of protected hosts, over all nodes. A wish or a ticket for
// any other host is refused: else whoever asks a catch-all site with a Host of
// their own gets a victim's ticket.
type hostSet struct {
	engine *engine

	mu     sync.RWMutex
	own    map[*App][]string
	others map[string]bool
	asked  time.Time

	changed chan struct{} // wakes run
}

func newHostSet(e *engine) *hostSet {
	return &hostSet{engine: e, own: map[*App][]string{}, others: map[string]bool{}, changed: make(chan struct{}, 1)}
}

// set replaces the hosts of one configuration; none removes it. The other
// nodes are told at once: a person may be on the way to another node's portal,
// and a host that was given up is to be refused.
func (h *hostSet) set(a *App, hosts []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.own, a)
	if len(hosts) > 0 {
		h.own[a] = hosts
	}
	select {
	case h.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// Known reports whether a host (with or without port) is protected here or on
// another node.
func (h *hostSet) Known(ctx context.Context, hostport string) (bool, error) {
	host := withoutPort(hostport)
	h.mu.RLock()
	known, fresh := h.match(host), time.Since(h.asked) < hostsFresh
	h.mu.RUnlock()
	if known || fresh {
		return known, nil
	}
	if err := h.refresh(ctx); err != nil {
		return false, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.match(host), nil
}

func (h *hostSet) match(host string) bool {
	for _, own := range h.own {
		for _, pattern := range own {
			if hostMatches(pattern, host) {
				return true
			}
		}
	}
	for pattern := range h.others {
		if hostMatches(pattern, host) {
			return true
		}
	}
	return false
}

// refresh reads the union of all nodes.
func (h *hostSet) refresh(ctx context.Context) error {
	all, err := h.engine.short.Hosts(ctx, time.Now())
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.others, h.asked = map[string]bool{}, time.Now()
	for _, pattern := range all {
		h.others[pattern] = true
	}
	return nil
}

// publish tells the other nodes this node's hosts.
func (h *hostSet) publish(ctx context.Context) error {
	h.mu.RLock()
	var all []string
	for _, own := range h.own {
		all = append(all, own...)
	}
	h.mu.RUnlock()
	return h.engine.short.PublishHosts(ctx, h.engine.node, all, hostsLife)
}

func (h *hostSet) run(ctx context.Context) {
	for {
		try, stop := context.WithTimeout(ctx, 2*time.Second)
		if err := h.publish(try); err == nil {
			_ = h.refresh(try)
		}
		stop()
		select {
		case <-ctx.Done():
			return
		case <-h.changed:
		case <-time.After(hostsEvery):
		}
	}
}

// hostMatches compares as Caddy's host matcher does: `*` stands for one label,
// wherever it is. Both are in the form of hostPattern.
func hostMatches(pattern, host string) bool {
	return labelsMatch(pattern, host, func(p, h string) bool { return p == h || p == "*" && h != "" })
}

// hostsMeet reports whether some host matches both patterns.
func hostsMeet(a, b string) bool {
	return labelsMatch(a, b, func(a, b string) bool { return a == b || a == "*" || b == "*" })
}

func labelsMatch(a, b string, match func(a, b string) bool) bool {
	if a == b {
		return true
	}
	for {
		labelA, restA, moreA := strings.Cut(a, ".")
		labelB, restB, moreB := strings.Cut(b, ".")
		if moreA != moreB || !match(labelA, labelB) {
			return false
		}
		if !moreA {
			return true
		}
		a, b = restA, restB
	}
}

// hostPattern brings a host of the configuration into the form of
// web.Arrival.Host: lower case, no trailing dot, IPv6 in brackets.
func hostPattern(h string) string {
	h = strings.TrimSuffix(strings.ToLower(h), ".")
	return plainIPv6(h)
}

// plainIPv6 writes an IPv6 address in the one form that is compared; any other
// host stays as it is.
func plainIPv6(h string) string {
	if !strings.Contains(h, ":") {
		return h
	}
	addr, err := netip.ParseAddr(strings.Trim(h, "[]"))
	if err != nil {
		return h
	}
	return "[" + addr.String() + "]"
}

// withoutPort gives the host of host:port.
func withoutPort(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && !strings.HasSuffix(hostport, "]") {
		return hostport[:i]
	}
	return hostport
}
