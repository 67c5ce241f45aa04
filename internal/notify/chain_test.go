package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

const (
	chainNumber = "+447700900982"
	chainCode   = "271828"
	chainWords  = "Example: 271828 is your code."
)

func chainMessage(t testing.TB, c notify.Channel) notify.Message {
	t.Helper()
	to, _, err := phone.Known(chainNumber)
	if err != nil {
		t.Fatal(err)
	}
	return notify.Message{
		ID: "5ixr4tyt3ax7k2d6wq2mlc7e4a", Channel: c, To: to, Code: secret.New(chainCode), Words: secret.New(chainWords),
		Language: "en", Service: "Example", Life: 10 * time.Minute,
	}
}

// scripted is a sender that does as it is told.
type scripted struct {
	can   func(notify.Channel, bool) bool
	send  func(context.Context, notify.Message) error
	asked atomic.Int32
}

func (s *scripted) Can(c notify.Channel, notice bool) bool { return s.can == nil || s.can(c, notice) }

func (s *scripted) Send(ctx context.Context, m notify.Message) error {
	s.asked.Add(1)
	return s.send(ctx, m)
}

func accepts(context.Context, notify.Message) error { return nil }

func failsWith(f *notify.Failure) func(context.Context, notify.Message) error {
	return func(context.Context, notify.Message) error { return f }
}

// attempts are what a chain reports, one "name: result" each.
type attempts struct {
	mu  sync.Mutex
	all []string
}

func (a *attempts) observe(ctx context.Context, name string, m notify.Message, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	result := "accepted"
	if err != nil {
		result = err.Error()
	}
	if ctx.Err() != nil || m.ID == "" {
		result += " (of an ended request, or without its message)"
	}
	a.all = append(a.all, name+": "+result)
}

// misfortunes is every way in which a sender can fail to send, and what its
// failure says.
var misfortunes = map[string]struct {
	send func(context.Context, notify.Message) error
	want notify.Failure
}{
	"refuses": {
		failsWith(&notify.Failure{Reason: notify.Credentials, Detail: "HTTP 401"}),
		notify.Failure{Reason: notify.Credentials, Detail: "HTTP 401"},
	},
	"times out": {
		failsWith(&notify.Failure{Reason: notify.Timeout, Maybe: true}),
		notify.Failure{Reason: notify.Timeout, Maybe: true},
	},
	"wraps its failure": {
		func(context.Context, notify.Message) error {
			return fmt.Errorf("at the vendor's: %w", &notify.Failure{Reason: notify.Limited})
		},
		notify.Failure{Reason: notify.Limited},
	},
	"quotes what it was given": {
		func(_ context.Context, m notify.Message) error {
			return &notify.Failure{Reason: notify.BadNumber, Detail: m.To.E164() + " tel:447700900982 " + m.Words.Reveal() + " " + m.Code.Reveal()}
		},
		notify.Failure{Reason: notify.BadNumber, Detail: "[redacted] tel:[redacted] [redacted] [redacted]"},
	},
	"gives another error": {
		func(_ context.Context, m notify.Message) error {
			return errors.New("can't reach " + m.To.E164() + " with " + m.Code.Reveal())
		},
		notify.Failure{Reason: notify.Broken, Maybe: true, Detail: "an error of type *errors.errorString instead of a failure"},
	},
	"gives an error without a failure in it": {
		failsWith(nil),
		notify.Failure{Reason: notify.Broken, Maybe: true, Detail: "an error of type *notify.Failure instead of a failure"},
	},
	"panics": {
		func(_ context.Context, m notify.Message) error { panic("no plan for " + m.Code.Reveal()) },
		notify.Failure{Reason: notify.Broken, Maybe: true, Detail: "the sender panicked with a string"},
	},
	"ends its goroutine": {
		func(context.Context, notify.Message) error { runtime.Goexit(); return nil },
		notify.Failure{Reason: notify.Broken, Maybe: true, Detail: "the sender ended its goroutine"},
	},
	"ignores every limit": {
		func(context.Context, notify.Message) error { time.Sleep(time.Hour); return nil },
		notify.Failure{Reason: notify.Timeout, Maybe: true, Detail: "the sender kept neither its time limit nor ours"},
	},
}

