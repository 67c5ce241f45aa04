package sqlstore

import (
	"context"
	"database/sql"
	"sync"
)

// often are the statements that requests of signed-in people cost, and those of
// every step of a sign-in. SQLite needs longer to compile one of them than to run
// it, so they are compiled once for each connection.
var often = func() map[string]bool {
	all := map[string]bool{
		selectLiveSession: true, selectAccountByID: true, selectAccountByIdentifier: true, selectFactorsOfMany(1): true,
	}
	for _, n := range listSizes {
		all[selectLiveSessions(n)], all[selectAccountsByID(n)] = true, true
	}
	return all
}()

// listSizes are how many values the lists of those statements have. A list that
// is shorter is filled up with its last value: a row is found once however often
// it is asked for.
var listSizes = []int{1, 8, 32}

// filled is a list of one of the sizes, or as it is when it is longer than that.
func filled[T any](values []T) []any {
	all := anys(values)
	for _, size := range listSizes {
		if n := len(all); n > 0 && n <= size {
			for len(all) < size {
				all = append(all, all[n-1])
			}
			break
		}
	}
	return all
}

// kept is a pool of connections that keep what is asked often, compiled.
type kept struct {
	*sql.DB

	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

// statement returns nil for one that is not asked often, or cannot be compiled:
// then the pool says why.
func (k *kept) statement(ctx context.Context, query string) *sql.Stmt {
	if !often[query] {
		return nil
	}
	k.mu.Lock()
	s := k.statements[query]
	k.mu.Unlock()
	if s != nil {
		return s
	}
	s, err := k.PrepareContext(ctx, query) // waits for a connection
	if err != nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if other := k.statements[query]; other != nil {
		_ = s.Close() // another was quicker
		return other
	}
	if k.statements == nil {
		k.statements = map[string]*sql.Stmt{}
	}
	k.statements[query] = s
	return s
}

func (k *kept) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := k.statement(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return k.DB.QueryContext(ctx, query, args...)
}

func (k *kept) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := k.statement(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return k.DB.QueryRowContext(ctx, query, args...)
}
