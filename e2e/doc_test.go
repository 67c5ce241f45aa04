// Package e2e runs the program that `make build` made as its users meet it:
// over HTTP, and in a browser. It imports nothing of the product, so that
// what these tests rely on is what operators, apps and people can rely on:
// the Caddyfile, the addresses, the fields of forms, the headers, the
// commands.
package e2e

import (
	"flag"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

func TestMain(m *testing.M) { testtools.Main(m) }

// shots is a folder for a look at every page: go test ./e2e -run EveryPage
// -shots /tmp/pages.
var shots = flag.String("shots", "", "save screenshots of every page in this folder")
