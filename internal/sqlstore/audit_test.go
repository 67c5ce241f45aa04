package sqlstore

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
				audit.Event{Time: now.Add(2 * time.Second), Name: audit.SignedIn, Account: "b", Subject: "bob", Request: "r3", Method: "partner"},
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
				{EventFilter{Method: "partner"}, "r3 "},
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
			must(t, s.PruneEvents(ctx, now.Add(time.Second)))
			left, err := s.Events(ctx, EventFilter{})
			must(t, err)
			if len(left) != 2 {
				t.Errorf("%d left", len(left))
			}
		})
	}
}

func TestEventsAreCountedByCountry(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, s *Store) {
		ctx, now := t.Context(), time.Now().Truncate(time.Second)
		none, err := s.CountByCountry(ctx, time.Time{}, now)
		must(t, err)
		if none != nil {
			t.Fatalf("%v from nothing", none)
		}
		at := func(d time.Duration, name audit.Name, method, country string, times int) audit.Event {
			return audit.Event{Time: now.Add(d), Name: name, Method: method, Country: country, Count: times}
		}
		must(t, s.Append(ctx,
			at(-time.Microsecond, audit.CodeSent, "text", "CH", 0), // before
			at(0, audit.CodeSent, "text", "CH", 0),
			at(time.Second, audit.CodeSent, "text", "CH", 1),
			at(time.Second, audit.CodeSent, "call", "CH", 0),
			at(time.Second, audit.CodeSent, "text", "AT", 0),
			at(2*time.Second, audit.NumberRefused, "", "GB", 40), // summed up
			at(2*time.Second, audit.NumberRefused, "", "GB", 2),
			at(2*time.Second, audit.NumberRefused, "", "", 7), // of no country
			at(2*time.Second, audit.SignedIn, "text", "", 0),
			at(time.Minute-time.Microsecond, audit.CodeNotSent, "text", "CH", 0),
			at(time.Minute, audit.CodeSent, "text", "CH", 0), // after
		))
		got, err := s.CountByCountry(ctx, now, now.Add(time.Minute))
		must(t, err)
		want := []CountryCount{
			{audit.CodeNotSent, "text", "CH", 1},
			{audit.CodeSent, "call", "CH", 1},
			{audit.CodeSent, "text", "AT", 1},
			{audit.CodeSent, "text", "CH", 2},
			{audit.NumberRefused, "", "GB", 42},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		events, err := s.Events(ctx, EventFilter{Name: audit.NumberRefused})
		must(t, err)
		var countries []string
		for _, e := range events {
			countries = append(countries, e.Country)
		}
		if diff := cmp.Diff([]string{"", "GB", "GB"}, countries); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
