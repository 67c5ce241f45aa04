package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
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
	pages     *template.Template
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
		s.languages[lang] = l
	}
	return s, nil
}

// parse reads all templates into one set: the layout and its parts are held,
// and made safe for their places, once for all pages.
func (l *language) parse() (*template.Template, error) {
	return template.New("pages").Funcs(l.funcs()).ParseFS(templateFiles, "templates/*.html")
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
	var buf bytes.Buffer
	if err := s.language(view.frame().Lang).pages.ExecuteTemplate(&buf, "layout", view); err != nil {
		return nil, fmt.Errorf("rendering page %s: %w", view.page(), err)
	}
	return buf.Bytes(), nil
}

// content is what the layout surrounds. html/template has made it safe, since a
// page's template begins and ends where text stands.
func (l *language) content(v View) (template.HTML, error) {
	return l.part(v.page()+".main", v)
}

// back is the link above the page's heading; most pages have none.
func (l *language) back(v View) (template.HTML, error) {
	name := v.page() + ".back"
	if l.pages.Lookup(name) == nil {
		return "", nil
	}
	return l.part(name, v)
}

func (l *language) part(name string, v View) (template.HTML, error) {
	var html strings.Builder
	err := l.pages.ExecuteTemplate(&html, name, v)
	return template.HTML(html.String()), err
}
