package caddymodule

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// hostsFresh bounds how often an unknown host is asked for in the store.
const hostsFresh = time.Second

// hostSet is the set of protected hosts, over all nodes. A wish or a ticket for
// any other host is refused: else whoever asks a catch-all site with a Host of
// their own gets a victim's ticket.
type hostSet struct {
	engine *engine

	mu     sync.RWMutex
	own    map[*App][]string
	others map[string]bool
	asked  time.Time
}

func newHostSet(e *engine) *hostSet {
	return &hostSet{engine: e, own: map[*App][]string{}, others: map[string]bool{}}
}

// set replaces the hosts of one configuration; none removes it. The other
// nodes are told at once: a person may be on the way to another node's portal,
// and a host that was given up is to be refused.
func (h *hostSet) set(a *App, hosts []string) {
	h.mu.Lock()
	delete(h.own, a)
	if len(hosts) > 0 {
		h.own[a] = hosts
	}
	h.mu.Unlock()
	h.engine.nodes.wake()
}

// ours are the hosts that this node protects.
func (h *hostSet) ours() (all []string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, own := range h.own {
		all = append(all, own...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Known reports whether a host, with the port where it is not the scheme's own,
// is protected here or on another node. The port counts: another program on
// another port of the host must not be handed a ticket.
func (h *hostSet) Known(ctx context.Context, hostport string) (bool, error) {
	h.mu.RLock()
	known, fresh := h.match(hostport), time.Since(h.asked) < hostsFresh
	h.mu.RUnlock()
	if known || fresh {
		return known, nil
	}
	if err := h.refresh(ctx); err != nil {
		return false, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.match(hostport), nil
}

func (h *hostSet) match(hostport string) bool {
	for _, own := range h.own {
		if anyReaches(own, hostport) {
			return true
		}
	}
	for pattern := range h.others {
		if reaches(pattern, hostport) {
			return true
		}
	}
	return false
}

// refresh reads the union of all nodes.
func (h *hostSet) refresh(ctx context.Context) error {
	nodes, err := h.engine.short.Nodes(ctx, time.Now())
	if err != nil {
		return err
	}
	h.learn(nodes)
	return nil
}

func (h *hostSet) learn(nodes []session.Node) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.others, h.asked = map[string]bool{}, time.Now()
	for _, n := range nodes {
		for _, pattern := range n.Hosts {
			h.others[pattern] = true
		}
	}
}

// anyReaches reports whether one of the patterns reaches a host with its port.
func anyReaches(patterns []string, hostport string) bool {
	if len(hostport) > longestHost {
		return false
	}
	for _, p := range patterns {
		if reaches(p, hostport) {
			return true
		}
	}
	return false
}

// longestHost is in bytes: a name of the DNS (RFC 1035 section 2.3.4, without the
// dot at its end) and a port. On a site for all names of a domain a client may
// send a longer one, and it would be kept.
const longestHost = 253 + len(":65535")

// reaches compares hosts as Caddy does, and ports exactly; no port is the
// scheme's own.
func reaches(pattern, hostport string) bool {
	if pattern == hostport {
		return true
	}
	host, own := withoutPort(hostport), withoutPort(pattern)
	return hostport[len(host):] == pattern[len(own):] && hostMatches(own, host)
}

// reachOf lists how requests may name the hosts of a site: by the scheme's own
// port (a proxy in front may have it), by the ports that its server listens
// on, and as the app's `hosts` say.
func reachOf(hosts []string, ports []int, listed []string) []string {
	var all []string
	for _, h := range hosts {
		all = append(all, h)
		if withoutPort(h) != h {
			continue
		}
		for _, port := range ports {
			if port != 80 && port != 443 {
				all = append(all, h+":"+strconv.Itoa(port))
			}
		}
		for _, l := range listed {
			if own := withoutPort(l); own != l && hostMatches(h, own) {
				all = append(all, l)
			}
		}
	}
	return all
}

// portsOf are the TCP ports that a server listens on.
func portsOf(listen []string) []int {
	var ports []int
	for _, address := range listen {
		a, err := caddy.ParseNetworkAddress(address)
		if err != nil || a.IsUnixNetwork() || a.IsFdNetwork() {
			continue
		}
		for port := a.StartPort; port <= a.EndPort && len(ports) < 64; port++ {
			ports = append(ports, int(port))
		}
	}
	return ports
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
	if isPlainHost(h) { // nearly always
		return h
	}
	h = strings.TrimSuffix(strings.ToLower(h), ".")
	return plainIPv6(h)
}

// isPlainHost reports a name that is in that form already.
func isPlainHost(h string) bool {
	for i := range len(h) {
		switch c := h[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
		case c == '.' && i < len(h)-1:
		default:
			return false
		}
	}
	return true
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
