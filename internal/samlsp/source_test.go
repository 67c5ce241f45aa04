package samlsp_test

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// kept is the database's part: one row for each provider.
type kept struct {
	mu    sync.Mutex
	rows  map[string]row
	fails error
	slow  time.Duration
}

type row struct {
	source   string
	document []byte
	fetched  time.Time
}

var errNothing = errors.New("not found")

func (k *kept) SavedMetadata(_ context.Context, provider string) (string, []byte, time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, ok := k.rows[provider]
	if !ok {
		return "", nil, time.Time{}, errNothing
	}
	return r.source, append([]byte{}, r.document...), r.fetched, nil
}

func (k *kept) SaveMetadata(_ context.Context, provider, source string, document []byte, fetched time.Time) error {
	time.Sleep(k.slow)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails != nil {
		return k.fails
	}
	if k.rows == nil {
		k.rows = map[string]row{}
	}
	k.rows[provider] = row{source, append([]byte{}, document...), fetched}
	return nil
}

// heard is what the audit is told.
type heard struct {
	mu      sync.Mutex
	changed []string
	refused []error
	known   []bool
	expires []string
}

func (h *heard) MetadataChanged(_ context.Context, _, detail string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed = append(h.changed, detail)
}

func (h *heard) MetadataRefused(_ context.Context, _ string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = append(h.refused, err)
}

func (h *heard) MetadataKnown(_ string, _ samlsp.IdP, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known = append(h.known, known)
}

func (h *heard) CertificateExpires(_ context.Context, _ string, c *x509.Certificate, days int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expires = append(h.expires, fmt.Sprintf("%s %d", c.Subject.CommonName, days))
}

func (h *heard) told() (changed, refused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.changed), len(h.refused)
}

func (h *heard) saidKnown() []bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]bool{}, h.known...)
}

// publisher is a provider's web server, over TLS. What it answers can be
// changed.
type publisher struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32
}

func (p *publisher) says(h http.HandlerFunc) { p.answer.Store(&h) }

func (p *publisher) gives(document []byte) {
	p.says(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) })
}

func publishes(t *testing.T) (*publisher, *http.Client) {
	t.Helper()
	p := &publisher{}
	p.gives(nil)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		(*p.answer.Load())(w, r)
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are meant
	p.StartTLS()
	t.Cleanup(p.Close)
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	return p, samlsp.NewClient(roots)
}

func source(location string, client *http.Client) (*samlsp.Source, *kept, *heard) {
	k, h := &kept{}, &heard{}
	return &samlsp.Source{
		Provider: "partner", Location: location, Every: time.Hour, Client: client, Saved: k, Witness: h, Now: time.Now,
	}, k, h
}

