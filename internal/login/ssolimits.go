package login

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"fmt"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// requestTries are how many answers that carry one request's RelayState are
// looked at: the right one, and some more of a browser that sends it again.
const requestTries = 5

// CountAnswer counts an answer before it is looked at, so that a flood of them
// costs no more than the limit allows. undo takes that back for one that was
// good: an office signs in at nine o'clock. One that carries a RelayState of
// ours has a counter of its own, so that rubbish, which any page that somebody
// in an office visits can send in their name, keeps nobody there out (SPEC G2).
func (m *Machine) CountAnswer(ctx context.Context, c Client, state string) (undo func(), err error) {
	if m.ourState(state) {
		key := OnceKey("saml answer tries\x00", state)
		limit := Limit{N: requestTries, Window: FlowLife}
		return m.countUndone(ctx, []count{{"forms", fmt.Sprintf("answers:%x", key), limit}})
	}
	return m.countMessage(ctx, c, "answers:")
}

// CountLogout is CountAnswer for single logout, whose messages may come in
// frames: they are no reason to keep anybody from signing in.
func (m *Machine) CountLogout(ctx context.Context, c Client) (undo func(), err error) {
	return m.countMessage(ctx, c, "logouts:")
}

func (m *Machine) countMessage(ctx context.Context, c Client, prefix string) (undo func(), err error) {
	counts := []count{{"forms", prefix + c.Network, m.Settings.Limits.Forms}}
	return m.countUndone(ctx, append(counts, wide(c, "forms", prefix, m.Settings.Limits.Forms)...))
}

func (m *Machine) countUndone(ctx context.Context, counts []count) (undo func(), err error) {
	taken, err := m.take(ctx, counts)
	if err != nil {
		return nil, err
	}
	return func() { m.giveBack(ctx, taken) }, nil
}

const macState = "saml relay state"

// newState makes a RelayState, at most 80 bytes (Bindings section 3.4.3): one
// nobody can guess, which any node knows for ours without looking it up.
func (m *Machine) newState() string {
	token := secret.NewToken().Reveal()
	return token + m.markOf(token)
}

func (m *Machine) ourState(state string) bool {
	n := base64.RawURLEncoding.EncodedLen(secret.TokenBytes)
	return len(state) > n && hmac.Equal([]byte(state[n:]), []byte(m.markOf(state[:n])))
}

func (m *Machine) markOf(token string) string {
	_, sum := m.Keys.MAC(macState, []byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
