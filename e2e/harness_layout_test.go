package e2e

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The assertions that look at how a page is laid out, and go through it by keys.

// checkWidth is A3.
func checkWidth(p *lookedAt) {
	if wide := Eval[int64](p.b, "document.documentElement.scrollWidth"); wide > p.width {
		p.fault("%d px wide at %d px", wide, p.width)
	}
}

// spacing is what WCAG 1.4.12 lets people set, as a sheet that the page's policy
// has no say in.
const spacing = `(() => { const s = new CSSStyleSheet();
	s.replaceSync('* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-bottom: 2em !important }');
	document.adoptedStyleSheets = [s]; return ''; })()`

// checkSpacing is the other half of A3.
func checkSpacing(p *lookedAt) {
	p.b.View(320, "light")
	p.b.eval(spacing)
	defer p.b.eval("document.adoptedStyleSheets = []")
	if wide := Eval[int64](p.b, "document.documentElement.scrollWidth"); wide > 320 {
		p.fault("%d px wide at 320 px", wide)
	}
}

// stops are what Tab should reach, in the order of the page: of the radios of a
// question one.
const stops = `[...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')].filter(e =>
	e.checkVisibility() && e.type !== 'hidden' && !(e.type === 'radio' &&
		e !== (document.querySelector('input[name="' + e.name + '"]:checked') || document.querySelector('input[name="' + e.name + '"]'))))`

// focusShown tells how the focus shows: the outline's width, and its contrast with
// what is behind it.
const focusShown = `(e => {
	const s = getComputedStyle(e), light = c => { const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
	let behind = e.parentElement;
	while (behind && /rgba\(.*, 0\)|transparent/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
	const a = light(s.outlineColor), b = light(behind ? getComputedStyle(behind).backgroundColor : 'rgb(255, 255, 255)');
	return {Width: s.outlineStyle === 'none' ? 0 : parseFloat(s.outlineWidth), Contrast: (Math.max(a, b) + .05) / (Math.min(a, b) + .05)};
})(document.activeElement)`

// checkKeyboard is A6: Tab from the first to the last.
func checkKeyboard(p *lookedAt) {
	p.b.View(1280, "light")
	const number = "(s => s.indexOf(document.activeElement))(" + stops + ")"
	n := Eval[int](p.b, stops+".length")
	if n == 0 {
		p.fault("nothing to reach")
		return
	}
	defer p.b.eval("document.activeElement.blur()")
	p.b.eval("(s => { s[0].focus(); })(" + stops + ")")
	for i := range n {
		if i > 0 {
			p.b.Keys(kb.Tab)
		}
		if at := Eval[int](p.b, number); at != i {
			p.fault("press %d leads to %d (%s), want %s", i, at, p.b.eval("document.activeElement.outerHTML.slice(0, 120)"),
				p.b.eval(fmt.Sprintf("%s[%d].outerHTML.slice(0, 120)", stops, i)))
			return
		}
		if i == 0 {
			continue // given by a script: not shown as by a key
		}
		how := Eval[struct{ Width, Contrast float64 }](p.b, focusShown)
		if how.Width < 2 || how.Contrast < 3 {
			p.fault("the focus is hard to see: %.1f px, contrast %.1f, on %s", how.Width, how.Contrast, p.b.eval("document.activeElement.outerHTML.slice(0, 120)"))
		}
	}
}

// checkForcedColours is A12: a person's own colours take ours away.
func checkForcedColours(p *lookedAt) {
	ctx, cancel := p.b.within()
	defer cancel()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if p.b.eval("matchMedia('(forced-colors: active)').matches") != "true" {
		p.fault("the browser has no forced colours")
	}
	bare := Eval[[]string](p.b, `[...document.querySelectorAll('button, input:not([type=hidden]), a.main, a.second')].filter(e => e.checkVisibility()).filter(e => {
		const s = getComputedStyle(e); return !['checkbox', 'radio'].includes(e.type) && (s.borderTopStyle === 'none' || parseFloat(s.borderTopWidth) < 1);
	}).map(e => e.outerHTML.slice(0, 120))`)
	if len(bare) > 0 {
		p.fault("without a border: %s", strings.Join(slices.Compact(bare), " | "))
	}
}