func looks(t *testing.T, s *samlsp.Source) {
	t.Helper()
	if err := s.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// knows compares what is known now with a provider's good metadata.
func knows(t *testing.T, s *samlsp.Source, want samlsp.IdP) {
	t.Helper()
	got, ok := s.Current()
	if !ok {
		t.Error("nothing is known any more")
		return
	}
	if diff := cmp.Diff(want, got, sameCertificate); diff != "" {
		t.Errorf("known is another one: -want +got\n%s", diff)
	}
}

func TestGoodMetadataIsNeverReplacedByBad(t *testing.T) {
	t.Parallel()
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	good := p.Metadata(samltest.MetadataOptions{})
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(p.Metadata(samltest.MetadataOptions{WantAuthnRequestsSigned: true}))
	}))
	t.Cleanup(plain.Close)
	give := func(document []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = w.Write(good) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		words  string
	}{
		"garbage":          {give([]byte("<!doctype html><p>maintenance")), "cannot be used"},
		"nothing":          {give(nil), "cannot be used"},
		"half":             {give(good[:len(good)/2]), "cannot be used"},
		"void":             {give(p.Metadata(samltest.MetadataOptions{ValidUntil: time.Now().Add(-time.Minute)})), "valid until"},
		"no certificate":   {give(p.Metadata(samltest.MetadataOptions{Keys: []*samltest.Key{}})), "certificates for signing"},
		"expired":          {give(p.Metadata(samltest.MetadataOptions{Expired: true})), "certificates for signing"},
		"foreign":          {give(stranger.Metadata(samltest.MetadataOptions{})), "stranger.example"},
		"404":              {status(http.StatusNotFound), "404"},
		"500":              {status(http.StatusInternalServerError), "500"},
		"202":              {status(http.StatusAccepted), "202"},
		"redirect to http": {http.RedirectHandler(plain.URL, http.StatusFound).ServeHTTP, "not https"},
		"redirect to file": {http.RedirectHandler("file:///etc/passwd", http.StatusFound).ServeHTTP, "not https"},
		"redirect loop":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, "redirected too often"},
		"3 MiB":            {give([]byte(strings.Repeat(" ", 3<<20) + string(good))), "more than"},
		"3 MiB, packed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte(strings.Repeat(" ", 3<<20) + string(good)))
			_ = z.Close()
		}, "more than"},
		"slow": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(good[:10])
			w.(http.Flusher).Flush()
			<-r.Context().Done()        // until the client has had enough
			panic(http.ErrAbortHandler) // or the end would look like one that was meant
		}, "reading the metadata"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(good)
			panic(http.ErrAbortHandler)
		}, "reading the metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := publishes(t)
			if name == "slow" {
				client.Timeout = 300 * time.Millisecond
			}
			s, saved, witness := source(server.URL+"/metadata", client)
			server.gives(good)
			looks(t, s)
			before := s.State().Looked
			server.says(c.answer)
			err := s.Look(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v, want an error that says %q", err, c.words)
			}
			knows(t, s, p.Provider())
			if state := s.State(); state.Failed == nil || !state.Looked.Equal(before) {
				t.Errorf("the state is %v, looked at %v; want the failure, and the last success", state.Failed, state.Looked)
			}
			if diff := cmp.Diff(good, saved.rows["partner"].document); diff != "" {
				t.Error("another document was saved")
			}
			if changed, refused := witness.told(); changed != 1 || refused != 1 || !witness.known[1] {
				t.Errorf("told of %d changes and %d refusals, known %v", changed, refused, witness.known)
			}
			// And what is good again is good.
			server.gives(good)
			looks(t, s)
			if s.State().Failed != nil {
				t.Error("the failure stays")
			}
		})
	}
}

func TestServerOfAnotherNameIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	server, _ := publishes(t)
	server.gives(p.Metadata(samltest.MetadataOptions{}))
	s, _, _ := source(server.URL, samlsp.NewClient(x509.NewCertPool()))
	if err := s.Look(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want a refusal of the server's certificate", err)
	}
	if _, ok := s.Current(); ok {
		t.Error("something is known")
	}
}

func TestThreeRedirectsAreFollowed(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	server, client := publishes(t)
	good := p.Metadata(samltest.MetadataOptions{})
	server.says(func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.Path) < 4 {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
			return
		}
		_, _ = w.Write(good)
	})
	s, _, _ := source(server.URL+"/", client)
	looks(t, s)
	knows(t, s, p.Provider())
}

func TestNewCertificateIsTakenOver(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	server, client := publishes(t)
	s, saved, witness := source(server.URL, client)
	for i, keys := range [][]*samltest.Key{{p.Keys[0]}, {p.Keys[0], p.Keys[1]}, {p.Keys[1]}} {
		document := p.Metadata(samltest.MetadataOptions{Keys: keys})
		server.gives(document)
		looks(t, s)
		looks(t, s) // the same again is no change
		want := p.Provider()
		want.Certificates = nil
		for _, k := range keys {
			want.Certificates = append(want.Certificates, k.Certificate)
		}
		knows(t, s, want)
		if changed, _ := witness.told(); changed != i+1 {
			t.Errorf("told of %d changes, want %d", changed, i+1)
		}
		if diff := cmp.Diff(document, saved.rows["partner"].document); diff != "" {
			t.Error("the new document was not saved")
		}
	}
	want := []string{"1 certificates, 1 of them new, 0 gone", "2 certificates, 1 of them new, 0 gone", "1 certificates, 0 of them new, 1 gone"}
	for i, detail := range witness.changed {
		if detail != p.EntityID+": "+want[i] {
			t.Errorf("told %q, want %q", detail, want[i])
		}
	}
}

