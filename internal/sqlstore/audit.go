package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
)

// Append implements audit.Writer: all events or none.
func (s *Store) Append(ctx context.Context, events ...audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	return s.db.change(ctx, "writing audit events", func(ctx context.Context, q querier) error {
		return insertEvents(ctx, q, events)
	})
}

func insertEvents(ctx context.Context, q querier, events []audit.Event) error {
	for some := range slices.Chunk(events, batch) {
		var values []any
		for _, e := range some {
			values = append(values, micros(e.Time), e.Name, e.Account, cleaned(e.Subject), cleaned(e.Actor), cleaned(e.Session),
				cleaned(e.Host), cleaned(e.Network), cleaned(e.Browser), cleaned(e.Request), cleaned(e.Method), cleaned(e.Reason), e.Count,
				cleaned(e.Country))
		}
		_, err := q.ExecContext(ctx, `INSERT INTO audit (at, name, account, subject, actor, session,
			host, network, browser, request, method, reason, times, country)
			VALUES `+tuples(len(some), 14), values...)
		if err != nil {
			return err
		}
	}
	for _, e := range events {
		if err := queueMail(ctx, q, e); err != nil {
			return err
		}
	}
	return nil
}

// Limits of EventFilter.Limit.
const (
	defaultEvents = 100
	maxEvents     = 10_000
)

// EventFilter chooses audit events; empty fields choose all.
type EventFilter struct {
	Account string
	Subject string
	Name    audit.Name
	Request string
	Method  string
	Since   time.Time // at or after
	Until   time.Time // before
	Limit   int       // 100 when 0, at most 10,000
}

// Events returns the chosen events, newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]audit.Event, error) {
	where, args := f.conditions()
	limit := f.Limit
	if limit <= 0 {
		limit = defaultEvents
	}
	args = append(args, min(limit, maxEvents))
	return s.events(ctx, fmt.Sprintf(selectEvents+`%s ORDER BY at DESC, id DESC LIMIT $%d`, where, len(args)), args)
}

const selectEvents = `SELECT at, name, account, subject, actor, session,
	host, network, browser, request, method, reason, times, country FROM audit `

func (s *Store) events(ctx context.Context, query string, args []any) (events []audit.Event, err error) {
	err = s.db.view(ctx, "reading audit events", func(ctx context.Context, q querier) error {
		events = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			var e audit.Event
			err := rows.Scan(stamp{&e.Time}, &e.Name, &e.Account, &e.Subject, &e.Actor, &e.Session,
				&e.Host, &e.Network, &e.Browser, &e.Request, &e.Method, &e.Reason, &e.Count, &e.Country)
			events = append(events, e)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// RecentEvents implements login.History.
func (s *Store) RecentEvents(ctx context.Context, id account.ID, names []audit.Name, limit int) ([]audit.Event, error) {
	args := append(append([]any{id}, anys(names)...), limit)
	return s.events(ctx, fmt.Sprintf(selectEvents+`WHERE account = $1 AND name IN (%s) ORDER BY at DESC, id DESC LIMIT $%d`,
		places(2, len(names)), len(args)), args)
}

func (f EventFilter) conditions() (where string, args []any) {
	var all []string
	add := func(column, is string, value any) {
		args = append(args, value)
		all = append(all, fmt.Sprintf("%s %s $%d", column, is, len(args)))
	}
	for _, equal := range []struct{ column, value string }{
		{"account", f.Account},
		{"subject", f.Subject},
		{"name", string(f.Name)},
		{"request", f.Request},
		{"method", f.Method},
	} {
		if equal.value != "" {
			add(equal.column, "=", cleaned(equal.value))
		}
	}
	if !f.Since.IsZero() {
		add("at", ">=", micros(f.Since))
	}
	if !f.Until.IsZero() {
		add("at", "<", micros(f.Until))
	}
	if len(all) == 0 {
		return "", nil
	}
	return "WHERE " + strings.Join(all, " AND "), args
}
