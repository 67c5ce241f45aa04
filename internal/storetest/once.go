package storetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// Once is the suite of login.Once.
func Once(t *testing.T, open func(t *testing.T) login.Once) {
	for name, test := range map[string]func(*testing.T, login.Once){
		"PeekLeavesItAndTakeRemovesIt":  onceIsTaken,
		"EveryByteComesBack":            onceBytes,
		"LargestIsKeptAndLargerRefused": onceLargest,
		"IsTakenOnceInParallel":         onceParallel,
		"IsPutOnceInParallel":           oncePutParallel,
		"IsNeverOverwritten":            onceOverwrite,
		"EndsByTheTimeThatIsPassed":     onceEnds,
		"LateTakeConsumesIt":            onceLateTake,
		"EndsByTheEnginesClock":         onceEngineClock,
		"WhatHasExpiredIsNotPut":        onceExpired,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

const onceLife = 10 * time.Minute

// wantOnce wants both ways to read the record: the second removes it.
func wantOnce(t *testing.T, s login.Once, key [32]byte, now time.Time, want []byte) {
	t.Helper()
	for _, read := range []func(context.Context, [32]byte, time.Time) ([]byte, error){s.PeekOnce, s.PeekOnce, s.TakeOnce} {
		got, err := read(deadline(t), key, now)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes %.40q, want %d bytes %.40q", len(got), got, len(want), want)
		}
	}
}

func wantNoOnce(t *testing.T, s login.Once, key [32]byte, now time.Time) {
	t.Helper()
	for _, read := range []func(context.Context, [32]byte, time.Time) ([]byte, error){s.PeekOnce, s.TakeOnce} {
		got, err := read(deadline(t), key, now)
		wantErr(t, err, session.ErrNotFound)
		if errors.Is(err, session.ErrUnavailable) || got != nil {
			t.Fatalf("nothing there looks like %q, %v", got, err)
		}
	}
}

func onceIsTaken(t *testing.T, s login.Once) {
	ctx, now, key, other := deadline(t), start(), newHash(), newHash()
	wantNoOnce(t, s, key, now)
	must(t, s.PutOnce(ctx, key, []byte("record"), now.Add(onceLife)))
	must(t, s.PutOnce(ctx, other, []byte("other"), now.Add(onceLife)))
	wantNoOnce(t, s, newHash(), now)
	near := key
	near[31] ^= 1
	wantNoOnce(t, s, near, now)
	wantOnce(t, s, key, now, []byte("record"))
	wantNoOnce(t, s, key, now)
	wantOnce(t, s, other, now.Add(onceLife-time.Second), []byte("other"))
}

func onceBytes(t *testing.T, s login.Once) {
	ctx, now := deadline(t), start()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, record := range [][]byte{every, nil, {}, {0}, []byte("\xff\xfe\x00"), []byte(`{"v":1,"value":null}`), []byte("\u2028<&>\r\n")} {
		key := newHash()
		must(t, s.PutOnce(ctx, key, record, now.Add(onceLife)))
		wantOnce(t, s, key, now, record)
	}
	must(t, s.PutOnce(ctx, [32]byte{}, []byte("zero"), now.Add(onceLife)))
	wantOnce(t, s, [32]byte{}, now, []byte("zero"))
}

func onceLargest(t *testing.T, s login.Once) {
	ctx, now, key := deadline(t), start(), newHash()
	largest := bytes.Repeat([]byte{0xff}, 64<<10)
	err := s.PutOnce(ctx, key, append(largest, 1), now.Add(onceLife))
	if err == nil || errors.Is(err, session.ErrUnavailable) {
		t.Fatalf("more than 64 KiB: %v", err)
	}
	wantNoOnce(t, s, key, now)
	must(t, s.PutOnce(ctx, key, largest, now.Add(onceLife)))
	wantOnce(t, s, key, now, largest)
}

func onceParallel(t *testing.T, s login.Once) {
	ctx, now, key := deadline(t), start(), newHash()
	must(t, s.PutOnce(ctx, key, []byte("record"), now.Add(onceLife)))
	wantOne(t, session.ErrNotFound, parallel(50, func(int) error {
		_, err := s.TakeOnce(ctx, key, now)
		return err
	}))
}

func oncePutParallel(t *testing.T, s login.Once) {
	now, key := start(), newHash()
	stored := wantOne(t, login.ErrOnceTaken, parallel(50, func(i int) error {
		return s.PutOnce(deadline(t), key, []byte{byte(i)}, now.Add(onceLife))
	}))
	wantOnce(t, s, key, now, []byte{byte(stored)})
}

func onceOverwrite(t *testing.T, s login.Once) {
	ctx, now, key := deadline(t), start(), newHash()
	must(t, s.PutOnce(ctx, key, []byte("first"), now.Add(onceLife)))
	for _, second := range []string{"second", "first"} {
		err := s.PutOnce(ctx, key, []byte(second), now.Add(2*onceLife))
		wantErr(t, err, login.ErrOnceTaken)
		if errors.Is(err, session.ErrUnavailable) {
			t.Fatal("a key that is there looks like an absent store")
		}
	}
	_, err := s.PeekOnce(ctx, key, now.Add(onceLife))
	wantErr(t, err, session.ErrNotFound) // its end is the first's too
	wantOnce(t, s, key, now, []byte("first"))
}

func onceEnds(t *testing.T, s login.Once) {
	ctx, now, key := deadline(t), start(), newHash()
	end := now.Add(onceLife)
	must(t, s.PutOnce(ctx, key, []byte("record"), end))
	for _, late := range []time.Time{end, end.Add(time.Microsecond), end.Add(time.Hour)} {
		_, err := s.PeekOnce(ctx, key, late)
		wantErr(t, err, session.ErrNotFound)
	}
	wantOnce(t, s, key, end.Add(-time.Microsecond), []byte("record"))
}

func onceLateTake(t *testing.T, s login.Once) {
	ctx, now, key := deadline(t), start(), newHash()
	must(t, s.PutOnce(ctx, key, []byte("record"), now.Add(onceLife)))
	_, err := s.TakeOnce(ctx, key, now.Add(onceLife))
	wantErr(t, err, session.ErrNotFound)
	wantNoOnce(t, s, key, now)
}

// A node whose clock is behind gets nothing that has expired.
func onceEngineClock(t *testing.T, s login.Once) {
	ctx, now := deadline(t), time.Now()
	peeked, taken := newHash(), newHash()
	for _, key := range [][32]byte{peeked, taken} {
		must(t, s.PutOnce(ctx, key, []byte("record"), now.Add(2*time.Second)))
	}
	_, err := s.PeekOnce(ctx, peeked, now)
	must(t, err)
	eventually(t, "the record ends by itself", func() bool {
		_, err := s.PeekOnce(ctx, peeked, now)
		return errors.Is(err, session.ErrNotFound)
	})
	if time.Since(now) < 2*time.Second {
		t.Fatal("it ended too early")
	}
	wantNoOnce(t, s, taken, now)
}

func onceExpired(t *testing.T, s login.Once) {
	key := newHash()
	for _, end := range []time.Time{time.Now().Add(-time.Second), {}} {
		if err := s.PutOnce(deadline(t), key, []byte("record"), end); err == nil || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("until %s: %v", end, err)
		}
	}
	wantNoOnce(t, s, key, start().Add(-time.Hour))
}
