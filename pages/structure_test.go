package pages

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// node is an element of a rendered page.
type node struct {
	name string
	attr map[string]string
	text strings.Builder
}

// parse reads the elements of a page in order, and reports tags that do not
// match. void elements have no end tag.
func parse(t *testing.T, page string) []*node {
	t.Helper()
	void := []string{"meta", "link", "input", "img", "path", "wbr"}
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.Entity = false, xml.HTMLEntity
	var all, open []*node
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				if _, twice := n.attr[a.Name.Local]; twice {
					t.Errorf("<%s> has %s twice", n.name, a.Name.Local)
				}
				n.attr[a.Name.Local] = a.Value
			}
			all = append(all, n)
			if !slices.Contains(void, n.name) {
				open = append(open, n)
			}
		case xml.EndElement:
			if slices.Contains(void, token.Name.Local) {
				continue
			}
			if len(open) == 0 || open[len(open)-1].name != token.Name.Local {
				t.Fatalf("</%s> closes nothing", token.Name.Local)
			}
			open = open[:len(open)-1]
		case xml.CharData:
			for _, n := range open {
				n.text.Write(token)
			}
		}
	}
	if len(open) > 0 {
		t.Errorf("<%s> is not closed", open[len(open)-1].name)
	}
	return all
}

func count(nodes []*node, name string) (n int) {
	for _, x := range nodes {
		if x.name == name {
			n++
		}
	}
	return n
}

func TestEveryPageIsSound(t *testing.T) {
	t.Parallel()
	each(t, lifelike, func(t *testing.T, _ *Set, view View, page string) {
		nodes := parse(t, page)
		for _, name := range []string{"h1", "main", "title", "header"} {
			if n := count(nodes, name); n != 1 {
				t.Errorf("%d of <%s>, want 1", n, name)
			}
		}
		ids := map[string]*node{}
		for _, n := range nodes {
			if id, ok := n.attr["id"]; ok {
				if ids[id] != nil || id == "" {
					t.Errorf("id %q twice or empty", id)
				}
				ids[id] = n
			}
			checkNode(t, n)
		}
		for _, n := range nodes {
			checkReferences(t, n, nodes, ids)
		}
		checkProblems(t, view, nodes, ids)
	})
}

// checkNode looks at one element by itself.
func checkNode(t *testing.T, n *node) {
	t.Helper()
	for name, value := range n.attr {
		switch {
		case slices.Contains([]string{"placeholder", "required", "maxlength", "pattern", "style", "disabled"}, name),
			strings.HasPrefix(name, "on"):
			t.Errorf("<%s> has %s", n.name, name)
		case (name == "href" || name == "action" || name == "src") && strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), "javascript:"):
			t.Errorf("<%s %s=%q>", n.name, name, value)
		}
	}
	_, novalidate := n.attr["novalidate"]
	switch {
	case n.name == "style", n.name == "script" && n.text.Len() > 0:
		t.Errorf("inline <%s>", n.name)
	case n.name == "form" && (!novalidate || n.attr["method"] != "post" || n.attr["action"] == ""):
		t.Errorf("form is not a plain post: %v", n.attr)
	case n.name == "a" && (n.attr["href"] == "" || n.attr["href"] == "#"):
		t.Errorf("link %q leads nowhere", n.text.String())
	case (n.name == "a" || n.name == "button") && strings.TrimSpace(n.text.String()) == "":
		t.Errorf("<%s> without words", n.name)
	}
}

// checkReferences looks for what an element points at.
func checkReferences(t *testing.T, n *node, nodes []*node, ids map[string]*node) {
	t.Helper()
	if target, ok := strings.CutPrefix(n.attr["href"], "#"); ok && ids[target] == nil {
		t.Errorf("link to #%s, which is not there", target)
	}
	if target, ok := n.attr["for"]; ok && (ids[target] == nil || ids[target].name != "input") {
		t.Errorf("label for %q, which is no input", target)
	}
	for _, id := range strings.Fields(n.attr["aria-describedby"]) {
		if ids[id] == nil {
			t.Errorf("described by %s, which is not there", id)
		}
	}
	_, hidden := n.attr["hidden"]
	if n.name != "input" || n.attr["type"] == "hidden" || hidden {
		return
	}
	if !slices.ContainsFunc(nodes, func(l *node) bool { return l.name == "label" && l.attr["for"] == n.attr["id"] }) {
		t.Errorf("input %q has no label", n.attr["id"])
	}
}

