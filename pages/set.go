package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Brand is what an operator calls the service.
type Brand struct {
	// Name is the service's name; "" is "Sallyport".
	Name string
	// Support is an e-mail address, an https address or words; "" is "your
	// administrator".
	Support string
}

// Set holds every page, parsed. It is safe for use by many goroutines.
type Set struct {
	brand      Brand
	languages  map[string]*language
	assets     map[string]asset
	assetNames map[string]string
}

// language is one catalogue and all pages with its sentences bound in.
type language struct {
	set       *Set
	catalogue *catalogue
	support   rich
	pages     map[string]*template.Template
	watch     script
}

// New parses all templates and catalogues.
func New(brand Brand) (*Set, error) {
	if brand.Name == "" {
		brand.Name = "Sallyport"
	}
	s := &Set{brand: brand, languages: map[string]*language{}}
	var err error
	if s.assets, s.assetNames, err = loadAssets(); err != nil {
		return nil, err
	}
	catalogues, err := loadCatalogues()
	if err != nil {
		return nil, err
	}
	for lang, c := range catalogues {
		l := &language{set: s, catalogue: c}
		if l.support, err = supportValue(l, brand.Support); err != nil {
			return nil, err
		}
		if err := l.checkMessages(); err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", lang, err)
		}
		if l.pages, err = l.parse(); err != nil {
			return nil, fmt.Errorf("pages in %s: %w", lang, err)
		}
		if l.watch, err = l.watchScript(); err != nil {
			return nil, fmt.Errorf("watch.js in %s: %w", lang, err)
		}
		if err := l.checkMail(); err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", lang, err)
		}
		s.languages[lang] = l
	}
	return s, nil
}

// sharedTemplates are what pages are made of; every other file is a page.
var sharedTemplates = []string{"layout", "parts", "lists", "keys"}

// parse reads the shared templates once, and each page on top of a copy.
func (l *language) parse() (map[string]*template.Template, error) {
	shared := template.New("shared").Funcs(l.funcs())
	for _, name := range sharedTemplates {
		if _, err := shared.ParseFS(templateFiles, "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("parsing shared templates: %w", err)
		}
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("listing templates: %w", err)
	}
	pages := make(map[string]*template.Template, len(names))
	for _, name := range names {
		page := strings.TrimSuffix(path.Base(name), ".html")
		if slices.Contains(sharedTemplates, page) {
			continue
		}
		t, err := shared.Clone()
		if err != nil {
			return nil, fmt.Errorf("copying shared templates: %w", err)
		}
		if pages[page], err = t.ParseFS(templateFiles, name); err != nil {
			return nil, fmt.Errorf("parsing page %s: %w", page, err)
		}
	}
	return pages, nil
}

// Write renders the view in its language and sends it with the headers of
// every page. When rendering fails nothing is sent, no header is set, and the
// error says why.
func (s *Set) Write(w http.ResponseWriter, status int, view View) error {
	body, err := s.render(view)
	if err != nil {
		return err
	}
	csp, err := contentSecurityPolicy(view)
	if err != nil {
		return fmt.Errorf("page %s: %w", view.page(), err)
	}
	setHeaders(w.Header(), view, csp)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// A client that went away is no fault of ours.
	_, _ = w.Write(body)
	return nil
}

// render is the whole page, or an error.
func (s *Set) render(view View) ([]byte, error) {
	t, ok := s.language(view.frame().Lang).pages[view.page()]
	if !ok {
		return nil, fmt.Errorf("no template for page %s", view.page())
	}
	var buf bytes.Buffer
	if err := t.ExecuteTemplate(&buf, "layout", view); err != nil {
		return nil, fmt.Errorf("rendering page %s: %w", view.page(), err)
	}
	return buf.Bytes(), nil
}
