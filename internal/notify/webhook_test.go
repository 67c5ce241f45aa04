package notify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

const webhookSecret = "an example, too well known to be used"

// recorded is one request as the receiver has read it.
type recorded struct {
	method, path string
	header       http.Header
	body         []byte
}

// recorder keeps every request and answers as answer says, counting from 1.
type recorder struct {
	mu     sync.Mutex
	all    []recorded
	answer func(n int, w http.ResponseWriter)
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body) // a part of a body fails its signature
	r.mu.Lock()
	r.all = append(r.all, recorded{request.Method, request.URL.RequestURI(), request.Header, body})
	n := len(r.all)
	r.mu.Unlock()
	r.answer(n, w)
}

func (r *recorder) requests() []recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

func status(code int) func(int, http.ResponseWriter) {
	return func(_ int, w http.ResponseWriter) { w.WriteHeader(code) }
}

func cut(int, http.ResponseWriter) { panic(http.ErrAbortHandler) }

// receiver starts a recorder and a webhook that sends to it.
func receiver(t *testing.T, answer func(int, http.ResponseWriter), change ...func(*notify.WebhookConfig)) (*recorder, *notify.Webhook) {
	t.Helper()
	r := &recorder{answer: answer}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	config := notify.WebhookConfig{URL: server.URL + "/sallyport?from=test", Secret: secret.New(webhookSecret)}
	for _, f := range change {
		f(&config)
	}
	return r, notify.NewWebhook(config)
}

func at(unix int64) func(*notify.WebhookConfig) {
	return func(c *notify.WebhookConfig) { c.Now = func() time.Time { return time.Unix(unix, 999_999_999) } }
}

func within(d time.Duration) func(*notify.WebhookConfig) {
	return func(c *notify.WebhookConfig) { c.Timeout = d }
}

