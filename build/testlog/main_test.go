package main

import (
	"strings"
	"testing"
)

const (
	pass = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
`
	skip = `{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:9: no oathtool\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
`
	failTest = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:9: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
`
	okPackage = `{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	failPackage = `{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
	panicked = `{"Action":"output","Package":"p","Test":"TestD","Output":"panic: no\n"}
`
	broken = `{"ImportPath":"p","Action":"build-output","Output":"p/a.go:1: syntax error\n"}
{"ImportPath":"p","Action":"build-fail"}
`
)

func TestWhatIsPrintedAndWhatFails(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, in, want string
		noSkips, good  bool
	}{
		{"all well", pass + okPackage, "ok  \tp\t0.1s\n1 passed, 0 failed, 0 skipped\n", true, true},
		{"skipped", pass + skip + okPackage, "ok  \tp\t0.1s\nskipped: p TestB: b_test.go:9: no oathtool\n1 passed, 0 failed, 1 skipped\n", false, true},
		{"skipped where none may be", pass + skip, "skipped: p TestB: b_test.go:9: no oathtool\nFAIL: a test that is skipped promises nothing; here none may be\n1 passed, 0 failed, 1 skipped\n", true, false},
		{"failed", pass + failTest + failPackage, "    c_test.go:9: wrong\nFAIL\tp\t0.1s\n1 passed, 1 failed, 0 skipped\n", false, false},
		{"panicked", pass + panicked + failPackage, "panic: no\nFAIL\tp\t0.1s\n1 passed, 0 failed, 0 skipped\n", false, false},
		{"does not compile", pass + okPackage + broken, "ok  \tp\t0.1s\np/a.go:1: syntax error\n1 passed, 0 failed, 0 skipped\n", false, false},
		{"nothing ran", "go: no such package\n", "go: no such package\n0 passed, 0 failed, 0 skipped\n", false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			l := newLog(&out)
			if err := l.read(strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			if good := l.summary(c.noSkips); good != c.good {
				t.Errorf("good %v, want %v", good, c.good)
			}
			if out.String() != c.want {
				t.Errorf("printed:\n%s\nwant:\n%s", out.String(), c.want)
			}
		})
	}
}
