package storetest

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// NodesStore keeps what the gateway's nodes tell one another of themselves.
type NodesStore interface {
	// PublishNode keeps what the node with this id says, in place of what it
	// said before, for ttl from now on.
	PublishNode(ctx context.Context, id string, n session.Node, ttl time.Duration) error
	// Nodes returns what all live nodes said, in any order.
	Nodes(ctx context.Context, now time.Time) ([]session.Node, error)
}

// Nodes is the suite of NodesStore.
func Nodes(t *testing.T, open func(t *testing.T) NodesStore) {
	list := func(t *testing.T, s NodesStore) []session.Node {
		t.Helper()
		got, err := s.Nodes(deadline(t), time.Now())
		must(t, err)
		slices.SortFunc(got, func(a, b session.Node) int { return cmp.Compare(a.Name, b.Name) })
		return got
	}
	node := func(name string, keys ...string) session.Node {
		return session.Node{Name: name, Hosts: []string{"*." + name + ".example", "app.example:8443"}, Ring: "fingerprint", Keys: keys}
	}
	t.Run("AreAllThatAreLive", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), deadline(t)
		wantEqual(t, list(t, s), nil)
		must(t, s.PublishNode(ctx, "a", node("one", "cookie/1"), time.Minute))
		must(t, s.PublishNode(ctx, "b", node("two", "cookie/1", "seal/1"), time.Minute))
		wantEqual(t, list(t, s), []session.Node{node("one", "cookie/1"), node("two", "cookie/1", "seal/1")})
		// What a node said last is what counts.
		must(t, s.PublishNode(ctx, "a", node("one", "cookie/1", "cookie/2"), time.Minute))
		must(t, s.PublishNode(ctx, "b", session.Node{Name: "two"}, time.Minute))
		wantEqual(t, list(t, s), []session.Node{node("one", "cookie/1", "cookie/2"), {Name: "two"}})
	})
	t.Run("OfOneNameAreTwo", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), deadline(t)
		must(t, s.PublishNode(ctx, "a", node("one", "cookie/1"), time.Minute))
		must(t, s.PublishNode(ctx, "b", node("one", "cookie/1"), time.Minute))
		wantEqual(t, list(t, s), []session.Node{node("one", "cookie/1"), node("one", "cookie/1")})
	})
	t.Run("ThatFellSilentAreForgotten", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), deadline(t)
		must(t, s.PublishNode(ctx, "stays", node("stays"), time.Minute))
		must(t, s.PublishNode(ctx, "dies", node("dies"), time.Second))
		eventually(t, "the silent node is forgotten", func() bool { return len(list(t, s)) == 1 })
		wantEqual(t, list(t, s), []session.Node{node("stays")})
		// It may come back.
		must(t, s.PublishNode(ctx, "dies", node("dies"), time.Minute))
		wantEqual(t, len(list(t, s)), 2)
	})
}
