package caddymodule

import "testing"

// TestFewerHashesAreToldAfterQuiet: what one gate adds it takes away, whatever
// another one does meanwhile.
func TestFewerHashesAreToldAfterQuiet(t *testing.T) {
	at := 0
	add := func(more int) { at += more }
	one, other := tellChanges(add), tellChanges(add)
	for _, step := range []struct {
		gate   func(int)
		atOnce int
		want   int
	}{{one, 1, 1}, {one, 3, 3}, {other, 2, 5}, {one, 0, 2}, {one, 1, 3}, {other, 0, 1}, {one, 0, 0}} {
		if step.gate(step.atOnce); at != step.want {
			t.Fatalf("%d at once, want %d", at, step.want)
		}
	}
}
