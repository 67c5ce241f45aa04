package samlsp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Bounds of one look at a provider's metadata (SECURITY T96).
const (
	fetchTimeout = 10 * time.Second
	maxRedirects = 3
)

// NewClient gives an HTTP client for metadata: TLS only, at most three
// redirects, nothing of the environment's proxies but what Go has.
func NewClient(roots *x509.CertPool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	return &http.Client{
		Timeout: fetchTimeout, Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || r.URL.Scheme != "https" {
				return errors.New("redirected too often, or to an address that is not https")
			}
			return nil
		},
	}
}

// Fetch reads the document that Location names, and takes nothing over.
func (s *Source) Fetch(ctx context.Context) ([]byte, error) {
	if !strings.Contains(s.Location, "://") {
		return readFile(s.Location)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Location, nil)
	if err != nil {
		return nil, fmt.Errorf("fetching the metadata: %w", err)
	}
	request.Header.Set("Accept", "application/samlmetadata+xml, application/xml, text/xml")
	answer, err := s.Client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetching the metadata: %w", err)
	}
	defer answer.Body.Close()
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		ahead := date.Sub(s.Now()).Round(time.Second)
		s.mu.Lock()
		s.ahead = &ahead
		s.mu.Unlock()
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetching the metadata: %s", answer.Status)
	}
	return readAll(answer.Body)
}

// readFile reads a regular file, which a link may lead to. Opening a pipe that
// nobody writes to would never end, and with it no reload.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the metadata: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading the metadata: %s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the metadata: %w", err)
	}
	defer file.Close()
	return readAll(file)
}

func readAll(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, int64(metadataLimits.bytes)+1))
	if err != nil {
		return nil, fmt.Errorf("reading the metadata: %w", err)
	}
	if n > int64(metadataLimits.bytes) {
		return nil, unusable("it has more than %d bytes", metadataLimits.bytes)
	}
	return b.Bytes(), nil
}
