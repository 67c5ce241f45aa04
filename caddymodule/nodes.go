package caddymodule

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// How long a node is believed to live after it last said so, how often it
// says so, and how soon again when the store did not take it.
const (
	nodeLife  = 60 * time.Second
	nodeEvery = 20 * time.Second
	nodeRetry = time.Second
)

// nodeSet tells the other nodes which hosts and keys this one has, and asks
// for theirs.
type nodeSet struct {
	engine  *engine
	changed chan struct{} // wakes run
	// saying is held from looking at what there is to be said until the store
	// has it: of two calls the later one is to have the last word.
	saying sync.Mutex
	// foreign is whom the log was last told of; only run uses it.
	foreign string
}

func newNodeSet(e *engine) *nodeSet {
	return &nodeSet{engine: e, changed: make(chan struct{}, 1)}
}

// wake has this node's hosts and keys published at once.
func (s *nodeSet) wake() {
	select {
	case s.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// publish says what this node has.
func (s *nodeSet) publish(ctx context.Context) error {
	s.saying.Lock()
	defer s.saying.Unlock()
	n := session.Node{Name: nodeName(), Hosts: s.engine.hosts.ours()}
	if k := s.engine.keys.Load(); k != nil {
		n.Ring, n.Keys = k.ring.Fingerprint(), keysOf(k.ring)
	}
	return s.engine.short.PublishNode(ctx, s.engine.node, n, nodeLife)
}

// live asks the store which nodes there are now, this one with what it has at
// this moment among them.
func (s *nodeSet) live(ctx context.Context) ([]session.Node, error) {
	if err := s.publish(ctx); err != nil {
		return nil, err
	}
	return s.engine.short.Nodes(ctx, time.Now())
}

func (s *nodeSet) run(ctx context.Context) {
	for {
		wait := nodeEvery
		try, stop := context.WithTimeout(ctx, 2*time.Second)
		if nodes, err := s.live(try); err != nil {
			wait = nodeRetry // forgotten, it would not be asked about keys
		} else {
			s.engine.hosts.learn(nodes)
			s.tellOfForeign(nodes)
		}
		stop()
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-time.After(wait):
		}
	}
}

// tellOfForeign warns of another installation in the same store, once.
func (s *nodeSet) tellOfForeign(nodes []session.Node) {
	names := strings.Join(foreignTo(s.engine.keys.Load().ring.Fingerprint(), nodes), ", ")
	if names != s.foreign && names != "" {
		s.engine.log.Warn("nodes with another key ring use the same store: give each installation a prefix or a Redis of its own", "nodes", names)
	}
	s.foreign = names
}

// nodeName is what an operator finds this node by.
func nodeName() string {
	machine, err := os.Hostname()
	if err != nil {
		machine = "a machine without a name"
	}
	return fmt.Sprintf("%s (process %d)", machine, os.Getpid())
}

// keyName is a key as nodes tell one another of it.
func keyName(p keyring.Purpose, version uint32) string { return fmt.Sprintf("%s/%d", p, version) }

// keysOf names the keys that a ring can check values with.
func keysOf(r *keyring.Ring) (names []string) {
	for _, v := range r.Versions() {
		if v.State != keyring.Retired {
			names = append(names, keyName(v.Purpose, v.Version))
		}
	}
	return names
}

// foreignTo names the nodes whose key ring is another than this, each once.
func foreignTo(ring string, nodes []session.Node) []string {
	return namesOf(nodes, func(n session.Node) bool { return n.Ring != "" && n.Ring != ring })
}

// lacking names the nodes that do not have a key, each once.
func lacking(key string, nodes []session.Node) []string {
	return namesOf(nodes, func(n session.Node) bool { return !slices.Contains(n.Keys, key) })
}

func namesOf(nodes []session.Node, which func(session.Node) bool) (names []string) {
	for _, n := range nodes {
		if which(n) {
			names = append(names, harmless(n.Name)) // it ends on a terminal
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
