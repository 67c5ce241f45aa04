package session

import (
	"slices"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// How a cache holds its entries. The garbage collector of a busy node looks
// through all of them several times a second, and requests share the
// processors with it: each session is to be a few pieces of memory, and to hold
// on to nothing else.

// compact makes an entry that nobody has seen yet one to be remembered, by the
// key k. No guard asks for a password's hash, so none is kept. Texts are pieces
// of larger ones, of all cookies that a browser sent or of a record; the entry
// gets one of its own, which has them all.
func (e *Entry) compact(k Key) {
	e.key = k
	a := &e.Account
	a.PasswordHash = secret.Text{}
	a.Groups, e.AMR = slices.Clone(a.Groups), slices.Clone(e.AMR)
	texts := []*string{
		(*string)(&e.key.Purpose), &e.key.Host, &e.key.Cookie, (*string)(&e.Session), &e.Provider,
		(*string)(&e.Token.Purpose), &e.Token.Host, (*string)(&e.Token.FactorKind),
		(*string)(&a.ID), &a.Name, &a.Email, &a.DisplayName, &a.Provider, &a.Language, (*string)(&a.LastMethod),
	}
	for _, list := range [][]string{a.Groups, e.AMR} {
		for i := range list {
			texts = append(texts, &list[i])
		}
	}
	size := 0
	for _, text := range texts {
		size += len(*text)
	}
	var b strings.Builder
	b.Grow(size)
	for _, text := range texts {
		b.WriteString(*text)
	}
	all := b.String()
	for _, text := range texts {
		*text, all = all[:len(*text)], all[len(*text):]
	}
}

// says reports that a compact entry says what another one does that was just
// read of the same key. When each was read, and when the session was last used,
// is no part of it. An API key's entry says nothing twice: keys are few.
func (e *Entry) says(read *Entry) bool {
	a := read.Account
	a.PasswordHash = secret.Text{}
	return e.Session == read.Session && e.Account.Equal(&a) && e.Token == read.Token && slices.Equal(e.AMR, read.AMR) &&
		e.Provider == read.Provider && e.APIKey == nil && read.APIKey == nil && e.Expires.Equal(read.Expires) && e.Idle == read.Idle
}

// links are an entry's neighbours among those that have an ID in common.
type links struct{ before, after *Entry }

// chains find entries by an ID that several may have. They are linked to each
// other, so that being found costs an entry no memory of its own.
type chains[I comparable] struct {
	first map[I]*Entry
	of    func(*Entry) (I, *links)
}

func (c chains[I]) add(e *Entry) {
	id, l := c.of(e)
	after := c.first[id]
	if after != nil {
		_, next := c.of(after)
		next.before = e
	}
	*l = links{after: after}
	c.first[id] = e
}

func (c chains[I]) remove(e *Entry) {
	id, l := c.of(e)
	if l.after != nil {
		_, next := c.of(l.after)
		next.before = l.before
	}
	switch {
	case l.before != nil:
		_, previous := c.of(l.before)
		previous.after = l.after
	case l.after != nil:
		id, _ = c.of(l.after) // the map keeps the text of the one who stays
		c.first[id] = l.after
	default:
		delete(c.first, id)
	}
	*l = links{}
}
