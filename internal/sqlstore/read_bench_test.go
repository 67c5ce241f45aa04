package sqlstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Reading what a request of somebody signed in needs, by itself as at first
// sight and with others as when it is renewed.
func BenchmarkRead(b *testing.B) {
	const people = 2000
	dir, ctx, now := b.TempDir(), b.Context(), time.Now()
	e, s := OpenEmbedded(dir+"/sessions.db", EmbeddedOptions{}), OpenSQLite(dir+"/accounts.db")
	b.Cleanup(func() { _, _ = e.Close(), s.Close() })
	must(b, s.Migrate(ctx))
	var accounts []account.Account
	var owners []account.ID
	var ids []session.ID
	for i := range people {
		a := account.Account{
			ID: account.ID(session.NewID()), Name: fmt.Sprint("person", i), Email: fmt.Sprint("person", i, "@example.com"),
			Groups: []string{"everyone", "staff", "site-1"}, Created: now,
		}
		v := session.Session{
			ID: session.NewID(), Account: a.ID, Created: now, Expires: now.Add(24 * time.Hour), Idle: time.Hour,
			AMR: []string{"pwd", "otp"}, Network: "192.0.2.0/24", Browser: "Firefox on Linux",
		}
		for _, host := range []string{"login.example.com", "app.example.com", "wiki.example.com"} {
			v.Tokens = append(v.Tokens, session.Token{
				Hash: session.NewCredential(v.ID, a.ID).Hash(), Purpose: session.ForApp, Host: host, Level: session.LevelSecondFactor,
				PasswordAt: now, FactorAt: now, FactorKind: account.KindApp, Issued: now,
			})
		}
		must(b, e.CreateSession(ctx, v))
		must(b, e.Touch(ctx, v.ID, now, time.Hour))
		accounts, owners, ids = append(accounts, a), append(owners, a.ID), append(ids, v.ID)
	}
	_, err := s.CreateAccounts(ctx, accounts)
	must(b, err)
	must(b, e.flush(ctx))
	for _, n := range []int{1, 8, 32} {
		bench := func(what string, read func(from, to int) error) {
			b.Run(fmt.Sprintf("%s/%d", what, n), func(b *testing.B) {
				from := 0
				for b.Loop() {
					must(b, read(from, from+n))
					from = (from + n) % (people - n)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/each")
			})
		}
		bench("sessions", func(from, to int) error { _, err := e.SessionsOfIDs(ctx, ids[from:to]); return err })
		bench("accounts", func(from, to int) error { _, err := s.AccountsOfIDs(ctx, owners[from:to]); return err })
	}
}
