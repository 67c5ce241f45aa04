package login

import (
	"context"
	"errors"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// ClearLimits forgets the account's counted failures: those over all networks,
// those from the given networks, and those of its second factors. What a
// network or a known browser has of its own stays: it runs out by itself.
func (m *Machine) ClearLimits(ctx context.Context, id account.ID, networks []string) error {
	counts := m.passwordCounts(Client{}, string(id), false)[1:2]
	for _, n := range networks {
		counts = append(counts, m.passwordCounts(Client{Network: n}, string(id), false)[0])
	}
	for _, k := range []account.Kind{account.KindApp, account.KindPhone, account.KindBackup} {
		counts = append(counts, m.factorCount(id, k))
	}
	var failed error
	for _, c := range counts {
		failed = errors.Join(failed, m.Limiter.Clear(ctx, c.key))
	}
	return failed
}
