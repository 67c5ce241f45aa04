package pages

import (
	"bytes"
	"compress/gzip"
	"math"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func gzipped(t *testing.T, data []byte) int {
	t.Helper()
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Len()
}

// The budget of a first visit; a gateway stands before everything else.
func TestAssetsStayWithinBudget(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	for name, most := range map[string]struct{ raw, gzip int }{
		"style.css": {10 << 10, 3584}, "script.js": {5 << 10, 3 << 10}, "icon.svg": {1 << 10, 512},
	} {
		body := s.assets[s.AssetPath(name)].body
		if z := gzipped(t, body); len(body) > most.raw || z > most.gzip || len(body) == 0 {
			t.Errorf("%s: %d bytes, %d compressed; at most %d and %d", name, len(body), z, most.raw, most.gzip)
		}
	}
	each(t, lifelike, func(t *testing.T, _ *Set, _ View, page string) {
		if z := gzipped(t, []byte(page)); z > 8<<10 {
			t.Errorf("%d bytes compressed, at most 8 KiB", z)
		}
	})
}

func TestAssetsAreServedForAYear(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	get := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.Assets().ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	for _, name := range []string{"style.css", "script.js", "icon.svg"} {
		w := get("GET", "/sallyport/assets/"+s.AssetPath(name))
		if w.Code != 200 || w.Body.Len() == 0 || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	if w := get("GET", "/assets/style.css"); w.Code != 404 {
		t.Errorf("a name without hash: %d, want 404", w.Code)
	}
	if w := get("POST", "/assets/"+s.AssetPath("style.css")); w.Code != 405 {
		t.Errorf("POST: %d, want 405", w.Code)
	}
}

// tokens are the colours of one scheme.
func tokens(css string) map[string]string {
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
		found[m[1]] = m[2]
	}
	return found
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func TestColoursHaveContrast(t *testing.T) {
	t.Parallel()
	data, err := assetFiles.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, _ := strings.Cut(string(data), "@media (prefers-color-scheme: dark)")
	dark, _, _ := strings.Cut(rest, "@media")
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		colours := tokens(css)
		if len(colours) != 19 {
			t.Errorf("%s: %d tokens, want 19", scheme, len(colours))
		}
		check := func(least float64, front string, backs ...string) {
			for _, back := range backs {
				a, b := luminance(t, colours[front]), luminance(t, colours[back])
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < least {
					t.Errorf("%s: %s on %s is %.2f, want %.1f", scheme, front, back, ratio, least)
				}
			}
		}
		check(4.5, "ink", "page", "card", "error-tint", "ok-tint", "warn-tint", "info-tint")
		check(4.5, "muted", "page", "card")
		check(4.5, "link", "page", "card", "ok-tint", "warn-tint", "info-tint")
		check(4.5, "error", "card", "error-tint")
		check(4.5, "on-gate", "gate")
		check(4.5, "on-button", "button")
		check(4.5, "card", "error")
		check(3, "line", "card", "page")
		check(3, "button", "card")
		check(3, "focus", "page", "card", "error-tint")
		check(3, "ok", "ok-tint", "card")
		check(3, "warn", "warn-tint", "card")
	}
}

func TestBackupCodesFileMatchesThePage(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	got, err := s.BackupCodesText(BackupCodes{Codes: []string{"7KQ2M-9XD4T", "3HV8N-W2RZC"}, Owner: "ann\r\nAAAAA-AAAAA", Made: at})
	if err != nil {
		t.Fatal(err)
	}
	want := "Example portal backup codes for ann AAAAA-AAAAA\r\nMade on 4 March 2026. Each code works once.\r\n\r\n7KQ2M-9XD4T\r\n3HV8N-W2RZC\r\n"
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if name := s.BackupCodesFile(); name != "example-portal-backup-codes.txt" {
		t.Errorf("file name %q", name)
	}
}
