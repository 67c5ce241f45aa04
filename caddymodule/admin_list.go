package caddymodule

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// adminLists is every call whose answer may be of any length, by its path below
// /sallyport/. They change nothing. The stores are read in pages and the answer
// is written as they are read, so that neither the node nor the command ever
// has all of it in memory.
var adminLists = map[string]adminList{
	"account/list":   lists(listAccounts),
	"account/export": lists(exportAccounts),
	"key/list":       lists(listAPIKeys),
	"session/list":   lists(listSessions),
}

// adminList decodes a list's arguments, reads the stores and sends what they
// have. It ends when the caller hangs up.
type adminList func(o *operation, arguments json.RawMessage, l *listing) error

func lists[A any](do func(*operation, A, *listing) error) adminList {
	return func(o *operation, raw json.RawMessage, l *listing) error {
		var arguments A
		if err := decodeStrict(raw, &arguments); err != nil {
			return err
		}
		return do(o, arguments, l)
	}
}

// listKind is the media type of lists: one listLine a line. An empty line says
// only that there is more to read.
const listKind = "application/x-ndjson"

// listLine is one line of a list and has one of these. Only the last one has
// End or Problem: a list without either is cut short.
type listLine struct {
	Item    json.RawMessage `json:"item,omitempty"`
	Warning string          `json:"warning,omitempty"`
	Problem *problem        `json:"problem,omitempty"`
	End     bool            `json:"end,omitempty"`
}

const (
	// pageSize is how many accounts are read at once; with each, its sessions.
	pageSize = 200
	// pageLife bounds how long a caller may take to read a page: an operator
	// may look at it in a pager, and a node must not wait for ever.
	pageLife = 10 * time.Minute
	// lineBuffer is in bytes.
	lineBuffer = 32 << 10
)

// listing writes a list. Nothing is written before the first page is read, so
// that what is refused at once is an ordinary problem.
type listing struct {
	o        *operation
	w        http.ResponseWriter
	control  *http.ResponseController
	buffered *bufio.Writer
	// event is what the audit gets before the first line is sent: whoever hangs
	// up has seen what was sent.
	event func() audit.Event
}

// errHungUp ends a list that nobody reads any more.
var errHungUp = errors.New("the caller hung up")

// list carries out a list whose signature was right.
func (a *App) list(w http.ResponseWriter, r *http.Request, do adminList, name string, body []byte, now time.Time) {
	o, arguments, err := a.operation(name, body, now)
	if err != nil {
		problemOf(err).write(w)
		return
	}
	o.ctx = r.Context()
	l := &listing{o: o, w: w, control: http.NewResponseController(w)}
	l.event = func() audit.Event { return o.event(operatorRead, o.about) }
	// Caddy's time for reading a call would end this one's context.
	_ = l.control.SetReadDeadline(time.Time{})
	err = do(o, arguments, l)
	if err == nil {
		err = l.end(listLine{End: true})
	}
	if err == nil || errors.Is(err, errHungUp) || r.Context().Err() != nil {
		return
	}
	o.failed(err)
	if l.buffered == nil {
		problemOf(err).write(w)
		return
	}
	_ = l.end(listLine{Problem: problemOf(err)}) // whoever hung up misses nothing
}

func (l *listing) begin() {
	if l.buffered != nil {
		return
	}
	o := l.o
	o.engine.Record(context.WithoutCancel(o.ctx), l.event())
	l.w.Header().Set("Content-Type", listKind)
	l.w.Header().Set("Connection", "close") // its deadline is for this answer
	l.w.WriteHeader(http.StatusOK)
	l.buffered = bufio.NewWriterSize(l.w, lineBuffer)
	_ = l.control.SetWriteDeadline(time.Now().Add(pageLife))
}

// send writes one item of the list.
func (l *listing) send(item any) error {
	text, err := json.Marshal(item)
	if err != nil {
		return err
	}
	return l.line(listLine{Item: text})
}

func (l *listing) line(line listLine) error {
	l.begin()
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if _, err = l.buffered.Write(append(text, '\n')); err != nil {
		return errHungUp
	}
	return nil
}

// flush ends a page: its warnings and what is buffered go out. A page without
// either shows that the node still reads.
func (l *listing) flush() error {
	l.begin()
	for _, w := range l.o.warnings {
		if err := l.line(listLine{Warning: w}); err != nil {
			return err
		}
	}
	l.o.warnings = nil
	if l.buffered.Buffered() == 0 {
		_ = l.buffered.WriteByte('\n')
	}
	if l.buffered.Flush() != nil || l.control.Flush() != nil {
		return errHungUp
	}
	_ = l.control.SetWriteDeadline(time.Now().Add(pageLife))
	return nil
}

func (l *listing) end(last listLine) error {
	if err := l.line(last); err != nil {
		return err
	}
	return l.flush()
}

// eachPage reads all accounts by name and gives them to f, at most pageSize at
// once. Pages are of different moments: who comes or goes meanwhile may be in
// or out, everybody else is there once.
func (o *operation) eachPage(f func([]account.Account) error) error {
	for after := ""; ; {
		page, err := o.engine.durable.AccountsAfter(o.ctx, after, pageSize)
		if err != nil {
			return err
		}
		last := len(page) < pageSize
		if !last {
			after = page[len(page)-1].Name // f may change the page
		}
		if err := f(page); err != nil || last {
			return err
		}
	}
}

// eachPageOf is eachPage, or one page with the account of that name.
func (o *operation) eachPageOf(name string, f func([]account.Account) error) error {
	if name == "" {
		return o.eachPage(f)
	}
	a, err := o.find(name)
	if err != nil {
		return err
	}
	return f([]account.Account{a})
}

func idsOf(accounts []account.Account) []account.ID {
	ids := make([]account.ID, len(accounts))
	for i, a := range accounts {
		ids[i] = a.ID
	}
	return ids
}

// sendViews sends a page of accounts.
func (o *operation) sendViews(l *listing, page []account.Account, view func(account.Account) accountView) error {
	for _, a := range page {
		if err := l.send(view(a)); err != nil {
			return err
		}
	}
	return l.flush()
}
