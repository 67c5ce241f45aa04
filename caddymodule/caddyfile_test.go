package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the adapter gives into the golden files")

// rule is the line between a golden file's Caddyfile and what is to come of
// it: JSON, or the text of the error.
const rule = "----------\n"

// adapt gives the adapted JSON, or the error's text.
func adapt(caddyfile string) (result string, ok bool) {
	out, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		return err.Error() + "\n", false
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, out, "", "\t"); err != nil {
		return err.Error(), false
	}
	return strings.TrimSpace(indented.String()) + "\n", true
}

func goldens(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return files
}

// TestAdapt compares each golden file. Those that begin with `refuse_` are to
// give an error, all others JSON.
func TestAdapt(t *testing.T) {
	for _, file := range goldens(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".caddyfiletest")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, _ := strings.Cut(string(content), rule)
			got, ok := adapt(caddyfile)
			if refused := strings.HasPrefix(name, "refuse_"); refused == ok {
				t.Fatalf("adapted: %v, by the file's name it should be %v\n%s", ok, !refused, got)
			}
			if *update {
				if err := os.WriteFile(file, []byte(caddyfile+rule+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got (go test -run TestAdapt -update ./caddymodule writes it anew)\n%s", diff)
			}
		})
	}
}

// TestAdaptedSettingsAreReadBack: what the adapter writes is what the modules
// read, down to the last option.
func TestAdaptedSettingsAreReadBack(t *testing.T) {
	t.Parallel()
	var read int
	for _, file := range goldens(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, want, _ := strings.Cut(string(content), rule)
		var config struct {
			Apps struct {
				Sallyport json.RawMessage `json:"sallyport"`
			} `json:"apps"`
		}
		if json.Unmarshal([]byte(want), &config) != nil || config.Apps.Sallyport == nil {
			continue
		}
		read++
		var a App
		d := json.NewDecoder(bytes.NewReader(config.Apps.Sallyport))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		again, err := json.Marshal(&a)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain(t, config.Apps.Sallyport), plain(t, again)); diff != "" {
			t.Errorf("%s: -adapted +read\n%s", file, diff)
		}
	}
	if read < 10 {
		t.Errorf("only %d golden files have the app", read)
	}
}

func plain(t *testing.T, b []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// words lists a grammar's options with their blocks', as `sessions.tls.ca`.
func words(options []option, under string) []string {
	var list []string
	for _, o := range options {
		list = append(list, join(under, o.name))
		list = append(list, words(o.block, join(under, o.name))...)
	}
	return list
}

// grammar is every option that there is, from the parsers' own tables.
func grammar() []string {
	return slices.Concat(words(appOptions(new(App)), "app"), words(senderOptions(), "app.phone.sender"),
		words(guardOptions(new(Guard), nil), "guard"))
}

// TestEveryOptionIsInAGolden: each word stands in a golden file that adapts,
// and in one that is refused.
func TestEveryOptionIsInAGolden(t *testing.T) {
	t.Parallel()
	accepted, refused := map[string]bool{}, map[string]bool{}
	for _, file := range goldens(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		caddyfile, _, _ := strings.Cut(string(content), rule)
		seen := accepted
		if strings.HasPrefix(filepath.Base(file), "refuse_") {
			seen = refused
		}
		for line := range strings.Lines(caddyfile) {
			if fields := strings.Fields(line); len(fields) > 0 {
				seen[fields[0]] = true
				if fields[0] == "sender" && len(fields) > 1 {
					seen[fields[1]] = true // each is a grammar of its own
				}
			}
		}
	}
	for _, path := range grammar() {
		word := path[strings.LastIndexByte(path, '.')+1:]
		if !accepted[word] {
			t.Errorf("%s is in no golden file that adapts", path)
		}
		if !refused[word] {
			t.Errorf("%s is in no golden file that is refused", path)
		}
	}
}

// FuzzAdapt: whatever stands in our blocks, the adapter answers with JSON or
// an error and never panics (V8, CVE-2024-21493).
func FuzzAdapt(f *testing.F) {
	for _, file := range goldens(f) {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		caddyfile, _, _ := strings.Cut(string(content), rule)
		f.Add(caddyfile)
	}
	f.Add("{\n\tsallyport {\n\t\t{\n\t\t}\n\t}\n}\n:80 {\n\tsallyport {\n\t\trule {\n\t\t} {\n\t\t} {\n\t\t}\n\t}\n}\n")
	f.Fuzz(func(t *testing.T, caddyfile string) {
		if strings.Contains(caddyfile, "import") || strings.Contains(caddyfile, "file") {
			return // it would read files
		}
		result, ok := adapt(caddyfile)
		if !ok && strings.TrimSpace(result) == "" {
			t.Error("an error without a text")
		}
	})
}
