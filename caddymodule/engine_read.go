package caddymodule

import (
	"context"

	"github.com/sallyport-auth/sallyport/internal/session"
)

// credentials reads what the guard remembers: sessions by cookies, and API keys.
type credentials struct{ *engine }

// Read implements session.Stores.
func (c credentials) Read(ctx context.Context, k session.Key) (*session.Entry, error) {
	if k.Purpose == session.ForKey {
		return c.keyReader.Read(ctx, k)
	}
	return c.reader.Read(ctx, k)
}

// ReadMany implements session.Stores. API keys are few, and read one by one.
func (c credentials) ReadMany(ctx context.Context, keys []session.Key) []session.Loaded {
	all := make([]session.Loaded, len(keys))
	var cookies []session.Key
	for i, k := range keys {
		if k.Purpose == session.ForKey {
			all[i].Entry, all[i].Err = c.keyReader.Read(ctx, k)
		} else {
			cookies = append(cookies, k)
		}
	}
	if len(cookies) == 0 {
		return all
	}
	read := c.reader.ReadMany(ctx, cookies)
	for i, k := range keys {
		if k.Purpose != session.ForKey {
			all[i], read = read[0], read[1:]
		}
	}
	return all
}

var _ session.Stores = credentials{}
