package pages

import (
	"errors"
	"html/template"
	"net/url"
	"strings"
	"time"
)

// funcs are what templates may call.
func (l *language) funcs() template.FuncMap {
	return template.FuncMap{
		"lang":    func() string { return l.catalogue.lang },
		"dir":     func() string { return direction(l.catalogue.lang) },
		"service": func() string { return l.set.brand.Name },
		"asset":   l.set.AssetPath,
		// What differs between pages.
		"content":   l.content,
		"back":      l.back,
		"wide":      wide,
		"bare":      bare,
		"external":  func(v View) bool { return !local(v) },
		"sensitive": sensitive,
		// Sentences.
		"t":       func(key string, kv ...any) (template.HTML, error) { return l.sentence(key, pairs(kv)) },
		"plain":   func(key string, kv ...any) (string, error) { return l.plain(key, pairs(kv)) },
		"wait":    func(d time.Duration) countdown { return countdown(d) },
		"heading": l.heading,
		"org":     func(name string) (rich, error) { return l.org(name, "org.none") },
		"Org":     func(name string) (rich, error) { return l.org(name, "org.none.first") },
		"title":   l.title,
		"notice":  func(n Notice) (template.HTML, error) { return l.sentence(n.Key, n.Args) },
		// Addresses.
		"href":  href,
		"to":    to,
		"first": first,
		"other": otherMethod,
		"asks":  l.asks,
		"by":    func(v VerifyPhone) string { return v.lastBy() },
		"host":  host,
		"safe":  safe,
		"leave": leaves,
		// Account security.
		"unseen":      unseen,
		"methodName":  l.methodName,
		"sessionName": l.sessionName,
		"trustName":   l.trustName,
		"keyName":     l.keyName,
		"listed":      func(words []string) string { return strings.Join(words, ", ") },
		"browser":     l.browserName,
		"network":     l.networkName,
		"activity":    l.activity,
		"where":       l.activityWhere,
		// Controls and their problems.
		"problems": l.problems,
		"attrs":    attrs,
		// Content.
		"groups":    groups,
		"breakable": breakable,
		"channels":  channels,
		"minutes":   minutes,
		"png":       pngAddress,
		"otpauth":   otpauth,
		"least":     least,
		"port":      port,
		"server":    server,
	}
}

// pairs turns name, value, name, value into Args.
func pairs(kv []any) Args {
	args := Args{}
	for i := 0; i+1 < len(kv); i += 2 {
		name, _ := kv[i].(string)
		args[name] = kv[i+1]
	}
	return args
}

// varied is a view with one heading per kind.
type varied interface{ variant() string }

func (v Limited) variant() string     { return v.Kind }
func (v Misdirected) variant() string { return v.Kind }
func (v Failure) variant() string     { return v.Kind }

func (v RemoveMethod) variant() string { return v.Method.variant() }
func (v RenameMethod) variant() string { return v.Method.variant() }

func (v SetUpChoose) variant() string {
	switch {
	case v.Old != nil:
		return "replace"
	case v.Another:
		return "another"
	}
	return "first"
}

func (m Method) variant() string {
	if m.Kind == MethodPhone {
		return MethodPhone
	}
	return MethodApp
}

// titled is a view with values in its heading.
type titled interface {
	headingArgs(*language) (Args, error)
}

// heading names the page: its h1 and the first part of its title.
func (l *language) heading(v View) (string, error) {
	key := v.page()
	if k, ok := v.(varied); ok {
		key += "." + k.variant()
	}
	var args Args
	if n, ok := v.(titled); ok {
		var err error
		if args, err = n.headingArgs(l); err != nil {
			return "", err
		}
	}
	return l.plain(key+".title", args)
}

// title begins "Error: " exactly when the page shows problems.
func (l *language) title(v View) (string, error) {
	page, err := l.heading(v)
	if err != nil {
		return "", err
	}
	key := "title"
	if len(v.frame().Problems) > 0 {
		key = "title.error"
	}
	return l.plain(key, Args{"page": page})
}

// href is an address of the portal.
func href(v View, path string) string { return v.frame().Base + path }

// to is the address of another step of the same flow.
func to(v View, path string) string {
	f := v.frame()
	if f.Flow != "" {
		path += "?flow=" + url.QueryEscape(f.Flow)
	}
	return f.Base + path
}

// first is the first address that is not empty.
func first(address, instead string) string {
	if address != "" {
		return address
	}
	return instead
}

// safe refuses an address that would run as a script.
func safe(address string) (string, error) {
	address, ok := safeAddress(address)
	if !ok {
		return "", errors.New("not an address to lead to")
	}
	return address, nil
}

// local says that the page is on the portal's own host, so that it may post.
func local(v View) bool {
	base := v.frame().Base
	return base == "" || strings.HasPrefix(base, "/") && !strings.HasPrefix(base, "//")
}

// wide is a page of lists.
func wide(v View) bool {
	switch v.page() {
	case "help", "home", "security":
		return true
	}
	return false
}

// bare is a page that holds nothing but its message, because its links would
// lead nowhere (or, in a frame, to where they should not).
func bare(v View) bool {
	switch v.page() {
	case "framed", "misdirected", "unavailable":
		return true
	}
	return false
}

// sensitive is a page that the Back button must not bring back from memory.
func sensitive(v View) bool {
	switch v.page() {
	case "setup", "setupapp", "setupphone", "confirmphone", "codes", "confirm", "ssoconfirm", "recoversent", "newpassword", "notme":
		return true
	}
	return v.frame().Account != ""
}
