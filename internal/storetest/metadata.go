package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Metadata is the suite of providers' saved metadata.
func Metadata(t *testing.T, open func(t *testing.T) Durable) {
	runDurable(t, open, map[string]func(*testing.T, Durable){
		"ComesBackAsItWas":          metadataComesBack,
		"NewerStays":                metadataNewerStays,
		"NewestOfParallelOnesStays": metadataParallel,
		"LargestIsKept":             metadataLargest,
		"HostileNamesAreNobodys":    metadataHostile,
	})
}

const metadataSource = "https://idp.example/metadata?a=ü"

func wantMetadata(t *testing.T, s Durable, provider, source string, document []byte, fetched time.Time) {
	t.Helper()
	gotSource, got, at, err := s.SavedMetadata(deadline(t), provider)
	must(t, err)
	if gotSource != source || !bytes.Equal(got, document) || !at.Equal(fetched) {
		t.Fatalf("%q, %d bytes, %s; want %q, %d bytes, %s", gotSource, len(got), at, source, len(document), fetched)
	}
}

func metadataComesBack(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	_, _, _, err := s.SavedMetadata(ctx, "corp")
	wantErr(t, err, account.ErrNotFound)
	if errors.Is(err, session.ErrUnavailable) {
		t.Fatal("absent metadata looks like an absent store")
	}
	document := []byte("<md:EntityDescriptor/>\x00\xff\r\n")
	must(t, s.SaveMetadata(ctx, "corp", metadataSource, document, now))
	must(t, s.SaveMetadata(ctx, "Corp", "", nil, now.Add(time.Second)))
	wantMetadata(t, s, "corp", metadataSource, document, now)
	wantMetadata(t, s, "Corp", "", nil, now.Add(time.Second))
}

func metadataNewerStays(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	must(t, s.SaveMetadata(ctx, "corp", metadataSource, []byte("first"), now))
	must(t, s.SaveMetadata(ctx, "corp", metadataSource, []byte("second"), now)) // as new
	wantMetadata(t, s, "corp", metadataSource, []byte("second"), now)
	must(t, s.SaveMetadata(ctx, "corp", "file", []byte("third"), now.Add(time.Microsecond)))
	for _, older := range []time.Time{now, now.Add(-time.Hour), {}} {
		must(t, s.SaveMetadata(ctx, "corp", metadataSource, []byte("old"), older))
		wantMetadata(t, s, "corp", "file", []byte("third"), now.Add(time.Microsecond))
	}
}

func metadataParallel(t *testing.T, s Durable) {
	const n = 20
	now := start()
	for _, err := range parallel(n, func(i int) error {
		return s.SaveMetadata(deadline(t), "corp", metadataSource, fmt.Append(nil, i), now.Add(time.Duration(i)*time.Second))
	}) {
		must(t, err)
	}
	wantMetadata(t, s, "corp", metadataSource, fmt.Append(nil, n-1), now.Add((n-1)*time.Second))
}

func metadataLargest(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	largest := bytes.Repeat([]byte("0123456789abcdef"), 2<<20/16)
	must(t, s.SaveMetadata(ctx, "corp", metadataSource, largest, now))
	err := s.SaveMetadata(ctx, "corp", metadataSource, append(largest, 'x'), now.Add(time.Hour))
	if err == nil || errors.Is(err, session.ErrUnavailable) {
		t.Fatalf("more than 2 MiB: %v", err)
	}
	wantMetadata(t, s, "corp", metadataSource, largest, now)
}

func metadataHostile(t *testing.T, s Durable) {
	ctx, now := deadline(t), start()
	for _, bad := range []struct{ provider, source string }{{"", ""}, {"a\x00", ""}, {"\xff", ""}, {"corp", "\x00"}, {"corp", "\xff"}} {
		if err := s.SaveMetadata(ctx, bad.provider, bad.source, nil, now); err == nil || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("%q: %v", bad, err)
		}
		_, _, _, err := s.SavedMetadata(ctx, bad.provider)
		wantErr(t, err, account.ErrNotFound)
	}
}
