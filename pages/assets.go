package pages

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets/style.css assets/script.js assets/icon.svg assets/watch.js
var assetFiles embed.FS

// asset is one file, under a name that changes with its content.
type asset struct {
	body        []byte
	contentType string
}

// loadAssets returns the files by hashed name, and the hashed names by name.
func loadAssets() (files map[string]asset, names map[string]string, err error) {
	files, names = map[string]asset{}, map[string]string{}
	for name, contentType := range map[string]string{
		"style.css": "text/css; charset=utf-8",
		"script.js": "text/javascript; charset=utf-8",
		"icon.svg":  "image/svg+xml",
	} {
		body, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			return nil, nil, fmt.Errorf("reading asset: %w", err)
		}
		sum := sha256.Sum256(body)
		stem, ext, _ := strings.Cut(name, ".")
		hashed := stem + "." + hex.EncodeToString(sum[:6]) + "." + ext
		files[hashed] = asset{body, contentType}
		names[name] = hashed
	}
	return files, names, nil
}

// Assets serves the style sheet, the script and the icon by their hashed
// names, for a year. It looks at the last element of the path alone, so it can
// stand at any base. Anything else is 404.
func (s *Set) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := s.assets[path.Base(r.URL.Path)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", a.contentType)
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodHead {
			return
		}
		// A client that went away is no fault of ours.
		_, _ = w.Write(a.body)
	})
}

// AssetPath is the hashed name of style.css, script.js or icon.svg, to stand
// behind {base}/assets/. It is "" for any other name.
func (s *Set) AssetPath(name string) string { return s.assetNames[name] }
