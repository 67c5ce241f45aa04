package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminPath is where operators' calls arrive at Caddy's admin endpoint.
const adminPath = "/sallyport/"

// Bounds of one call, in bytes. It is read before its signature can be checked,
// which covers all of it; but who reaches this endpoint could as well load a
// configuration, for which Caddy has no bound.
const (
	maxAdminBody  = 1 << 20
	maxImportBody = 16 << 20
)

// maxBody is the bound of the call with this name.
func maxBody(call string) int64 {
	if call == callImport {
		return maxImportBody
	}
	return maxAdminBody
}

// adminAPI answers `sallyport account …` and the other commands. Caddy makes
// one for each configuration, with or without our app; what it needs of the
// app it finds when a call arrives.
type adminAPI struct {
	seen *replays
	now  func() time.Time
}

// seenCalls outlives configurations: a reload must not make an old call new.
var seenCalls = newReplays()

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.sallyport",
		New: func() caddy.Module { return &adminAPI{seen: seenCalls, now: time.Now} },
	}
}

// Routes implements caddy.AdminRouter.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminPath, Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// serve writes the answer or the problem itself: Caddy's own errors have
// another form.
func (a *adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	app, call, body, err := a.accept(w, r)
	if err != nil {
		problemOf(err).write(w)
		return nil
	}
	if list, ok := adminLists[call]; ok {
		app.list(w, r, list, call, body, a.now())
		return nil
	}
	answer, err := app.operate(r.Context(), call, body, a.now())
	if err != nil {
		problemOf(err).write(w)
		return nil
	}
	return writeJSON(w, http.StatusOK, "application/json", answer)
}

// accept checks who calls, in the order of what costs least, and returns the
// call's name and body.
func (a *adminAPI) accept(w http.ResponseWriter, r *http.Request) (app *App, call string, body []byte, err error) {
	// A browser always names where a POST comes from, and a command never
	// does (SECURITY T18; CVE-2026-27589 was a page that wrote Caddy's
	// configuration).
	if len(r.Header.Values("Origin")) > 0 || r.Header.Get("Sec-Fetch-Site") != "" {
		return nil, "", nil, refuse(http.StatusForbidden, "no browser may call this")
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, "", nil, refuse(http.StatusMethodNotAllowed, "calls are POSTs")
	}
	app = started.current()
	if app == nil {
		return nil, "", nil, &problem{Status: http.StatusNotFound, Code: codeNoApp, Detail: "the running configuration has no sallyport"}
	}
	keys := app.engine.keys.Load()
	if keys == nil || !app.engine.ready.Load() {
		return nil, "", nil, errAdminNotReady
	}
	call = strings.TrimPrefix(r.URL.Path, adminPath)
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody(call)))
	if err != nil {
		return nil, "", nil, bodyProblem(err)
	}
	if err := verifyAdmin(keys.ring, a.seen, r, body, a.now()); err != nil {
		app.log.Warn("an admin call was refused", "error", err.Error(), "path", r.URL.Path)
		return nil, "", nil, err
	}
	return app, call, body, nil
}

func bodyProblem(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return refuse(http.StatusRequestEntityTooLarge, "this call holds at most %d MiB", large.Limit>>20)
	}
	return refuse(http.StatusBadRequest, "the call did not arrive as a whole")
}

// startedApps knows which app is in force. While a reload is under way there
// are two: the newer one counts, and when it is given up the older one again.
type startedApps struct {
	mu   sync.Mutex
	apps []*App
}

var started startedApps

// add is the last thing of an app's Start; its Cleanup removes it again,
// before it lets go of the engine.
func (s *startedApps) add(a *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps = append(s.apps, a)
	a.release = slices.Insert(a.release, 0, func() error { s.remove(a); return nil })
}

func (s *startedApps) remove(a *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps = slices.DeleteFunc(s.apps, func(other *App) bool { return other == a })
}

func (s *startedApps) current() *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.apps) == 0 {
		return nil
	}
	return s.apps[len(s.apps)-1]
}

// measures reports whether an app in force has a provider of that name, beside
// those that are given up, in the same engine's metrics.
func (s *startedApps) measures(givenUp *providers, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.apps, func(a *App) bool {
		return a.providers != nil && a.providers != givenUp && a.engine == givenUp.engine && a.providers.byName[name] != nil
	})
}

var (
	_ caddy.Module      = (*adminAPI)(nil)
	_ caddy.AdminRouter = (*adminAPI)(nil)
)
