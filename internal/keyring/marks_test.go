package keyring

import (
	"strings"
	"testing"
	"time"
)

func TestMarksTellKeysApartAndGiveNoneAway(t *testing.T) {
	t.Parallel()
	ring, err := New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, m := range ring.Marks() {
		if seen[m.Check] || len(m.Check) != 22 || !strings.HasSuffix(m.Key, "/1") || m.State != Active {
			t.Errorf("%+v", m)
		}
		seen[m.Check] = true
		if strings.Contains(string(ring.keys[i].material.Reveal()), m.Check) {
			t.Errorf("%s shows key material", m.Key)
		}
	}
	other, err := New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range other.Marks() {
		if seen[m.Check] {
			t.Errorf("%s of two rings is marked alike", m.Key)
		}
	}
}
