package session

import "time"

// Confirmed is when the stores last said what a remembered entry says.
func (c *Cache) Confirmed(e *Entry) time.Time { return c.began.Add(time.Duration(e.known.Load())) }

// Says tells tests of every field what an entry's comparison makes of it.
func (e *Entry) Says(read *Entry) bool { return e.says(read) }

// Compact brings an entry into the form in which a cache keeps it.
func (e *Entry) Compact(k Key) { e.compact(k) }
