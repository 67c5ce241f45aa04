package caddymodule

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

func TestFewEnteredCodesAreReasonForAnAlarm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sent, entered int
		few           bool
		ratio         float64
	}{
		"none of a few":       {19, 0, false, 0},
		"none of enough":      {20, 0, true, 0},
		"just below a fifth":  {20, 3, true, 0.15},
		"a fifth":             {20, 4, false, 0.2},
		"just below, of many": {1000, 199, true, 0.199},
		"all":                 {50, 50, false, 1},
		"more than were sent": {50, 60, false, 1}, // those of the hour before
	} {
		d := delivered{c.sent, c.entered}
		if d.few() != c.few || d.ratio() != c.ratio {
			t.Errorf("%s: few %v, ratio %v", name, d.few(), d.ratio())
		}
	}
}

func TestCodesAreCountedByCountry(t *testing.T) {
	t.Parallel()
	sent := []sqlstore.CountryCount{
		{Name: audit.CodeSent, Method: "text", Country: "GB", N: 5},
		{Name: audit.CodeSent, Method: "call", Country: "GB", N: 2},
		{Name: audit.CodeSent, Method: "text", Country: "US", N: 4},
		{Name: audit.CodeNotSent, Method: "text", Country: "US", N: 9},
	}
	entered := []sqlstore.CountryCount{
		{Name: audit.FactorRight, Method: "text", Country: "GB", N: 3},
		{Name: audit.FactorAdded, Method: "call", Country: "GB", N: 1},
		{Name: audit.FactorReplaced, Method: "text", Country: "US", N: 1},
		{Name: audit.FactorWrong, Method: "text", Country: "US", N: 7},
		{Name: audit.FactorRight, Method: "text", Country: "CA", N: 2}, // sent longer ago
		{Name: audit.CodeSent, Method: "text", Country: "US", N: 4},
	}
	want := map[string]delivered{"GB": {7, 4}, "US": {4, 1}, "all": {11, 7}}
	if diff := cmp.Diff(want, byCountry(sent, entered), cmp.AllowUnexported(delivered{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestAlarmWhenFewCodesAreEntered is SECURITY R26, one round over real stores:
// two nodes, one alarm in an hour for each country.
func TestAlarmWhenFewCodesAreEntered(t *testing.T) {
	t.Parallel()
	dir, ctx, now := t.TempDir(), context.Background(), time.Now()
	var log strings.Builder
	e := newEngine(sqlstore.OpenSQLite(filepath.Join(dir, "accounts.db")),
		sqlstore.OpenEmbedded(filepath.Join(dir, "sessions.db"), sqlstore.EmbeddedOptions{}),
		filepath.Join(dir, "keys"), gateOf(1), slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() {
		if err := e.Destruct(); err != nil {
			t.Error(err)
		}
	})
	if err := e.start(); err != nil || !e.ready.Load() {
		t.Fatalf("not ready: %v", err)
	}
	add := func(n int, name audit.Name, country string, ago time.Duration) {
		t.Helper()
		events := make([]audit.Event, n)
		for i := range events {
			events[i] = audit.Event{Time: now.Add(-ago), Name: name, Method: "text", Country: country}
		}
		if err := e.durable.Append(ctx, events...); err != nil {
			t.Fatal(err)
		}
	}
	add(40, audit.CodeSent, "LV", 30*time.Minute)
	add(3, audit.FactorRight, "LV", 5*time.Minute)
	add(30, audit.CodeSent, "US", 30*time.Minute)
	add(28, audit.FactorRight, "US", 29*time.Minute)
	add(90, audit.CodeSent, "GB", 5*time.Minute) // may still be entered
	add(90, audit.CodeSent, "FR", 2*time.Hour)   // long over
	// Events are written a moment later; n is how many there are to be.
	round := func(at time.Time, n int) (told []string) {
		t.Helper()
		if err := e.checkCodes(ctx, at); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); len(told) < n && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			events, err := e.durable.Events(ctx, sqlstore.EventFilter{Name: audit.FewCodesEntered})
			if err != nil {
				t.Fatal(err)
			}
			told = nil
			for _, event := range events {
				told = append(told, event.Country+": "+event.Reason)
			}
		}
		return told
	}
	once := []string{"LV: 3 of 40 codes were entered within an hour"}
	if diff := cmp.Diff(once, round(now, 1)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(once, round(now.Add(time.Second), 1)); diff != "" {
		t.Errorf("the second round: -want +got\n%s", diff)
	}
	want := map[string]float64{
		`codes_entered_ratio{country="LV"}`: 3.0 / 40, `codes_entered_ratio{country="US"}`: 28.0 / 30, `codes_entered_ratio{country="all"}`: 31.0 / 70,
	}
	got := gathered(t, e.metrics)
	for name := range got {
		if !strings.HasPrefix(name, "codes_entered_ratio") {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if n := strings.Count(log.String(), "few of the codes"); n != 1 || !strings.Contains(log.String(), "country=LV sent=40 entered=3") {
		t.Errorf("told %d times in the log:\n%s", n, log.String())
	}
	// Everywhere together, where no single country has enough.
	later := now.Add(3 * time.Hour)
	for _, country := range []string{"AT", "BE", "CH"} {
		add(15, audit.CodeSent, country, -3*time.Hour+30*time.Minute)
	}
	if diff := cmp.Diff(append([]string{": 0 of 45 codes were entered within an hour"}, once...), round(later, 2)); diff != "" {
		t.Errorf("everywhere: -want +got\n%s", diff)
	}
}
