package redisstore

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

func TestWrongOptionsAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := Open(Options{Mode: "cluster", Prefix: "{tag}", DB: -1, Timeout: -time.Second, Username: "gate"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"mode", "address", "prefix", "database", "timeout", "password"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of the %s in: %v", want, err)
		}
	}
}

func TestOpenAndCloseNeedNoServer(t *testing.T) {
	t.Parallel()
	s, err := Open(Options{Addrs: []string{"192.0.2.1:6379"}, Password: secret.New("hidden")})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(began); d > time.Second {
		t.Errorf("closing took %s", d)
	}
	stop := s.Watch(&heard{})
	stop()
}
