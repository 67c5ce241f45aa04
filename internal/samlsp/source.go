package samlsp

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Saved keeps the last good metadata over restarts, so that people can sign in
// while the provider's metadata cannot be had.
type Saved interface {
	// SavedMetadata gives what was saved, and where it had come from; an error
	// when there is nothing.
	SavedMetadata(ctx context.Context, provider string) (source string, document []byte, fetched time.Time, err error)
	SaveMetadata(ctx context.Context, provider, source string, document []byte, fetched time.Time) error
}

// Witness hears what happens to a provider's metadata.
type Witness interface {
	MetadataChanged(ctx context.Context, provider, detail string)
	// MetadataRefused: what was fetched would not do, or nothing could be
	// fetched. The last good copy stays in force.
	MetadataRefused(ctx context.Context, provider string, err error)
	// MetadataKnown tells after every look what is known now; false: nothing
	// that could be used.
	MetadataKnown(provider string, idp IdP, known bool)
	// CertificateExpires is told once for each of 30, 7 and 1 days.
	CertificateExpires(ctx context.Context, provider string, c *x509.Certificate, days int)
}

// Source keeps one provider's metadata up to date. It never replaces a good
// copy by a bad one, and one that is void is as good as none.
type Source struct {
	Provider string
	// Location is a file or an https address (http of this machine).
	Location string
	// Every is how often it is looked at.
	Every   time.Duration
	Client  *http.Client // see NewClient
	Saved   Saved
	Witness Witness
	Now     func() time.Time

	// taking is held while what was fetched is compared and saved, so that two
	// looks at once are one change.
	taking sync.Mutex

	mu     sync.Mutex
	known  *IdP
	digest [32]byte
	first  chan struct{}
	failed error // of the last look
	looked time.Time
	ahead  *time.Duration
	warned map[string]int // days that were told of, by certificate
}

// retryFirst and retryMost bound how soon an absent provider is asked again.
const retryFirst, retryMost = 2 * time.Second, 5 * time.Minute

// Current is the provider as it is known now; false while it is not, or its
// metadata is void.
func (s *Source) Current() (IdP, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || !s.known.ValidUntil.IsZero() && !s.Now().Before(s.known.ValidUntil) {
		return IdP{}, false
	}
	return *s.known, true
}

// First waits until the first look has ended, however it went, or the context
// has: who comes in the first moments after a start need not be turned away.
func (s *Source) First(ctx context.Context) {
	s.mu.Lock()
	ended := s.firstEnded()
	s.mu.Unlock()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// firstEnded is closed by the end of the first look. s.mu is held.
func (s *Source) firstEnded() chan struct{} {
	if s.first == nil {
		s.first = make(chan struct{})
	}
	return s.first
}

// State is for operators.
type State struct {
	IdP    *IdP
	Looked time.Time // last look that succeeded
	Failed error     // of the last look
	// Ahead is by how much the provider's clock was ahead of ours when the
	// metadata was fetched, to about a second; nil where it did not say.
	Ahead *time.Duration
}

// State tells what is known, and how the last look went.
func (s *Source) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{s.known, s.looked, s.failed, s.ahead}
}

