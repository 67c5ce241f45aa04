package sqlstore

import (
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
)

func TestEventsAreChosenByEveryField(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) (*Store, string){"SQLite": openFile, "PostgreSQL": openServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t)
			ctx, now := t.Context(), time.Now().Truncate(time.Second)
			must(t, s.Append(ctx,
				audit.Event{Time: now, Name: audit.SignedIn, Account: "a", Subject: "alice", Request: "r1"},
				audit.Event{Time: now.Add(time.Second), Name: audit.SignedOut, Account: "a", Subject: "alice", Request: "r2"},
				audit.Event{Time: now.Add(2 * time.Second), Name: audit.SignedIn, Account: "b", Subject: "bob", Request: "r3"},
			))
			for _, c := range []struct {
				filter EventFilter
				want   string // requests
			}{
				{EventFilter{}, "r3 r2 r1 "},
				{EventFilter{Limit: 2}, "r3 r2 "},
				{EventFilter{Account: "a"}, "r2 r1 "},
				{EventFilter{Subject: "bob"}, "r3 "},
				{EventFilter{Name: audit.SignedIn}, "r3 r1 "},
				{EventFilter{Name: audit.SignedIn, Account: "a"}, "r1 "},
				{EventFilter{Request: "r2"}, "r2 "},
				{EventFilter{Request: "r2\x00"}, ""},
				{EventFilter{Since: now.Add(time.Second)}, "r3 r2 "},
				{EventFilter{Until: now.Add(time.Second)}, "r1 "},
				{EventFilter{Account: "' OR 1=1 --"}, ""},
			} {
				events, err := s.Events(ctx, c.filter)
				must(t, err)
				got := ""
				for _, e := range events {
					got += e.Request + " "
				}
				if got != c.want {
					t.Errorf("%+v: %q, want %q", c.filter, got, c.want)
				}
			}
			n, err := s.DeleteEvents(ctx, now.Add(time.Second))
			must(t, err)
			left, err := s.Events(ctx, EventFilter{})
			must(t, err)
			if n != 1 || len(left) != 2 {
				t.Errorf("%d deleted, %d left", n, len(left))
			}
		})
	}
}
