// Package e2e runs the program that `make build` made as its users meet it:
// over HTTP, and in a browser. It imports nothing of the product, so that
// what these tests rely on is what operators, apps and people can rely on:
// the Caddyfile, the addresses, the fields of forms, the headers, the
// commands.
package e2e

import (
	"testing"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

func TestMain(m *testing.M) { testtools.Main(m) }
