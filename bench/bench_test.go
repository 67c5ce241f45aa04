package bench

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

var (
	full  = flag.Bool("full", false, "measure everything and write README.md and rows/")
	quick = flag.Bool("quick", false, "measure shortly, and only print")
)

func TestMain(m *testing.M) {
	if address := os.Getenv(appAddress); address != "" {
		fmt.Println(serveApp(address))
		os.Exit(1)
	}
	flag.Parse()
	if *full == *quick {
		fmt.Println("measurements run by `make bench` and `make bench-quick`")
		os.Exit(0)
	}
	testtools.Main(m)
}

// rounds is how often something is measured: n times, or few where it is to be
// quick.
func rounds(n, few int) int {
	if *quick {
		return few
	}
	return n
}
