package caddymodule

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// entry is one line of a block with what belongs to it: its first word, the
// arguments after it, and the blocks that it opens.
//
// Caddy's dispenser walks tokens one way and loses count at `} {` (the second
// block of a rule with an inline matcher set); faults are also to be collected
// over a whole block. So the tokens are made into a tree first.
type entry struct {
	word   caddyfile.Token
	args   []caddyfile.Token
	blocks []block
	late   bool // an argument stands after a block
}

// block is what stands between two braces.
type block struct {
	tokens  []caddyfile.Token // the braces and everything between, as it stood
	entries []entry
}

// where is a token's place as messages and `source` give it.
func where(t caddyfile.Token) string { return fmt.Sprintf("%s:%d", t.File, t.Line) }

func isOpen(t caddyfile.Token) bool  { return t.Text == "{" && !t.Quoted() }
func isClose(t caddyfile.Token) bool { return t.Text == "}" && !t.Quoted() }

// treeReader reads a directive's tokens into entries. Braces are balanced:
// Caddy's parser has seen to it. Where they are not, reading ends early.
type treeReader struct {
	d    *caddyfile.Dispenser
	seen []caddyfile.Token // every token read, in order
}

// readDirective reads the one directive that d holds.
func readDirective(d *caddyfile.Dispenser) (entry, bool) {
	r := &treeReader{d: d}
	if !r.next() {
		return entry{}, false
	}
	return r.entry(), true
}

func (r *treeReader) next() bool {
	if !r.d.Next() {
		return false
	}
	r.seen = append(r.seen, r.d.Token())
	return true
}

// entry reads the rest of the line whose first word is the current token.
func (r *treeReader) entry() entry {
	e := entry{word: r.d.Token()}
	if isOpen(e.word) { // a block without a word: kept together, refused later
		e.blocks = append(e.blocks, r.block())
	}
	for {
		if r.d.NextArg() {
			if isClose(r.d.Token()) { // belongs to the block around us
				r.d.Prev()
				return e
			}
			r.seen = append(r.seen, r.d.Token())
			e.args = append(e.args, r.d.Token())
			e.late = e.late || len(e.blocks) > 0
			continue
		}
		if !r.d.Next() {
			return e
		}
		if !isOpen(r.d.Token()) {
			r.d.Prev()
			return e
		}
		r.seen = append(r.seen, r.d.Token())
		e.blocks = append(e.blocks, r.block())
	}
}

// block reads up to the brace that closes the one just read.
func (r *treeReader) block() block {
	var b block
	from := len(r.seen) - 1
	for r.next() && !isClose(r.d.Token()) {
		b.entries = append(b.entries, r.entry())
	}
	b.tokens = slices.Clone(r.seen[from:])
	return b
}
