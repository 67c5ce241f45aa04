package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// maxMetadata is the longest metadata document, in bytes.
const maxMetadata = 2 << 20

// SavedMetadata returns what SaveMetadata keeps for a provider:
// account.ErrNotFound when that is nothing.
func (s *Store) SavedMetadata(ctx context.Context, provider string) (source string, document []byte, fetched time.Time, err error) {
	if !storable(provider) {
		return "", nil, time.Time{}, account.ErrNotFound
	}
	err = s.db.view(ctx, "reading a provider's metadata", func(ctx context.Context, q querier) error {
		err := q.QueryRowContext(ctx, `SELECT source, document, fetched FROM provider_metadata WHERE provider = $1`, provider).
			Scan(&source, &document, stamp{&fetched})
		if errors.Is(err, sql.ErrNoRows) {
			return refuse(account.ErrNotFound)
		}
		if err == nil && len(document) > maxMetadata {
			return corrupt("metadata of %d bytes", len(document))
		}
		return err
	})
	if err != nil {
		return "", nil, time.Time{}, err
	}
	return source, document, fetched, nil
}

// SaveMetadata keeps the last good metadata of a provider, by the name that
// the configuration gives it: the document, at most 2 MiB, where it came from
// and when. One that was fetched later stays, and that is no error: of several
// nodes the newest is right.
func (s *Store) SaveMetadata(ctx context.Context, provider, source string, document []byte, fetched time.Time) error {
	if len(document) > maxMetadata {
		return fmt.Errorf("metadata of %d bytes, at most %d", len(document), maxMetadata)
	}
	if provider == "" || !storable(provider) || !storable(source) {
		return errors.New("metadata needs the name of a provider, and texts that can be stored")
	}
	return s.db.change(ctx, "storing a provider's metadata", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO provider_metadata (provider, source, document, fetched) VALUES ($1, $2, $3, $4)
			ON CONFLICT (provider) DO UPDATE SET source = excluded.source, document = excluded.document, fetched = excluded.fetched
			WHERE provider_metadata.fetched <= excluded.fetched`, provider, source, blob(document), micros(fetched))
		return err
	})
}
