package account_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// TestEqualLooksAtEveryField: what it forgot would be what a node never learns
// of.
func TestEqualLooksAtEveryField(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	made := func() account.Account {
		return account.Account{ID: "id", Groups: []string{"staff"}, PasswordHash: secret.New("$argon2id$"), Created: noon}
	}
	a, same := made(), made()
	same.Created = noon.In(time.FixedZone("elsewhere", 3600))
	if !a.Equal(&same) {
		t.Error("the same is not equal")
	}
	for i := range reflect.TypeFor[account.Account]().NumField() {
		b := made()
		testtools.Change(reflect.ValueOf(&b).Elem().Field(i))
		if name := reflect.TypeFor[account.Account]().Field(i).Name; a.Equal(&b) || b.Equal(&a) {
			t.Errorf("%s is not looked at", name)
		}
	}
	b := made()
	b.Groups[0] = "guests" // as many as before
	if a.Equal(&b) || b.Equal(&a) {
		t.Error("other groups are not looked at")
	}
}