// signed makes the signature by the words of docs/webhook.md.
func signed(timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write([]byte(timestamp))
	mac.Write([]byte("."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

func TestWebhookCarriesEverything(t *testing.T) {
	t.Parallel()
	text := chainMessage(t, notify.Text)
	text.Words = secret.New("Example & Söhne: 271828 is <your> code.\n@login.example.com #271828")
	call := chainMessage(t, notify.Call)
	call.Words = secret.New("This is Example.\nYour code is 2, 7, 1, 8, 2, 8.")
	call.Life = 59*time.Second + 999*time.Millisecond
	notice := chainMessage(t, notify.Text)
	notice.Code, notice.Words = secret.Text{}, secret.New("The number was changed.")
	spoken := notice
	spoken.Channel = notify.Call
	cases := map[string]struct {
		message notify.Message
		want    string
	}{
		"text": {text, `{"id":"5ixr4tyt3ax7k2d6wq2mlc7e4a-text","type":"code","channel":"text","to":"+447700900982","code":"271828",` +
			`"text":"Example & Söhne: 271828 is <your> code.\n@login.example.com #271828","language":"en","service":"Example","expires_in":600}`},
		"call": {call, `{"id":"5ixr4tyt3ax7k2d6wq2mlc7e4a-call","type":"code","channel":"call","to":"+447700900982","code":"271828",` +
			`"speech":["This is Example.","Your code is 2, 7, 1, 8, 2, 8."],"language":"en","service":"Example","expires_in":59}`},
		"notice": {notice, `{"id":"5ixr4tyt3ax7k2d6wq2mlc7e4a-text","type":"notice","channel":"text","to":"+447700900982",` +
			`"text":"The number was changed.","language":"en","service":"Example"}`},
		"notice by call": {spoken, `{"id":"5ixr4tyt3ax7k2d6wq2mlc7e4a-call","type":"notice","channel":"call","to":"+447700900982",` +
			`"speech":["The number was changed."],"language":"en","service":"Example"}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w := receiver(t, status(http.StatusNoContent), at(1_790_000_000))
			if !w.Can(c.message.Channel, c.message.Notice()) {
				t.Error("it says that it cannot")
			}
			if err := w.Send(t.Context(), c.message); err != nil {
				t.Fatal(err)
			}
			body := []byte(c.want + "\n")
			want := []recorded{{http.MethodPost, "/sallyport?from=test", http.Header{
				"Content-Length":      {strconv.Itoa(len(body))},
				"Content-Type":        {"application/json"},
				"Idempotency-Key":     {c.message.ID + "-" + string(c.message.Channel)},
				"Sallyport-Signature": {signed("1790000000", body)},
				"Sallyport-Timestamp": {"1790000000"},
				"User-Agent":          {"Sallyport"},
				"Connection":          {"close"},
			}, body}}
			if diff := cmp.Diff(want, r.requests(), cmp.AllowUnexported(recorded{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	if notify.NewWebhook(notify.WebhookConfig{}).Can("fax", false) {
		t.Error("it says that it can send a fax")
	}
}

func TestWebhookIDDiffersForEverySendAndChannel(t *testing.T) {
	t.Parallel()
	r, w := receiver(t, status(http.StatusOK))
	text := chainMessage(t, notify.Text)
	resent := text
	resent.ID = "zzzzzzzzzzzzzzzzzzzzzzzzzz"
	for _, m := range []notify.Message{text, text, resent, chainMessage(t, notify.Call)} {
		if err := w.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for _, got := range r.requests() {
		var body struct{ ID string }
		if err := json.Unmarshal(got.body, &body); err != nil || body.ID != got.header.Get("Idempotency-Key") {
			t.Errorf("%v: id %q with the key %q", err, body.ID, got.header.Get("Idempotency-Key"))
		}
		keys = append(keys, body.ID)
	}
	want := []string{text.ID + "-text", text.ID + "-text", resent.ID + "-text", text.ID + "-call"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	cases := map[int]*notify.Failure{
		200: nil, 201: nil, 202: nil, 204: nil, 299: nil,
		301: {Reason: notify.Broken}, 303: {Reason: notify.Broken}, 307: {Reason: notify.Broken}, 308: {Reason: notify.Broken},
		400: {Reason: notify.Rejected}, 404: {Reason: notify.Rejected}, 409: {Reason: notify.Rejected}, 410: {Reason: notify.Rejected}, 413: {Reason: notify.Rejected},
		401: {Reason: notify.Credentials}, 403: {Reason: notify.Credentials},
		402: {Reason: notify.NoFunds},
		422: {Reason: notify.BadNumber},
		429: {Reason: notify.Limited},
		500: {Reason: notify.Broken, Maybe: true}, 502: {Reason: notify.Broken, Maybe: true}, 503: {Reason: notify.Broken, Maybe: true}, 504: {Reason: notify.Broken, Maybe: true},
	}
	for code, want := range cases {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			r, w := receiver(t, func(_ int, w http.ResponseWriter) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(code)
				if code != 204 {
					_, _ = io.WriteString(w, "I know "+chainNumber+" and "+chainCode)
				}
			})
			err := w.Send(t.Context(), chainMessage(t, notify.Text))
			if want == nil {
				if err != nil {
					t.Errorf("%v", err)
				}
			} else {
				want.Detail = "HTTP " + strconv.Itoa(code)
				if diff := cmp.Diff(error(want), err); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
			}
			if n := len(r.requests()); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestWebhookRepeatsAfterACut(t *testing.T) {
	t.Parallel()
	second := func(first func(int, http.ResponseWriter)) func(int, http.ResponseWriter) {
		return func(n int, w http.ResponseWriter) {
			if n == 1 {
				first(n, w)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		}
	}
	wasCut := &notify.Failure{Reason: notify.Unreachable, Maybe: true, Detail: "the connection was cut"}
	cases := map[string]struct {
		answer func(int, http.ResponseWriter)
		times  int
		want   *notify.Failure
	}{
		"cut once":  {second(cut), 2, nil},
		"cut twice": {cut, 2, wasCut},
		// The first may have been sent, whatever is said to the second.
		"cut, then refused": {
			func(n int, w http.ResponseWriter) {
				if n == 1 {
					cut(n, w)
				}
				w.WriteHeader(http.StatusPaymentRequired)
			}, 2, wasCut,
		},
		"busy once": {second(func(_ int, w http.ResponseWriter) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}), 2, nil},
		"busy for long": {func(_ int, w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 1, &notify.Failure{Reason: notify.Limited, Detail: "HTTP 429"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var clock atomic.Int64
			r, w := receiver(t, c.answer, func(config *notify.WebhookConfig) {
				config.Now = func() time.Time { return time.Unix(1_790_000_000+clock.Add(1), 0) }
			})
			err := w.Send(t.Context(), chainMessage(t, notify.Text))
			if c.want == nil {
				if err != nil {
					t.Errorf("%v", err)
				}
			} else if diff := cmp.Diff(error(c.want), err); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			all := r.requests()
			if len(all) != c.times {
				t.Fatalf("asked %d times, want %d", len(all), c.times)
			}
			for _, one := range all {
				if !bytes.Equal(one.body, all[0].body) || one.header.Get("Idempotency-Key") != all[0].header.Get("Idempotency-Key") {
					t.Errorf("a repeat differs: %s", one.body)
				}
				if want := signed(one.header.Get("Sallyport-Timestamp"), one.body); one.header.Get("Sallyport-Signature") != want {
					t.Errorf("a repeat is signed %q, want %q", one.header.Get("Sallyport-Signature"), want)
				}
			}
			if c.times == 2 && all[0].header.Get("Sallyport-Timestamp") == all[1].header.Get("Sallyport-Timestamp") {
				t.Error("the repeat has the timestamp of the first")
			}
		})
	}
}

func TestWebhookDoesNotWaitForASlowReceiver(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r, w := receiver(t, func(int, http.ResponseWriter) { <-release }, within(300*time.Millisecond))
	t.Cleanup(func() { close(release) }) // before the server's own Close, which waits
	begun := time.Now()
	err := w.Send(t.Context(), chainMessage(t, notify.Text))
	if diff := cmp.Diff(error(&notify.Failure{Reason: notify.Timeout, Maybe: true, Detail: "no answer in time"}), err); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if waited := time.Since(begun); waited > 5*time.Second {
		t.Errorf("waited for %v", waited)
	}
	if n := len(r.requests()); n != 1 {
		t.Errorf("asked %d times: a slow one may have sent", n)
	}
}

func TestWebhookTellsNothingToAStranger(t *testing.T) {
	t.Parallel()
	r := &recorder{answer: status(http.StatusNoContent)}
	stranger := httptest.NewUnstartedServer(r)
	stranger.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	stranger.StartTLS() // with a certificate that no system trusts
	t.Cleanup(stranger.Close)
	gone := httptest.NewServer(r)
	gone.Close()
	cases := map[string]struct{ url, detail string }{
		"certificate": {stranger.URL, "the server's certificate is not accepted"},
		"nobody":      {gone.URL, "no connection: connect: connection refused"},
		"no address":  {"https://sms.example.com:port", "the request could not be made"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := notify.NewWebhook(notify.WebhookConfig{URL: c.url, Secret: secret.New(webhookSecret)})
			f := failureOf(t, w.Send(t.Context(), chainMessage(t, notify.Text)))
			if f.Maybe || f.Detail != c.detail {
				t.Errorf("%+v, want %q", f, c.detail)
			}
		})
	}
	t.Cleanup(func() {
		if n := len(r.requests()); n != 0 {
			t.Errorf("%d requests reached a stranger", n)
		}
	})
}

// TestWebhookFailuresHoldNoSecret: what a log gets to see of a failed send,
// also by a receiver whose answer and address quote everything.
func TestWebhookFailuresHoldNoSecret(t *testing.T) {
	t.Parallel()
	answers := map[string]func(int, http.ResponseWriter){
		"cut": cut,
		"no HTTP": func(_ int, w http.ResponseWriter) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 "+chainCode+chainNumber+webhookSecret+"\r\n\r\n")
			_ = conn.Close()
		},
		"quotes": func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", "//"+chainNumber+"/"+chainCode)
			w.WriteHeader(http.StatusFound)
			_, _ = io.WriteString(w, chainNumber+chainCode+webhookSecret)
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, w := receiver(t, answer, func(c *notify.WebhookConfig) { c.URL += "&key=" + webhookSecret[:10] })
			err := w.Send(context.Background(), chainMessage(t, notify.Text))
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "error", err, "sender", *w)
			for _, private := range []string{chainNumber[1:], chainCode, webhookSecret[:10], "is your code"} {
				if err == nil || strings.Contains(err.Error(), private) || strings.Contains(log.String(), private) {
					t.Errorf("%v\n%s", err, log.String())
				}
			}
		})
	}
}

func TestWebhookSecretHasToBeLong(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"":                       "is missing",
		"changeme":               "is shorter than 32 characters",
		strings.Repeat("x", 31):  "is shorter than 32 characters",
		strings.Repeat("x", 32):  "",
		strings.Repeat("x", 999): "",
	}
	for s, want := range cases {
		got := notify.CheckWebhookSecret(secret.New(s))
		if (got == "") != (want == "") || !strings.HasPrefix(got, want) || want != "" && !strings.Contains(got, "openssl rand -hex 32") {
			t.Errorf("%d characters: %q, want %q", len(s), got, want)
		}
	}
}

func TestWebhookAddressHidesCodesFromOthers(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"https://sms.example.com/sallyport?x=1": "",
		"https://192.0.2.1":                     "",
		"http://localhost:8080/":                "",
		"http://127.0.0.1:8080/":                "",
		"http://[::1]:8080/":                    "",
		"http://10.1.2.3/":                      "",
		"http://[fd00::1]/":                     "",
		"http://sms-bridge:8080/":               "",
		"http://sms.default.svc.cluster.LOCAL":  "",
		"http://sms.example.com/":               "is http",
		"http://192.0.2.1/":                     "is http",
		"http://[2001:db8::1]/":                 "is http",
		"http://localhost.example.com/":         "is http",
		"http://127.0.0.1.example.com/":         "is http",
		"https://user:pass@sms.example.com/":    "holds a name or password",
		"https://sms.example.com/#x":            "holds a fragment",
		"sms.example.com":                       "is not an address",
		"ftp://sms.example.com":                 "is not an address",
		"https:///path":                         "is not an address",
		"https://sms.example.com:port/":         "is not an address",
		"":                                      "is not an address",
	}
	for address, want := range cases {
		if got := notify.CheckWebhookURL(address); (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}