// Two looks at once, one of them by `saml check`, are one change.
func TestOneChangeIsToldOnce(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	server, client := publishes(t)
	s, saved, witness := source(server.URL, client)
	saved.slow = 20 * time.Millisecond
	together := make(chan struct{})
	good := p.Metadata(samltest.MetadataOptions{})
	server.says(func(w http.ResponseWriter, _ *http.Request) {
		<-together
		_, _ = w.Write(good)
	})
	stop := make(chan struct{})
	var readers, lookers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if idp, ok := s.Current(); ok && (idp.EntityID != p.EntityID || idp.SSO[samlsp.Post] == "") {
						t.Error("half of the metadata is known")
						return
					}
					_ = s.State()
				}
			}
		})
		lookers.Go(func() {
			if err := s.Look(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	for server.asked.Load() < 8 {
		time.Sleep(time.Millisecond)
	}
	close(together)
	lookers.Wait()
	close(stop)
	readers.Wait()
	if changed, refused := witness.told(); changed != 1 || refused != 0 {
		t.Errorf("told of %d changes and %d refusals, want one change", changed, refused)
	}
}

// runs starts Run; what it returns ends it and waits.
func runs(t *testing.T, s *samlsp.Source) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

func TestLastGoodCopyOutlivesARestart(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	good := p.Metadata(samltest.MetadataOptions{})
	fetched := time.Now().Add(-5 * time.Hour)
	for name, c := range map[string]struct {
		row   row
		known bool
	}{
		"from there":          {row{"LOCATION", good, fetched}, true},
		"from another place":  {row{"https://idp.partner.example/old", good, fetched}, false},
		"void by now":         {row{"LOCATION", p.Metadata(samltest.MetadataOptions{ValidUntil: time.Now().Add(-time.Hour)}), fetched}, false},
		"of a newer release":  {row{"LOCATION", []byte("<other/>"), fetched}, false},
		"nothing was known":   {row{}, false},
		"another one's place": {row{"LOCATION/", good, fetched}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := publishes(t)
			server.says(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
			s, saved, witness := source(server.URL, client)
			if c.row.source != "" {
				c.row.source = strings.Replace(c.row.source, "LOCATION", server.URL, 1)
				saved.rows = map[string]row{"partner": c.row}
			}
			stop := runs(t, s)
			for failed := 0; failed == 0; _, failed = witness.told() {
				time.Sleep(time.Millisecond)
			}
			stop()
			if _, known := s.Current(); known != c.known {
				t.Fatalf("known %v, want %v", known, c.known)
			}
			if c.known {
				knows(t, s, p.Provider())
				if !s.State().Looked.Equal(fetched) {
					t.Errorf("looked at %v, want %v", s.State().Looked, fetched)
				}
			}
			if changed, _ := witness.told(); changed != 0 {
				t.Error("told of a change")
			}
		})
	}
}

// A restart must not let another party take the place over either, nor a copy
// that ended in the meantime.
func TestForeignProviderIsRefusedAfterARestart(t *testing.T) {
	t.Parallel()
	p, stranger := samltest.New(t, "https://idp.partner.example"), samltest.New(t, "https://idp.stranger.example")
	for name, until := range map[string]time.Time{"good": {}, "void by now": time.Now().Add(-time.Hour)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := publishes(t)
			server.gives(stranger.Metadata(samltest.MetadataOptions{}))
			s, saved, witness := source(server.URL, client)
			kept := row{server.URL, p.Metadata(samltest.MetadataOptions{ValidUntil: until}), time.Now().Add(-2 * time.Hour)}
			saved.rows = map[string]row{"partner": kept}
			stop := runs(t, s)
			for changed, refused := 0, 0; changed+refused == 0; changed, refused = witness.told() {
				time.Sleep(time.Millisecond)
			}
			stop()
			if idp, known := s.Current(); known != until.IsZero() || known && idp.EntityID != p.EntityID {
				t.Errorf("%q is known: %v", idp.EntityID, known)
			}
			if diff := cmp.Diff(string(kept.document), string(saved.rows["partner"].document)); diff != "" {
				t.Error("another document was saved")
			}
		})
	}
}

func TestWhatCannotBeSavedIsNotTaken(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	server, client := publishes(t)
	server.gives(p.Metadata(samltest.MetadataOptions{}))
	s, saved, _ := source(server.URL, client)
	saved.fails = errors.New("the disk is full")
	if err := s.Look(t.Context()); !errors.Is(err, saved.fails) {
		t.Errorf("got %v, want what the store said", err)
	}
	if _, known := s.Current(); known {
		t.Error("a copy that would be gone after a restart is in force")
	}
	saved.fails = nil
	looks(t, s)
	knows(t, s, p.Provider())
}