func TestChainAsksTheNextAfterEveryFailure(t *testing.T) {
	t.Parallel()
	for name, c := range misfortunes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var seen attempts
				first, second, third := &scripted{send: c.send}, &scripted{send: accepts}, &scripted{send: accepts}
				chain := notify.NewChain([]notify.Named{{"a", first}, {"b", second}, {"a", third}}, seen.observe)
				begun := time.Now()
				by, err := chain.Send(t.Context(), chainMessage(t, notify.Text))
				if by != "b" || err != nil {
					t.Errorf("sent by %q, %v", by, err)
				}
				if waited := time.Since(begun); waited > notify.Patience {
					t.Errorf("waited for %v", waited)
				}
				if diff := cmp.Diff([]string{"a: " + c.want.Error(), "b: accepted"}, seen.all); diff != "" {
					t.Errorf("attempts: -want +got\n%s", diff)
				}
				if first.asked.Load() != 1 || third.asked.Load() != 0 {
					t.Errorf("the first was asked %d times, the third %d times", first.asked.Load(), third.asked.Load())
				}
				time.Sleep(2 * time.Hour) // what was given up ends before the test
			})
		})
	}
}

func TestChainWithoutSuccessFails(t *testing.T) {
	t.Parallel()
	for name, c := range misfortunes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				chain := notify.NewChain([]notify.Named{{"only", &scripted{send: c.send}}}, nil)
				by, err := chain.Send(t.Context(), chainMessage(t, notify.Call))
				want := c.want
				want.Detail = "only: " + strings.TrimPrefix(c.want.Error(), "not sent: ")
				if diff := cmp.Diff(error(&want), err); diff != "" || by != "" {
					t.Errorf("by %q: -want +got\n%s", by, diff)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

func TestChainTellsTheMostTellingReason(t *testing.T) {
	t.Parallel()
	failure := func(r notify.Reason, maybe bool) *notify.Failure { return &notify.Failure{Reason: r, Maybe: maybe} }
	cases := map[string]struct {
		failures []*notify.Failure
		want     notify.Failure
	}{
		"the first among equals": {
			[]*notify.Failure{failure(notify.Credentials, false), failure(notify.NoFunds, false), failure(notify.Broken, true)},
			notify.Failure{Reason: notify.Credentials, Maybe: true, Detail: "s: credentials; s-2: funds; s-3: broken"},
		},
		"the number": {
			[]*notify.Failure{failure(notify.Timeout, true), failure(notify.Blocked, false), failure(notify.BadNumber, false)},
			notify.Failure{Reason: notify.BadNumber, Maybe: true, Detail: "s: timeout; s-2: blocked; s-3: number"},
		},
		"the destination": {
			[]*notify.Failure{failure(notify.Limited, false), failure(notify.Blocked, false)},
			notify.Failure{Reason: notify.Blocked, Detail: "s: limited; s-2: blocked"},
		},
		"waiting": {
			[]*notify.Failure{failure(notify.Unreachable, false), failure(notify.Limited, false)},
			notify.Failure{Reason: notify.Limited, Detail: "s: unreachable; s-2: limited"},
		},
		"none can": {nil, notify.Failure{Reason: notify.Rejected, Detail: "no sender for this channel"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var senders []notify.Named
			for _, f := range c.failures {
				senders = append(senders, notify.Named{Name: "s", Sender: &scripted{send: failsWith(f)}})
			}
			_, err := notify.NewChain(senders, nil).Send(t.Context(), chainMessage(t, notify.Text))
			if diff := cmp.Diff(error(&c.want), err); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestChainAsksOnlyThoseThatCan(t *testing.T) {
	t.Parallel()
	var seen attempts
	texts := &scripted{send: accepts, can: func(c notify.Channel, _ bool) bool { return c == notify.Text }}
	codes := &scripted{send: accepts, can: func(_ notify.Channel, notice bool) bool { return !notice }}
	broken := &scripted{send: accepts, can: func(notify.Channel, bool) bool { panic("cannot say") }}
	chain := notify.NewChain([]notify.Named{{"broken", broken}, {"texts", texts}, {"codes", codes}}, seen.observe)
	cases := []struct {
		channel notify.Channel
		notice  bool
		by      string
	}{
		{notify.Text, false, "texts"},
		{notify.Text, true, "texts"},
		{notify.Call, false, "codes"},
		{notify.Call, true, ""},
	}
	var want []string
	for _, c := range cases {
		if can := chain.Can(c.channel, c.notice); can != (c.by != "") {
			t.Errorf("%s, notice %v: can %v", c.channel, c.notice, can)
		}
		m := chainMessage(t, c.channel)
		if c.notice {
			m.Code = secret.Text{}
		}
		by, err := chain.Send(t.Context(), m)
		if by != c.by || (err == nil) != (c.by != "") {
			t.Errorf("%s, notice %v: by %q, %v, want %q", c.channel, c.notice, by, err, c.by)
		}
		if c.by != "" {
			want = append(want, c.by+": accepted")
		}
	}
	if diff := cmp.Diff(want, seen.all); diff != "" {
		t.Errorf("attempts: -want +got\n%s", diff)
	}
	if notify.NewChain(nil, nil).Can(notify.Text, false) {
		t.Error("a chain without senders can send")
	}
}

// TestClosedPageDoesNotStopASend: whoever closes the page during a send leaves
// no message of which nobody knows whether it went out.
func TestClosedPageDoesNotStopASend(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx, closePage := context.WithCancel(context.WithValue(t.Context(), key{}, "trace"))
	var seen attempts
	first := &scripted{send: func(ctx context.Context, _ notify.Message) error {
		closePage()
		if _, limited := ctx.Deadline(); ctx.Err() != nil || ctx.Value(key{}) != "trace" || !limited {
			return errors.New("ended with the page, or it has lost its values or its limit")
		}
		return &notify.Failure{Reason: notify.Broken}
	}}
	chain := notify.NewChain([]notify.Named{{"first", first}, {"second", &scripted{send: accepts}}}, seen.observe)
	by, err := chain.Send(ctx, chainMessage(t, notify.Text))
	if by != "second" || err != nil {
		t.Errorf("by %q, %v", by, err)
	}
	if diff := cmp.Diff([]string{"first: not sent: broken", "second: accepted"}, seen.all); diff != "" {
		t.Errorf("attempts: -want +got\n%s", diff)
	}
}

func TestCallsThatNeverEndDoNotPileUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var told atomic.Int32
		deaf := &scripted{send: func(ctx context.Context, _ notify.Message) error {
			<-release
			if ctx.Err() != nil {
				told.Add(1)
			}
			return nil
		}}
		chain := notify.NewChain([]notify.Named{{"deaf", deaf}}, nil)
		m := chainMessage(t, notify.Text)
		const most = 8
		for range most {
			_, err := chain.Send(t.Context(), m)
			if f := failureOf(t, err); f.Reason != notify.Timeout || !f.Maybe {
				t.Errorf("given up with %v", err)
			}
		}
		begun := time.Now()
		_, err := chain.Send(t.Context(), m)
		if f := failureOf(t, err); f.Reason != notify.Timeout || f.Maybe || time.Since(begun) != 0 || deaf.asked.Load() != most {
			t.Errorf("after %d calls, %d asked: %v after %v", most, deaf.asked.Load(), err, time.Since(begun))
		}
		close(release)
		synctest.Wait()
		if told.Load() != most {
			t.Errorf("%d of %d calls were told that their time is over", told.Load(), most)
		}
		if by, err := chain.Send(t.Context(), m); by != "deaf" || err != nil {
			t.Errorf("once they ended: by %q, %v", by, err)
		}
	})
}

func failureOf(t *testing.T, err error) *notify.Failure {
	t.Helper()
	var f *notify.Failure
	if !errors.As(err, &f) {
		t.Fatalf("%v (%T) is no failure", err, err)
	}
	return f
}

func TestLongDetailIsCut(t *testing.T) {
	t.Parallel()
	long := &scripted{send: failsWith(&notify.Failure{Reason: notify.Broken, Detail: strings.Repeat("é", 5000)})}
	_, err := notify.NewChain([]notify.Named{{"long", long}}, nil).Send(t.Context(), chainMessage(t, notify.Text))
	if want := "long: broken: " + strings.Repeat("é", 150) + "…"; failureOf(t, err).Detail != want {
		t.Errorf("%q", err)
	}
}

func TestChainServesManyAtOnce(t *testing.T) {
	t.Parallel()
	var turn atomic.Int32
	fickle := &scripted{send: func(context.Context, notify.Message) error {
		if turn.Add(1)%2 == 0 {
			return &notify.Failure{Reason: notify.Limited}
		}
		return nil
	}}
	steady := &scripted{send: accepts}
	var seen attempts
	chain := notify.NewChain([]notify.Named{{"fickle", fickle}, {"steady", steady}}, seen.observe)
	m := chainMessage(t, notify.Text)
	const sends = 200
	var group sync.WaitGroup
	for range sends {
		group.Go(func() {
			if _, err := chain.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(seen.all) != sends*3/2 || steady.asked.Load() != sends/2 {
		t.Errorf("%d attempts, %d of them of the second", len(seen.all), steady.asked.Load())
	}
}

func TestNamesAreMadeUnique(t *testing.T) {
	t.Parallel()
	cases := []struct{ names, want []string }{
		{nil, []string{}},
		{[]string{"telnyx", "twilio"}, []string{"telnyx", "twilio"}},
		{[]string{"telnyx", "twilio", "telnyx", "telnyx"}, []string{"telnyx", "twilio", "telnyx-2", "telnyx-3"}},
		{[]string{"x-2", "x", "x"}, []string{"x-2", "x", "x-3"}},
		{[]string{"x", "x", "x-2"}, []string{"x", "x-2", "x-2-2"}},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, notify.UniqueNames(c.names)); diff != "" {
			t.Errorf("%q: -want +got\n%s", c.names, diff)
		}
	}
}

// checking is a sender whose vendor checks codes.
type checking struct {
	scripted
	check func(context.Context, phone.Number, secret.Text) (bool, error)
}

func (c *checking) Check(ctx context.Context, to phone.Number, code secret.Text) (bool, error) {
	return c.check(ctx, to, code)
}

func TestChainFindsTheCheckerThatSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		knows := func(right string) *checking {
			return &checking{scripted{send: accepts}, func(_ context.Context, to phone.Number, code secret.Text) (bool, error) {
				return to.E164() == chainNumber && code.Reveal() == right, nil
			}}
		}
		fails := func(check func(context.Context, phone.Number, secret.Text) (bool, error)) *checking {
			return &checking{scripted{send: accepts}, check}
		}
		chain := notify.NewChain([]notify.Named{
			{"verify", knows("111111")},
			{"verify", knows("222222")},
			{"plain", &scripted{send: accepts}},
			{"quotes", fails(func(_ context.Context, to phone.Number, code secret.Text) (bool, error) {
				return true, &notify.Failure{Reason: notify.Limited, Detail: "for " + to.E164() + " " + code.Reveal()}
			})},
			{"panics", fails(func(context.Context, phone.Number, secret.Text) (bool, error) { panic("verify") })},
			{"hangs", fails(func(context.Context, phone.Number, secret.Text) (bool, error) {
				time.Sleep(time.Minute)
				return true, nil
			})},
		}, nil)
		for _, name := range []string{"plain", "absent", "verify-3", ""} {
			if _, ok := chain.Checker(name); ok {
				t.Errorf("%q is a checker", name)
			}
		}
		to := chainMessage(t, notify.Text).To
		cases := []struct {
			name, code string
			right      bool
			failure    string
		}{
			{"verify", "111111", true, ""},
			{"verify", "222222", false, ""},
			{"verify-2", "222222", true, ""},
			{"verify-2", "111111", false, ""},
			{"quotes", "111111", false, "not sent: limited: for [redacted] [redacted]"},
			{"panics", "111111", false, "not sent: broken: the sender panicked with a string"},
			{"hangs", "111111", false, "not sent: timeout: the sender kept neither its time limit nor ours"},
		}
		for _, c := range cases {
			checker, ok := chain.Checker(c.name)
			if !ok {
				t.Errorf("%q is no checker", c.name)
				continue
			}
			right, err := checker.Check(t.Context(), to, secret.New(c.code))
			if right != c.right || (err == nil) != (c.failure == "") {
				t.Errorf("%s, %s: %v, %v", c.name, c.code, right, err)
			}
			if err != nil && failureOf(t, err).Error() != c.failure {
				t.Errorf("%s: %q, want %q", c.name, err, c.failure)
			}
		}
		time.Sleep(time.Hour)
	})
}

// hooked is a sender that knows its call backs by a header.
type hooked struct {
	scripted
	key     string
	trouble error
	taken   atomic.Int32
}

func (h *hooked) Hook(_ context.Context, header http.Header, body []byte) error {
	switch {
	case header.Get("Key") == "panic":
		panic(string(body))
	case header.Get("Key") != h.key:
		return fmt.Errorf("key of %s: %w", h.key, notify.ErrHookRefused)
	}
	h.taken.Add(1)
	return h.trouble
}

func TestHookGoesToTheSenderThatDoesNotRefuse(t *testing.T) {
	t.Parallel()
	errOwn := errors.New("the store is away")
	first, second, third, other := &hooked{key: "1"}, &hooked{key: "2"}, &hooked{key: "3", trouble: errOwn}, &hooked{key: "4"}
	chain := notify.NewChain([]notify.Named{
		{"telnyx", &scripted{}}, {"telnyx", first}, {"telnyx", second}, {"telnyx", third}, {"other", other}, {"plain", &scripted{}},
	}, nil)
	cases := []struct {
		name, key string
		want      error
	}{
		{"telnyx", "1", nil},
		{"telnyx", "2", nil},
		{"telnyx", "3", errOwn},
		{"telnyx", "4", notify.ErrHookRefused},
		{"other", "4", nil},
		{"other", "1", notify.ErrHookRefused},
		{"telnyx-2", "1", notify.ErrNoHook},
		{"plain", "1", notify.ErrNoHook},
		{"", "1", notify.ErrNoHook},
	}
	for _, c := range cases {
		err := chain.Hook(t.Context(), c.name, http.Header{"Key": {c.key}}, []byte("{}"))
		if !errors.Is(err, c.want) {
			t.Errorf("%s with key %s: %v, want %v", c.name, c.key, err, c.want)
		}
	}
	err := chain.Hook(t.Context(), "telnyx", http.Header{"Key": {"panic"}}, []byte(chainCode))
	if f := failureOf(t, err); f.Reason != notify.Broken || strings.Contains(err.Error(), chainCode) {
		t.Errorf("after a panic: %v", err)
	}
	for i, h := range []*hooked{first, second, third, other} {
		if h.taken.Load() != 1 {
			t.Errorf("sender %d has taken %d call backs", i+1, h.taken.Load())
		}
	}
}
