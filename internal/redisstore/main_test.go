package redisstore

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	LogTo(func(string) {}) // tests end servers by the dozen
	os.Exit(m.Run())
}