func TestMetadataIsVoidAtItsTime(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	path := filepath.Join(t.TempDir(), "idp.xml")
	now := time.Now().UTC().Truncate(time.Second)
	until := now.Add(time.Hour)
	write(t, path, p.Metadata(samltest.MetadataOptions{ValidUntil: until}))
	s, _, _ := source(path, nil)
	s.Now = func() time.Time { return now }
	looks(t, s)
	for _, c := range []struct {
		at    time.Time
		known bool
	}{{until.Add(-time.Nanosecond), true}, {until, false}, {until.Add(time.Hour), false}} {
		now = c.at
		if _, known := s.Current(); known != c.known {
			t.Errorf("known at %v: %v, want %v", c.at, known, c.known)
		}
	}
}

func write(t *testing.T, path string, document []byte) {
	t.Helper()
	// As people replace a file: at once.
	if err := os.WriteFile(path+".new", document, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	path := filepath.Join(t.TempDir(), "idp.xml")
	s, _, witness := source(path, nil)
	if err := s.Look(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the file is not there", err)
	}
	write(t, path, p.Metadata(samltest.MetadataOptions{}))
	looks(t, s)
	knows(t, s, p.Provider())
	write(t, path, p.Metadata(samltest.MetadataOptions{WantAuthnRequestsSigned: true}))
	looks(t, s)
	want := p.Provider()
	want.WantsSigned = true
	knows(t, s, want)
	write(t, path, append([]byte(strings.Repeat("\n", 2<<20)), p.Metadata(samltest.MetadataOptions{})...))
	if err := s.Look(t.Context()); !errors.Is(err, samlsp.ErrMetadata) {
		t.Errorf("got %v, want a refusal of its size", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Look(t.Context()); err == nil {
		t.Error("a folder was read")
	}
	knows(t, s, want)
	if changed, refused := witness.told(); changed != 2 || refused != 3 || s.State().Ahead != nil {
		t.Errorf("told of %d changes, %d refusals; ahead by %v", changed, refused, s.State().Ahead)
	}
}

// rounds answers without a network, so that time can be made to pass.
type rounds func(*http.Request) (*http.Response, error)

func (f rounds) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answered(code int, body []byte) *http.Response {
	return &http.Response{StatusCode: code, Status: fmt.Sprint(code), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body)))}
}

// twentyYears leads from where synctest begins to certificates that are good.
const twentyYears = 20 * 365 * 24 * time.Hour

func TestItIsAskedSoonWhileNothingIsKnown(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	good := p.Metadata(samltest.MetadataOptions{})
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(twentyYears)
		var mu sync.Mutex
		var at []time.Duration
		away := true
		set := func(now bool) {
			mu.Lock()
			defer mu.Unlock()
			away, at = now, nil
		}
		asked := func() []time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return at
		}
		began := time.Now()
		s, _, _ := source("https://idp.partner.example/metadata", &http.Client{Transport: rounds(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(began))
			if away {
				return nil, errors.New("away")
			}
			return answered(http.StatusOK, good), nil
		})})
		stop := runs(t, s)
		time.Sleep(30*time.Minute + time.Second)
		synctest.Wait()
		want := []time.Duration{
			0, 2 * time.Second, 6 * time.Second, 14 * time.Second, 30 * time.Second, 62 * time.Second, 126 * time.Second, 254 * time.Second,
			510 * time.Second, 810 * time.Second, 1110 * time.Second, 1410 * time.Second, 1710 * time.Second,
		}
		if diff := cmp.Diff(want, asked()); diff != "" {
			t.Errorf("asked at: -want +got\n%s", diff)
		}
		// Known, it is asked every hour, and when it is away then too.
		for _, now := range []bool{false, true} {
			set(now)
			time.Sleep(4 * time.Hour)
			synctest.Wait()
			if at := asked(); len(at) != 4 {
				t.Errorf("away %v: asked %d times in four hours, want every hour: %v", now, len(at), at)
			}
		}
		stop()
		if _, known := s.Current(); !known {
			t.Error("nothing is known any more")
		}
	})
}

