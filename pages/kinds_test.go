package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// constants are the values of a file's constants whose names begin so.
func constants(t *testing.T, file, prefix string) (values []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, prefix) && len(spec.Values) == 1 {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	return values
}

func TestListsOfKindsAreWhole(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(constants(t, "views_account.go", "Activity"), activityKinds); diff != "" {
		t.Errorf("activityKinds (-constants +list):\n%s", diff)
	}
	if diff := cmp.Diff(constants(t, "mail.go", "Mail"), mailKinds); diff != "" {
		t.Errorf("mailKinds (-constants +list):\n%s", diff)
	}
}

// allMethods are those that anything can be about.
var allMethods = append(slices.Clone(mailMethods), MethodSSO)

func TestEveryActivityHasASentenceForEveryMethod(t *testing.T) {
	t.Parallel()
	l, seen := newSet(t).language("en"), map[string]string{}
	for _, kind := range activityKinds {
		for _, method := range allMethods {
			what, err := l.activity(Activity{Kind: kind, Method: method})
			if err != nil || what == "" {
				t.Errorf("%s %s: %q %v", kind, method, what, err)
			}
			if other, ok := seen[string(what)]; ok && other != kind {
				t.Errorf("%s and %s are both %q", other, kind, what)
			}
			seen[string(what)] = kind
		}
	}
	if _, err := l.activity(Activity{Kind: "nothing"}); err == nil {
		t.Error("an unknown kind has a sentence")
	}
}

// Every change has words of its own: "your security settings" says too little.
func TestEveryChangeIsNamed(t *testing.T) {
	t.Parallel()
	fallback := words(rendered(t, Confirm{}))
	for _, change := range constants(t, "views_account.go", "Change") {
		if words(rendered(t, Confirm{Change: change})) == fallback {
			t.Errorf("%s is not named", change)
		}
	}
}
