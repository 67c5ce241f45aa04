package redisstore

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// slot is the Cluster's hash slot of a key: CRC16 (XMODEM) of the hash tag,
// modulo 16384 (Redis Cluster specification, "Hash tags").
func slot(key string) int {
	if open := strings.IndexByte(key, '{'); open >= 0 {
		if tag, _, closed := strings.Cut(key[open+1:], "}"); closed && tag != "" {
			key = tag
		}
	}
	var crc uint16
	for _, c := range []byte(key) {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc % 16384)
}

func TestSlotIsThatOfTheClusterSpecification(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int{"123456789": 0x31c3, "foo": 12182, "x{foo}y": 12182, "{}foo": slot("{}foo")} {
		if got := slot(key); got != want {
			t.Errorf("slot of %q is %d, want %d", key, got, want)
		}
	}
}

func TestKeysOfOneScriptShareASlot(t *testing.T) {
	t.Parallel()
	k := keys{prefix: "sallyport:"}
	const browser = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for name, group := range map[string][]string{
		"flows":  append(k.flow(browser, "one"), append(k.flow(browser, "two"), k.flowsPrefix(browser)+"three")...),
		"limits": k.limit("factor:alice:app"),
		// No script: what is asked for together comes from one node.
		"session and its last use": {k.session("sid"), k.activity("sid")},
	} {
		for _, key := range group {
			if slot(key) != slot(group[0]) {
				t.Errorf("%s: %s and %s are in different slots", name, key, group[0])
			}
		}
	}
	// Tags that all shared one slot would pass the test above as well.
	if slot(k.limit("a")[0]) == slot(k.limit("b")[0]) || slot(k.session("a")) == slot(k.session("b")) ||
		slot(k.once([32]byte{1})) == slot(k.once([32]byte{2})) {
		t.Error("different things share a slot")
	}
}

// A Cluster node refuses a script that touches keys of two slots, whether they
// were named to it or not.
func TestScriptsRunOnAClusterNode(t *testing.T) {
	t.Parallel()
	server := testtools.Redis(t, "--cluster-enabled", "yes")
	admin, ctx := raw(t, server.Addr), context.Background()
	must(t, admin.ClusterAddSlotsRange(ctx, 0, 16383).Err())
	for end := time.Now().Add(10 * time.Second); !strings.Contains(admin.ClusterInfo(ctx).Val(), "cluster_state:ok"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the node does not take up its slots")
		}
	}
	s := openAt(t, server.Addr)
	fillWithEverything(t, s, func(string) {
		for _, key := range admin.Keys(ctx, "*").Val() {
			if got := admin.ClusterKeySlot(ctx, key).Val(); got != int64(slot(key)) {
				t.Fatalf("the slot of %s is %d, and the test computes %d", key, got, slot(key))
			}
		}
	})
	wantMisconfigured(t, s.CheckServer(ctx), "Cluster") // for want of a Cluster client
}

func TestChangedKeysAreReadBack(t *testing.T) {
	t.Parallel()
	k := keys{prefix: "p:"}
	for _, c := range []struct {
		key string
		sid session.ID
		id  account.ID
	}{
		{k.session("abc"), "abc", ""},
		{k.account("xyz"), "", "xyz"},
		{k.sessionsOf("xyz"), "", ""},
		{k.beat("node"), "", ""},
		{"q" + k.session("abc"), "", ""},
		{"p:sess:{abc", "", ""},
		{"", "", ""},
	} {
		if sid, id := k.changed(c.key); sid != c.sid || id != c.id {
			t.Errorf("%q: %q %q, want %q %q", c.key, sid, id, c.sid, c.id)
		}
	}
	for _, key := range []string{k.session("x"), k.account("x"), k.beat("x")} {
		if !strings.HasPrefix(key, k.watched()[0]) && !strings.HasPrefix(key, k.watched()[1]) {
			t.Errorf("%s is not watched", key)
		}
	}
	for _, key := range []string{k.sessionsOf("x"), k.activity("x"), k.nodes(), k.limit("x")[0], k.ticket([32]byte{}), k.once([32]byte{})} {
		if strings.HasPrefix(key, k.watched()[0]) || strings.HasPrefix(key, k.watched()[1]) {
			t.Errorf("%s is watched, and each change would empty caches", key)
		}
	}
}

func TestIdsCannotChooseTheirSlot(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "a}b", "{x}", "a b", "a:b", "ü", "a\x00", strings.Repeat("a", 65)} {
		if plainID(id) {
			t.Errorf("%q is accepted as an id", id)
		}
	}
	if !plainID("abcdefghijklmnopqrstuv2345") {
		t.Error("a proper id is refused")
	}
}
