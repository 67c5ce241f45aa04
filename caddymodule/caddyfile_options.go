package caddymodule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// option is one word of a block's grammar. A block's parser is a table of
// these; everything that all options have in common is decided here, once.
type option struct {
	name string
	// usage is what to write, as messages give it: `name <text>`.
	usage string
	// min and max are how many arguments there must be; max -1 is any.
	min, max int
	// many: may stand several times, and the values add up.
	many bool
	// path is the JSON path under which the line is kept in `source`; by
	// default the name, below the path of the block around.
	path string
	// set takes the arguments. It reports faults through v.
	set func(v *values)
	// block is the grammar of the block that the option opens; nil: it opens
	// none. needsBlock: it must. noBlock tells why these arguments have none.
	block      []option
	needsBlock bool
	noBlock    func(args []string) string
	// own, where set, reads the whole entry itself: arguments and blocks.
	own func(v *values)
	// gaps, where set, finds what the block as a whole lacks, once it was read.
	gaps func(f *finder)
}

// values is one entry under its option, for the option's set and own.
type values struct {
	p     *parse
	entry entry
	path  string // JSON path of the option
	args  []string
}

// fault reports what is wrong with the option, at its line.
func (v *values) fault(format string, a ...any) {
	v.p.faultAt(v.entry.word, v.entry.word.Text, format, a...)
}

// parse is the reading of one directive or global option.
type parse struct {
	faults Faults
	source map[string]string
}

func newParse() *parse { return &parse{source: map[string]string{}} }

func (p *parse) faultAt(t caddyfile.Token, option, format string, a ...any) {
	if strings.ContainsFunc(option, func(r rune) bool { return r <= ' ' }) {
		option = strconv.Quote(option) // one fault stays on one line
	}
	p.faults = append(p.faults, Fault{Path: option, Where: where(t), Problem: fmt.Sprintf(format, a...)})
}

// block reads a block's entries by its table.
func (p *parse) block(entries []entry, options []option, under string) {
	first := map[string]entry{}
	for _, e := range entries {
		o, ok := find(options, e.word.Text)
		if !ok {
			p.faultAt(e.word, e.word.Text, "unknown word; write one of %s", names(options))
			continue
		}
		if before, again := first[o.name]; again && !o.many {
			p.faultAt(e.word, o.name, "already said at %s; write it once", where(before.word))
			continue
		}
		if _, again := first[o.name]; !again {
			first[o.name] = e
		}
		p.option(o, e, under)
	}
}

// option reads one entry by its option.
func (p *parse) option(o option, e entry, under string) {
	v := &values{p: p, entry: e, path: join(under, o.jsonPath())}
	for _, a := range e.args {
		v.args = append(v.args, a.Text)
	}
	if o.own != nil {
		o.own(v)
		return
	}
	if e.late {
		v.fault("has an argument after its block; write `%s`", o.usage)
		return
	}
	if n := len(e.args); n < o.min || o.max >= 0 && n > o.max {
		v.fault("%s; write `%s`", countProblem(n, o.min, o.max), o.usage)
		return
	}
	if _, kept := p.source[v.path]; !kept {
		p.source[v.path] = where(e.word)
	}
	if o.set != nil {
		o.set(v)
	}
	p.optionBlock(o, v)
}

func (p *parse) optionBlock(o option, v *values) {
	blocks := v.entry.blocks
	if len(blocks) == 0 {
		if o.needsBlock {
			v.fault("needs a block; write `%s`", o.usage)
		}
		return
	}
	if o.block == nil || len(blocks) > 1 {
		v.fault("takes no block here; write `%s`", o.usage)
		return
	}
	if o.noBlock != nil {
		if problem := o.noBlock(v.args); problem != "" {
			v.fault("%s", problem)
			return
		}
	}
	if o.needsBlock && len(blocks[0].entries) == 0 {
		v.fault("its block is empty; write `%s`", o.usage)
		return
	}
	before := len(p.faults)
	p.block(blocks[0].entries, o.block, v.path)
	if o.gaps != nil {
		p.gaps(o.gaps, before)
	}
}

// gaps adds what a block lacks, but for options that it tells of already: one
// whose argument is missing is not missing itself.
func (p *parse) gaps(find func(*finder), before int) {
	f := &finder{source: p.source, brief: true}
	find(f)
	told := p.faults[before:]
	for _, fault := range f.faults {
		if !slices.ContainsFunc(told, func(t Fault) bool { return t.Path == fault.Path }) {
			p.faults = append(p.faults, fault)
		}
	}
}

func (o option) jsonPath() string {
	if o.path != "" {
		return o.path
	}
	return o.name
}

func countProblem(n, lo, hi int) string {
	switch {
	case n == 0:
		return "its argument is missing"
	case n < lo:
		return fmt.Sprintf("has %d argument%s and needs %d", n, plural(n), lo)
	case hi == 0:
		return "takes no argument"
	}
	return fmt.Sprintf("has %d arguments and takes %d at most", n, hi)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func find(options []option, name string) (option, bool) {
	for _, o := range options {
		if o.name == name {
			return o, true
		}
	}
	return option{}, false
}

func names(options []option) string {
	var list []string
	for _, o := range options {
		list = append(list, o.name)
	}
	return strings.Join(list, ", ")
}

func join(under, name string) string {
	if under == "" {
		return name
	}
	return under + "." + name
}
