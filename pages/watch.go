package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// script is watch.js in one language.
type script struct {
	body []byte
	etag string
}

// wordsMark is where watch.js takes its words.
const wordsMark = "/* words */ {}"

// watchScript puts the language's words into watch.js.
func (l *language) watchScript() (script, error) {
	source, err := assetFiles.ReadFile("assets/watch.js")
	if err != nil {
		return script{}, fmt.Errorf("reading asset: %w", err)
	}
	if bytes.Count(source, []byte(wordsMark)) != 1 {
		return script{}, fmt.Errorf("no single %s", wordsMark)
	}
	words := map[string]string{"lang": l.catalogue.lang, "dir": direction(l.catalogue.lang)}
	for name, key := range map[string]string{
		"label": "watch.label", "text": "watch.text", "signIn": "watch.signin", "dismiss": "watch.dismiss",
	} {
		if words[name], err = l.plain(key, nil); err != nil {
			return script{}, err
		}
	}
	text, err := json.Marshal(words)
	if err != nil {
		return script{}, err
	}
	body := bytes.Replace(source, []byte(wordsMark), text, 1)
	sum := sha256.Sum256(body)
	return script{body, `"` + hex.EncodeToString(sum[:8]) + `"`}, nil
}

// WatchScript serves the script that an app's pages include to notice that the
// session ended, with words in the language wanted. It keeps one address for
// ever, so browsers ask for it again after five minutes. Pages of other
// origins cannot load it.
func (s *Set) WatchScript(lang string) http.Handler {
	watch := s.language(lang).watch
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			h.Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("ETag", watch.etag)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(watch.body))
	})
}
