package caddymodule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ruleOptions is the grammar of a rule's own block.
func ruleOptions(r *Rule) []option {
	return append(accessOptions(&r.Access),
		option{name: "bypass", usage: "bypass", set: func(*values) { r.Bypass = true }})
}

// addRule reads one rule:
//
//	rule /path* | @name {
//	    <access option>… | bypass
//	}
//	rule {
//	    <inline matcher set>
//	} {
//	    <access option>… | bypass
//	}
func (g *Guard) addRule(v *values, matcher matcherOf) {
	var r Rule
	path := fmt.Sprintf("rules.%d", len(g.Rules))
	v.p.source[path] = where(v.entry.word)
	options, ok := v.ruleMatcher(&r, matcher)
	if ok {
		v.p.block(options.entries, ruleOptions(&r), path)
	}
	if word, beside := bypassBeside(options); beside {
		v.p.faultAt(word, "bypass", "stands beside another option, and it stands alone in its rule; write it in a rule of its own")
	}
	g.Rules = append(g.Rules, r)
}

// bypassBeside finds a `bypass` that stands beside another option.
func bypassBeside(b block) (word caddyfile.Token, beside bool) {
	for _, e := range b.entries {
		if e.word.Text == "bypass" {
			word = e.word
		} else {
			beside = true
		}
	}
	return word, beside && word.Text != ""
}

// ruleMatcher reads which requests the rule is for, and returns its block.
func (v *values) ruleMatcher(r *Rule, matcher matcherOf) (block, bool) {
	const usage = "write `rule /path* { … }` or `rule @name { … }`"
	args, blocks := v.entry.args, v.entry.blocks
	switch {
	case v.entry.late:
		v.fault("has an argument after its block; %s", usage)
	case len(args) > 1:
		v.fault("has more than one matcher; %s, with all of them in the definition of @name", usage)
	case len(args) == 1 && args[0].Text == "*":
		v.fault("`*` is the site itself; write the options in the `sallyport` block")
	case len(args) == 1 && !isMatcher(args[0].Text):
		v.fault("%q is not a matcher; %s", args[0].Text, usage)
	case len(args) == 1 && len(blocks) == 1, len(args) == 0 && len(blocks) == 2:
		return v.readMatcher(r, matcher)
	case len(args) == 0 && len(blocks) < 2:
		v.fault("has no matcher; %s", usage)
	case len(blocks) == 0:
		v.fault("needs a block; %s", usage)
	default:
		v.fault("has too many blocks; %s", usage)
	}
	return block{}, false
}

func (v *values) readMatcher(r *Rule, matcher matcherOf) (block, bool) {
	var set caddy.ModuleMap
	var err error
	blocks := v.entry.blocks
	if len(v.entry.args) == 1 {
		set, err = matcher(v.entry.args[0])
	} else {
		set, err = v.inlineMatcher(blocks[0])
	}
	options := blocks[len(blocks)-1]
	switch {
	case err != nil:
		problem, _, _ := strings.Cut(err.Error(), ", at ") // Caddy's line is the block's end
		v.fault("%s; write a matcher that Caddy knows", problem)
		return options, true // its options may have faults as well
	case len(options.entries) == 0:
		v.fault("its block is empty; write what differs for these requests, or leave the rule out")
		return options, false
	}
	r.MatcherSetsRaw = caddyhttp.RawMatcherSets{set}
	return options, true
}

// inlineMatcher reads a matcher set that stands in the rule itself. An empty
// one would match everything, like `*`.
func (v *values) inlineMatcher(b block) (caddy.ModuleMap, error) {
	if len(b.entries) == 0 {
		return nil, errors.New("its matcher set is empty")
	}
	d := caddyfile.NewDispenser(append([]caddyfile.Token{v.entry.word}, b.tokens...))
	d.Next()
	return caddyhttp.ParseCaddyfileNestedMatcherSet(d)
}
