package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Defaults of Options.
const (
	DefaultPrefix  = "sallyport:"
	DefaultTimeout = 500 * time.Millisecond
)

// Options say where Redis is and how to talk to it.
type Options struct {
	// Mode is "single", which is also the default.
	Mode string
	// Addrs is the server's host:port, exactly one for single.
	Addrs []string
	// Username is the ACL user, "" for Redis' default user.
	Username string
	Password secret.Text
	// DB is the number of the database, 0 by default.
	DB int
	// Prefix begins every key, so that several gateways can share a server:
	// 1 to 64 characters of A-Z a-z 0-9 . _ : / -. Default "sallyport:".
	Prefix string
	// Timeout bounds each call as a whole, dialling and the one repetition
	// included. Default 500 ms.
	Timeout time.Duration
	// TLS is nil for a plain connection.
	TLS *tls.Config
	// Now is the clock that lives of records are measured with.
	// Default time.Now.
	Now func() time.Time
}

// goodPrefix leaves out braces, which would become the hash tag of every key,
// and what patterns of access rules give a meaning to.
var goodPrefix = regexp.MustCompile(`^[A-Za-z0-9._:/-]{1,64}$`)

// withDefaults fills what was left out and reports all faults together.
func (o Options) withDefaults() (Options, error) {
	if o.Mode == "" {
		o.Mode = "single"
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(o.Mode != "single", "redis mode %q is not supported, only single", o.Mode)
	fault(len(o.Addrs) != 1, "redis mode single needs exactly one address, not %d", len(o.Addrs))
	fault(!goodPrefix.MatchString(o.Prefix), "redis prefix %q: 1 to 64 characters of A-Z a-z 0-9 . _ : / -", o.Prefix)
	fault(o.DB < 0, "redis database %d is below zero", o.DB)
	fault(o.Timeout < 0, "redis timeout %s is below zero", o.Timeout)
	fault(o.Username != "" && o.Password.IsZero(), "redis user %q has no password", o.Username)
	return o, errors.Join(faults...)
}

// client are the settings of one go-redis client.
func (o Options) client() *redis.Options {
	return &redis.Options{
		Addr:      o.Addrs[0],
		Username:  o.Username,
		Password:  o.Password.Reveal(),
		DB:        o.DB,
		TLSConfig: o.TLS,
		Protocol:  3,

		// Without it a context's deadline does not reach the socket, and a
		// silent server holds each request for the library's own 5 s.
		ContextTimeoutEnabled: true,
		DialTimeout:           o.Timeout,
		ReadTimeout:           o.Timeout,
		WriteTimeout:          o.Timeout,
		PoolTimeout:           o.Timeout,
		// A refused connection is answered at once, not after five tries.
		DialerRetries: 1,
		// Whether a call may be sent twice is decided by call, case by case.
		MaxRetries: -1,
		// Pipelines go by the connections of all other commands. The library
		// would keep ten more for them, of 256 KiB each, and every first sight
		// of a session is a pipeline: it would wait for one of them to be made.
		PipelinePoolSize: -1,

		// No CLIENT SETINFO: a reply to it that came late was once taken for
		// the next command's (CVE-2025-29923), and it needs a permission.
		DisableIdentity: true,
		// No CLIENT MAINT_NOTIFICATIONS for the same two reasons.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}
