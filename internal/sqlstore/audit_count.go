package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/sallyport-auth/sallyport/internal/audit"
)

// CountryCount is how often something happened with numbers of one country,
// by one method ("" where none is involved).
type CountryCount struct {
	Name            audit.Name
	Method, Country string
	N               int
}

// selectCountries leaves no row out that was summed up: it counts as often as
// it happened.
const selectCountries = `SELECT name, method, country, CAST(SUM(CASE WHEN times > 1 THEN times ELSE 1 END) AS BIGINT)
	FROM audit WHERE at >= $1 AND at < $2 AND country <> '' GROUP BY name, method, country`

// CountByCountry counts the audit events that name a country, from since on
// and before until, ordered by name, method and country. It reads every event
// of that time.
func (s *Store) CountByCountry(ctx context.Context, since, until time.Time) (counts []CountryCount, err error) {
	err = s.db.view(ctx, "counting audit events", func(ctx context.Context, q querier) error {
		counts = nil
		return each(ctx, q, func(rows *sql.Rows) error {
			var c CountryCount
			err := rows.Scan(&c.Name, &c.Method, &c.Country, &c.N)
			counts = append(counts, c)
			return err
		}, selectCountries, micros(since), micros(until))
	})
	if err != nil {
		return nil, err
	}
	// Here and not in SQL, where the order of texts is each database's own.
	slices.SortFunc(counts, func(a, b CountryCount) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Country, b.Country))
	})
	return counts, nil
}
