package redisstore

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// lostReplies lets the server run each command and loses the first lose
// replies, as a connection does that breaks in between.
type lostReplies struct {
	redis.Hook
	lose, sent atomic.Int32
}

func (l *lostReplies) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *lostReplies) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		l.sent.Add(1)
		err := next(ctx, cmds)
		if l.lose.Add(-1) >= 0 {
			for _, cmd := range cmds {
				cmd.SetErr(io.EOF)
			}
			return io.EOF
		}
		return err
	}
}

func (l *lostReplies) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "hello" {
			return next(ctx, cmd)
		}
		l.sent.Add(1)
		err := next(ctx, cmd)
		if !redis.HasErrorPrefix(err, "NOSCRIPT") && l.lose.Add(-1) >= 0 {
			cmd.SetErr(io.EOF)
			return io.EOF
		}
		return err
	}
}

func losing(t *testing.T) (*Store, *lostReplies) {
	t.Helper()
	s, l := openAt(t, testtools.Redis(t).Addr), &lostReplies{}
	s.rdb.AddHook(l)
	return s, l
}

func TestTryWhoseAnswerWasLostIsCountedOnce(t *testing.T) {
	t.Parallel()
	s, l := losing(t)
	ctx, now := context.Background(), time.Now()
	for i := range factorLimit.N {
		l.lose.Store(1)
		taken, err := s.Take(ctx, "key", factorLimit, now)
		must(t, err)
		if taken.Left != factorLimit.N-1-i {
			t.Errorf("try %d: %d left", i, taken.Left)
		}
	}
	var refused *login.Limited
	if _, err := s.Take(ctx, "key", factorLimit, now); !errors.As(err, &refused) || refused.RetryAfter < 9*time.Minute {
		t.Errorf("a full window: %v", err)
	}
	l.lose.Store(2)
	_, err := s.Take(ctx, "other", factorLimit, now)
	wantUnavailable(t, "two lost answers", err)
}

func TestTicketWhoseAnswerWasLostIsNeverTakenTwice(t *testing.T) {
	t.Parallel()
	s, l := losing(t)
	ctx, now := context.Background(), time.Now()
	must(t, s.PutTicket(ctx, [32]byte{1}, session.Ticket{Expires: now.Add(time.Minute)}))
	l.lose.Store(1)
	l.sent.Store(0)
	_, err := s.TakeTicket(ctx, [32]byte{1}, now)
	wantUnavailable(t, "the lost answer", err)
	if n := l.sent.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
	if _, err := s.TakeTicket(ctx, [32]byte{1}, now); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestRecordWhoseAnswerWasLostIsNeverTakenTwice(t *testing.T) {
	t.Parallel()
	s, l := losing(t)
	ctx, now := context.Background(), time.Now()
	must(t, s.PutOnce(ctx, [32]byte{1}, []byte("record"), now.Add(time.Minute)))
	l.lose.Store(1)
	_, err := s.PeekOnce(ctx, [32]byte{1}, now) // looking twice is harmless
	must(t, err)
	l.lose.Store(1)
	l.sent.Store(0)
	_, err = s.TakeOnce(ctx, [32]byte{1}, now)
	wantUnavailable(t, "the lost answer", err)
	if n := l.sent.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
	if _, err := s.TakeOnce(ctx, [32]byte{1}, now); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("afterwards: %v", err)
	}
}

// A record that the first sending stored is no other's, and another's is never
// taken for one's own.
func TestRecordIsPutOnceInSpiteOfLostAnswers(t *testing.T) {
	t.Parallel()
	s, l := losing(t)
	ctx, now := context.Background(), time.Now()
	l.lose.Store(1)
	must(t, s.PutOnce(ctx, [32]byte{1}, []byte("record"), now.Add(time.Minute)))
	l.lose.Store(1)
	if err := s.PutOnce(ctx, [32]byte{1}, []byte("another"), now.Add(time.Minute)); !errors.Is(err, login.ErrOnceTaken) {
		t.Errorf("over another's: %v", err)
	}
	got, err := s.TakeOnce(ctx, [32]byte{1}, now)
	must(t, err)
	if string(got) != "record" {
		t.Errorf("%q", got)
	}
	l.lose.Store(2)
	wantUnavailable(t, "two lost answers", s.PutOnce(ctx, [32]byte{2}, []byte("record"), now.Add(time.Minute)))
}

func TestSaveWhoseAnswerWasLostIsNoConflict(t *testing.T) {
	t.Parallel()
	s, l := losing(t)
	ctx, now := context.Background(), time.Now()
	f := login.Flow{ID: "flow", Browser: "browser", Created: now, Expires: now.Add(time.Hour)}
	must(t, s.CreateFlow(ctx, f))
	_, err := s.SaveFlow(ctx, f) // the script is known to the server now
	must(t, err)
	f.Version++
	l.lose.Store(1)
	_, err = s.SaveFlow(ctx, f)
	wantUnavailable(t, "the lost answer", err)
	got, err := s.Flow(ctx, f.Browser, f.ID, now)
	must(t, err)
	if got.Version != f.Version+1 {
		t.Errorf("version %d, want %d: saved once", got.Version, f.Version+1)
	}
}

func TestSessionIsMadeAndEndedInSpiteOfLostAnswers(t *testing.T) {
	t.Parallel()
	s, l := losing(t)
	ctx, v := context.Background(), aSession("alice")
	l.lose.Store(1)
	must(t, s.CreateSession(ctx, v))
	list, err := s.SessionsOf(ctx, v.Account)
	must(t, err)
	if len(list) != 1 {
		t.Errorf("%d sessions", len(list))
	}
	must(t, s.Touch(ctx, v.ID, v.Created.Add(time.Minute), time.Hour))
	l.lose.Store(1)
	got, err := s.Session(ctx, v.ID)
	must(t, err)
	if !got.LastUsed.Equal(v.Created.Add(time.Minute)) {
		t.Errorf("last used at %s", got.LastUsed)
	}
	l.lose.Store(1)
	must(t, s.EndSession(ctx, v.ID))
	if _, err := s.Session(ctx, v.ID); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("after its end: %v", err)
	}
}