// checkProblems: the title says so, and each entry of the summary leads to the
// control that is wrong and has the same words beside it.
func checkProblems(t *testing.T, view View, nodes []*node, ids map[string]*node) {
	t.Helper()
	problems := view.frame().Problems
	for _, n := range nodes {
		if n.name == "title" && strings.HasPrefix(n.text.String(), "Error: ") != (len(problems) > 0) {
			t.Errorf("title %q with %d problems", n.text.String(), len(problems))
		}
		if _, ok := n.attr["autofocus"]; ok && len(problems) > 0 && n.attr["class"] != "summary" {
			t.Errorf("<%s> takes the focus from the summary", n.name)
		}
	}
	for i, p := range problems {
		if p.Field == "" {
			continue
		}
		control := ids[p.Field]
		beside := ids[fmt.Sprintf("%s-error-%d", p.Field, i+1)]
		if beside == nil || control == nil {
			// A group of radio buttons is described as a whole.
			t.Errorf("problem %s: nothing to put right, or no words beside it", p.Key)
			continue
		}
		owner := control
		if p.Field == "method" || p.Field == "channel" {
			owner = nodes[slices.IndexFunc(nodes, func(n *node) bool { return n.name == "fieldset" })]
		}
		if owner.attr["aria-invalid"] != "true" || !slices.Contains(strings.Fields(owner.attr["aria-describedby"]), beside.attr["id"]) {
			t.Errorf("problem %s: its control is %v", p.Key, owner.attr)
		}
		words := strings.TrimPrefix(strings.TrimSpace(beside.text.String()), "Error: ")
		if !slices.ContainsFunc(nodes, func(n *node) bool {
			return n.name == "a" && n.attr["href"] == "#"+p.Field && n.text.String() == words
		}) {
			t.Errorf("problem %s: no entry in the summary says %q", p.Key, words)
		}
	}
}

// TestControlsAreWhatBrowsersExpect is the table of section 1.3: password
// managers and phones go by these.
func TestControlsAreWhatBrowsersExpect(t *testing.T) {
	t.Parallel()
	each(t, lifelike, func(t *testing.T, _ *Set, view View, page string) {
		for _, n := range parse(t, page) {
			if n.name != "input" || n.attr["type"] == "hidden" {
				continue
			}
			got := n.attr["type"] + " " + n.attr["autocomplete"] + " " + n.attr["inputmode"]
			var want []string
			switch n.attr["name"] {
			case "username":
				want = []string{"text username email", "text username "}
			case "current":
				want = []string{"password current-password "}
			case "password":
				want = []string{"password current-password "}
				switch view.(type) {
				case Link, NewPassword, ChangePassword:
					want = []string{"password new-password "}
				}
			case "code":
				want = []string{"text one-time-code numeric", "text off "}
			case "label", "name", "hosts", "paths", "methods":
				want = []string{"text off "}
			case "phone":
				want = []string{"tel tel "}
			case "method", "channel", "life", "grace":
				want = []string{"radio  "}
			case "saved", "remember":
				want = []string{"checkbox  "}
			}
			if !slices.Contains(want, got) {
				t.Errorf("%s is %q, want one of %q", n.attr["name"], got, want)
			}
		}
	})
}

func TestTitlesAreUniquePerPage(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	seen := map[string]string{}
	for _, x := range fixtures(lifelike) {
		title, err := s.language("en").title(x.view)
		if err != nil {
			t.Fatal(err)
		}
		page := x.view.page()
		if v, ok := x.view.(varied); ok {
			page += "." + v.variant()
		}
		if other, ok := seen[title]; ok && other != page {
			t.Errorf("%s and %s are both called %q", other, page, title)
		}
		seen[title] = page
	}
}