// TestVoidMetadataIsAskedForSoon: people cannot sign in from its end on, so
// that a long `refresh` is no reason to wait.
func TestVoidMetadataIsAskedForSoon(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	path := filepath.Join(t.TempDir(), "idp.xml")
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(twentyYears)
		s, _, witness := source(path, nil)
		s.Every = 24 * time.Hour
		// Made by a publisher that renews it by and by, and is late once.
		write(t, path, p.Metadata(samltest.MetadataOptions{ValidUntil: time.Now().Add(2 * time.Hour)}))
		stop := runs(t, s)
		time.Sleep(2*time.Hour + time.Second)
		synctest.Wait()
		if _, known := s.Current(); known {
			t.Error("void metadata is known")
		}
		if _, refused := witness.told(); refused == 0 {
			t.Error("nobody looked when it became void")
		}
		if known := witness.saidKnown(); !known[0] || known[len(known)-1] {
			t.Errorf("told that it is known: %v; want yes, and then no", known)
		}
		write(t, path, p.Metadata(samltest.MetadataOptions{ValidUntil: time.Now().Add(2 * time.Hour)}))
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, known := s.Current(); !known {
			t.Error("the new copy was not looked for")
		}
		stop()
		if looked := len(witness.saidKnown()); looked > 20 {
			t.Errorf("looked %d times", looked)
		}
	})
}

func TestEndOfCertificatesIsToldOnceForEachTerm(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	path := filepath.Join(t.TempDir(), "idp.xml")
	day := 24 * time.Hour
	now := time.Now()
	named := func(name string, until time.Time) *samltest.Key {
		c := certificateOf(t, 2048, now.Add(-day), until)
		c.Subject.CommonName = name
		return keyOf(c)
	}
	old, next := named("old", now.Add(40*day)), named("next", now.Add(70*day))
	write(t, path, p.Metadata(samltest.MetadataOptions{Keys: []*samltest.Key{old}}))
	s, _, witness := source(path, nil)
	s.Now = func() time.Time { return now }
	var got []string
	begin := now
	for i := range 71 {
		now = begin.Add(time.Duration(i) * day)
		if i == 35 {
			write(t, path, p.Metadata(samltest.MetadataOptions{Keys: []*samltest.Key{old, next}}))
		}
		for range 3 {
			_ = s.Look(t.Context()) // at the very end it is refused
		}
		for _, e := range witness.expires {
			got = append(got, fmt.Sprintf("%d: %s", i, e))
		}
		witness.expires = nil
	}
	// Of a certificate that is shown by its bytes, the name is "signing".
	want := []string{"10: signing 30", "33: signing 7", "39: signing 1", "40: signing 30", "63: signing 7", "69: signing 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestClockOfTheProviderIsCompared(t *testing.T) {
	t.Parallel()
	p := samltest.New(t, "https://idp.partner.example")
	server, client := publishes(t)
	s, _, _ := source(server.URL, client)
	now := time.Now().UTC().Truncate(time.Second)
	s.Now = func() time.Time { return now }
	good := p.Metadata(samltest.MetadataOptions{})
	for _, ahead := range []time.Duration{0, 7 * time.Second, -time.Hour} {
		server.says(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", now.Add(ahead).Format(http.TimeFormat))
			_, _ = w.Write(good)
		})
		looks(t, s)
		if got := s.State().Ahead; got == nil || *got != ahead {
			t.Errorf("ahead by %v, want %v", got, ahead)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	server, client := publishes(t)
	server.says(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s, _, witness := source(server.URL, client)
	stop := runs(t, s)
	for server.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	stop()
	if _, refused := witness.told(); refused != 0 {
		t.Error("the end of the program was told as a failure of the provider")
	}
}

// Who comes before the first look has ended waits for it, and no longer.
func TestFirstLookIsWaitedFor(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		http.Error(w, "away", http.StatusBadGateway)
	}))
	t.Cleanup(server.Close)
	s, _, _ := source(server.URL, server.Client())
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	s.First(soon) // ends with its context
	waited := make(chan struct{})
	go func() { s.First(t.Context()); close(waited) }()
	go func() { _ = s.Look(t.Context()) }()
	select {
	case <-waited:
		t.Fatal("it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	<-waited
	s.First(t.Context()) // and never again
}