// Run looks at once and then every s.Every, until the context ends, and when
// what is known becomes void. While nothing is known it asks again soon.
func (s *Source) Run(ctx context.Context) {
	s.restore(ctx)
	retry := retryFirst
	for {
		_ = s.Look(ctx) // the witness is told
		wait := s.Every
		switch idp, known := s.Current(); {
		case !known:
			wait, retry = min(retry, s.Every), min(2*retry, retryMost)
		case !idp.ValidUntil.IsZero():
			wait = min(wait, max(idp.ValidUntil.Sub(s.Now()), retryFirst))
			fallthrough
		default:
			retry = retryFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// restore takes the last good copy over, if it came from the same place.
func (s *Source) restore(ctx context.Context) {
	from, document, fetched, err := s.Saved.SavedMetadata(ctx, s.Provider)
	if err != nil || from != s.Location {
		return
	}
	// As it was good then: when it is void by now it still says whose place
	// this is.
	idp, err := ParseMetadata(document, fetched)
	if err != nil {
		return // of a release that read more
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known, s.digest, s.looked = &idp, sha256.Sum256(document), fetched
	}
}

// Look fetches the metadata and takes it over when it is good.
func (s *Source) Look(ctx context.Context) error {
	document, err := s.Fetch(ctx)
	if err == nil {
		err = s.take(ctx, document)
	}
	s.mu.Lock()
	s.failed = err
	if err == nil {
		s.looked = s.Now()
	}
	select {
	case <-s.firstEnded():
	default:
		close(s.first)
	}
	s.mu.Unlock()
	if err != nil && ctx.Err() != nil {
		return err // given up: what is known here is not what is known
	}
	if err != nil {
		s.Witness.MetadataRefused(ctx, s.Provider, err)
	}
	idp, known := s.Current()
	s.Witness.MetadataKnown(s.Provider, idp, known)
	s.warn(ctx)
	return err
}

func (s *Source) take(ctx context.Context, document []byte) error {
	now := s.Now()
	idp, err := ParseMetadata(document, now)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(document)
	s.taking.Lock()
	defer s.taking.Unlock()
	if _, known := s.Current(); !known {
		s.restore(ctx) // an operator's look may be the first, and Run's reading may have failed
	}
	s.mu.Lock()
	old, same := s.known, s.known != nil && s.digest == digest
	s.mu.Unlock()
	if same {
		return nil
	}
	if old != nil && old.EntityID != idp.EntityID {
		// Whoever answers there now is somebody else, and knows other people.
		return unusable("it is of %q, and what is known from there is of %q; if that is meant, name it by another address, or another file", idp.EntityID, old.EntityID)
	}
	if err := s.Saved.SaveMetadata(ctx, s.Provider, s.Location, document, now); err != nil {
		return fmt.Errorf("saving the metadata: %w", err)
	}
	s.mu.Lock()
	s.known, s.digest = &idp, digest
	s.mu.Unlock()
	s.Witness.MetadataChanged(ctx, s.Provider, changes(old, idp))
	return nil
}

// changes says what is new, for the audit.
func changes(old *IdP, idp IdP) string {
	added, gone := 0, 0
	var before []*x509.Certificate
	if old != nil {
		before = old.Certificates
	}
	for _, c := range idp.Certificates {
		if !slices.ContainsFunc(before, c.Equal) {
			added++
		}
	}
	for _, c := range before {
		if !slices.ContainsFunc(idp.Certificates, c.Equal) {
			gone++
		}
	}
	return fmt.Sprintf("%s: %d certificates, %d of them new, %d gone", idp.EntityID, len(idp.Certificates), added, gone)
}

// warn tells of certificates that will not be good much longer.
func (s *Source) warn(ctx context.Context) {
	idp, ok := s.Current()
	if !ok {
		return
	}
	for _, c := range current(idp.Certificates, s.Now()) {
		left := c.NotAfter.Sub(s.Now())
		for _, days := range []int{1, 7, 30} {
			if left > time.Duration(days)*24*time.Hour {
				continue
			}
			key := fmt.Sprintf("%x", sha256.Sum256(c.Raw))
			s.mu.Lock()
			if s.warned == nil {
				s.warned = map[string]int{}
			}
			told, before := s.warned[key]
			news := !before || days < told
			s.warned[key] = days
			s.mu.Unlock()
			if news {
				s.Witness.CertificateExpires(ctx, s.Provider, c, days)
			}
			break
		}
	}
}

// DaysLeft is how long the certificate that lasts longest is still good, in
// days; 0 when none is.
func (i IdP) DaysLeft(now time.Time) float64 {
	var last time.Time
	for _, c := range current(i.Certificates, now) {
		if c.NotAfter.After(last) {
			last = c.NotAfter
		}
	}
	if last.IsZero() {
		return 0
	}
	return last.Sub(now).Hours() / 24
}
