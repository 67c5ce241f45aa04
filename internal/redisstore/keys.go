package redisstore

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// All keys, each behind Options.Prefix. What is between braces is the hash
// tag: in a Cluster keys with the same tag are in the same slot, and only
// those may meet in one script. Every key has a TTL from its first moment,
// set by the script or command that makes it.
//
//	key                      type    holds                                    TTL
//	sess:{sid}               hash    account, the record in pieces, each      the session's
//	                                 token (see session_fields.go)            absolute end
//	sess:beat:{node}         string  heartbeat of one Store's watcher         10 s
//	sessions:{account}       zset    session ids by time of creation          its newest session's
//	acct:{account}           string  changes when the account did             1 min
//	act:{sid}                string  last use, nanoseconds, 19 digits         as given to Touch
//	flow:{browser}:<id>      hash    version, record (JSON)                   the flow's end
//	flows:{browser}          zset    flow ids by time of creation             its longest flow's
//	lim:{sha256}             zset    counted tries by time, microseconds      window + 1 min
//	lim:{sha256}:filled      hash    level, until, ids (see lua/take.lua)     30 days from the last fill
//	ticket:{sha256}          string  ticket (JSON)                            60 s
//	once:{sha256}            string  record and its end (JSON)                the record's end
//	nodes:{all}              hash    node → what it says, until when (JSON)   its longest node's
//
// The watcher hears every change under sess: and acct:. That is why last use
// is elsewhere: even a new TTL on a watched key empties every node's memory.
type keys struct{ prefix string }

func (k keys) watched() []string { return []string{k.prefix + "sess:", k.prefix + "acct:"} }

// hello is the channel that the watcher subscribes to; nobody publishes there.
func (k keys) hello() string { return k.prefix + "hello" }

func (k keys) session(id session.ID) string    { return k.prefix + "sess:{" + string(id) + "}" }
func (k keys) beat(node string) string         { return k.prefix + "sess:beat:{" + node + "}" }
func (k keys) sessionsOf(id account.ID) string { return k.prefix + "sessions:{" + string(id) + "}" }
func (k keys) account(id account.ID) string    { return k.prefix + "acct:{" + string(id) + "}" }
func (k keys) activity(id session.ID) string   { return k.prefix + "act:{" + string(id) + "}" }
func (k keys) nodes() string                   { return k.prefix + "nodes:{all}" }

// flowsPrefix is what the keys of all flows of one browser begin with.
func (k keys) flowsPrefix(b login.BrowserHash) string { return k.prefix + "flow:{" + string(b) + "}:" }

// flow returns the keys of one flow and of its browser's index, in the order
// in which the scripts take them.
func (k keys) flow(b login.BrowserHash, id login.FlowID) []string {
	return []string{k.flowsPrefix(b) + string(id), k.flowsOf(b)}
}

func (k keys) flowsOf(b login.BrowserHash) string { return k.prefix + "flows:{" + string(b) + "}" }

// limit returns the two keys of one counter. Its name holds identifiers and
// addresses of people; only a hash of it is stored.
func (k keys) limit(name string) []string {
	sum := sha256.Sum256([]byte(name))
	key := k.prefix + "lim:{" + hex.EncodeToString(sum[:]) + "}"
	return []string{key, key + ":filled"}
}

func (k keys) ticket(hash [32]byte) string {
	return k.prefix + "ticket:{" + hex.EncodeToString(hash[:]) + "}"
}

func (k keys) once(key [32]byte) string {
	return k.prefix + "once:{" + hex.EncodeToString(key[:]) + "}"
}

// changed reads the key of an invalidation.
func (k keys) changed(key string) (sid session.ID, id account.ID) {
	if tag, ok := between(key, k.prefix+"sess:{"); ok {
		return session.ID(tag), ""
	}
	if tag, ok := between(key, k.prefix+"acct:{"); ok {
		return "", account.ID(tag)
	}
	return "", ""
}

func between(key, before string) (string, bool) {
	tag, ok := strings.CutPrefix(key, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(tag, "}")
}

// plainID reports whether an id can be part of a key: 1 to 64 letters,
// digits, - and _. Ids come out of URLs and cookies; one with other
// characters names nothing, and must not choose its own hash tag.
func plainID[T ~string](id T) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
