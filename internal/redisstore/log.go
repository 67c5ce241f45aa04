package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// LogTo sends what the client library logs (each dial that failed, above all)
// to f instead of standard error. The library has one log for the whole
// process: call it once, before the first Open. Store never logs by itself.
func LogTo(f func(message string)) { redis.SetLogger(libraryLog(f)) }

type libraryLog func(string)

// Printf implements the library's logger.
func (l libraryLog) Printf(_ context.Context, format string, args ...any) {
	l(fmt.Sprintf(format, args...))
}
