package redisstore

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// The hash of a session has these fields:
//
//	account           whose it is, for lua/end_session.lua
//	0, 1, …           the session without id, account and tokens, in pieces
//	<purpose> <host>  the token for that place, without purpose and host
//
// There are as many sessions as people, and Redis keeps them in memory. A hash
// whose fields and values are all at most 64 bytes (hash-max-listpack-value) is
// one block of memory there, a third of what it is otherwise: hence the pieces,
// and packed records in place of JSON, in which a token alone has 230 bytes.
//
// Times are microseconds, rounded down, as in SQL.
const (
	fieldAccount = "account"
	// pieceLength is in bytes.
	pieceLength = 64
	// maxFields is how many a hash may have: some for the session itself.
	maxFields = session.MaxTokens + 16
)

// The first release had one field "record" with the session as JSON, and its
// tokens as JSON under "token <purpose> <host>". They are read until they end;
// a token that is set anew is set in the present form. Nodes of that release
// take a session of this one for damaged: its browser signs in there anew.
const (
	firstRecord      = "record"
	firstTokenPrefix = "token "
)

// sessionFields are the fields and values of a session's hash.
func sessionFields(v session.Session) []any {
	fields := []any{fieldAccount, string(v.Account)}
	record := session.PackRecord(v)
	for i := 0; len(record) > 0; i++ {
		n := min(len(record), pieceLength)
		fields = append(fields, strconv.Itoa(i), record[:n])
		record = record[n:]
	}
	for _, t := range v.Tokens {
		fields = append(fields, t.Place(), session.PackToken(v.ID, t))
	}
	return fields
}

// readSession decodes a session's hash and its last use, and checks that each
// part is where it belongs. Tokens come in order of issue.
func (s *Store) readSession(doing string, a answer) (session.Session, error) {
	fields := a.hash.Val()
	if len(fields) == 0 {
		return session.Session{}, session.ErrNotFound
	}
	v, err := readRecord(doing, a.id, fields)
	if err != nil {
		return session.Session{}, err
	}
	// Redis may remove an expired key late, and its clock is not ours.
	if !s.now().Before(v.Expires) {
		return session.Session{}, session.ErrNotFound
	}
	if v.Tokens, err = readTokens(doing, a.id, fields); err != nil {
		return session.Session{}, err
	}
	v.LastUsed, err = lastUsed(doing, a.id, a.used)
	return v, err
}

// readRecord decodes a session without its tokens.
func readRecord(doing string, id session.ID, fields map[string]string) (session.Session, error) {
	owner := account.ID(fields[fieldAccount])
	if owner == "" {
		return session.Session{}, damaged(doing, "session %s is nobody's", id)
	}
	if text, ok := fields[firstRecord]; ok {
		v, err := decode[session.Session](doing, text)
		if err == nil && (v.ID != id || v.Account != owner || len(v.Tokens) > 0) {
			err = damaged(doing, "session %s holds what belongs to another", id)
		}
		return v, err
	}
	record := fields["0"]
	for i := 1; len(record) == i*pieceLength && i < maxRecord/pieceLength; i++ {
		record += fields[strconv.Itoa(i)]
	}
	v, err := session.UnpackRecord(id, owner, record)
	if err != nil {
		return session.Session{}, unavailable(doing, err)
	}
	return v, nil
}

// readTokens decodes the tokens among a session's fields.
func readTokens(doing string, id session.ID, fields map[string]string) ([]session.Token, error) {
	var tokens []session.Token
	for field, text := range fields {
		t, err := session.Token{}, error(nil)
		switch place, first := strings.CutPrefix(field, firstTokenPrefix); {
		case first:
			t, err = decode[session.Token](doing, text)
			if err == nil && t.Place() != place {
				err = damaged(doing, "a token of session %s is in another's place", id)
			}
		case !strings.Contains(field, " "):
			continue // no token
		case replaced(fields, field):
			continue
		default:
			if t, err = session.UnpackToken(id, field, text); err != nil {
				err = unavailable(doing, err)
			}
		}
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
	slices.SortFunc(tokens, func(a, b session.Token) int {
		return cmp.Or(a.Issued.Compare(b.Issued), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Purpose, b.Purpose))
	})
	return tokens, nil
}

// replaced: a node of the first release set this token after one of ours did.
// The other way round, ours would have taken that one away.
func replaced(fields map[string]string, field string) bool {
	_, ok := fields[firstTokenPrefix+field]
	return ok
}
