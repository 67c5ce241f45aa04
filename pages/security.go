package pages

import "html/template"

// unseen is text that is heard and not seen: it tells buttons apart that show
// the same word.
func unseen(text string) rich {
	return rich{html: template.HTML(`<span class="vh">` + isolate(text, true) + `</span>`), text: text}
}

// methodName is what tells a method from the others of the page. Two that are
// called the same are told apart by when they were added.
func (l *language) methodName(all []Method, i int) (string, error) {
	name, err := l.ownName(all[i])
	if err != nil {
		return "", err
	}
	for j, other := range all {
		if j == i {
			continue
		}
		if same, err := l.ownName(other); err != nil || same == name {
			return l.plain("security.name.added", Args{"name": name, "when": all[i].Added})
		}
	}
	return name, nil
}

// ownName is what the owner calls a method, or what it is.
func (l *language) ownName(m Method) (string, error) {
	switch {
	case m.Kind == MethodPhone:
		return l.plain("security.name.phone", nil)
	case m.Name != "":
		return m.Name, nil
	}
	return l.plain("security.name.app", nil)
}

// browserName is a browser in words.
func (l *language) browserName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	return l.plain("browser.none", nil)
}

// networkName is a network in words.
func (l *language) networkName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	return l.plain("network.none", nil)
}

// sessionName and trustName tell the rows of their lists apart.
func (l *language) sessionName(s OpenSession) (string, error) {
	browser, err := l.browserName(s.Browser)
	if err != nil {
		return "", err
	}
	return l.plain("security.name.session", Args{"browser": browser, "when": s.Began})
}

func (l *language) trustName(b TrustedBrowser) (string, error) {
	browser, err := l.browserName(b.Browser)
	if err != nil {
		return "", err
	}
	return l.plain("security.name.trust", Args{"browser": browser, "when": b.Since})
}

// keyName tells a key from the others. Two that are called the same are told
// apart by when they were made.
func (l *language) keyName(all []APIKey, i int) (string, error) {
	for j, other := range all {
		if j != i && other.Name == all[i].Name {
			return l.plain("security.name.added", Args{"name": all[i].Name, "when": all[i].Made})
		}
	}
	return all[i].Name, nil
}

// activity is what happened, in one sentence.
func (l *language) activity(a Activity) (template.HTML, error) {
	return l.sentence(l.about("activity."+a.Kind, a.Method), nil)
}

// activityWhere is when and from where, as far as it is known, or that it was
// support.
func (l *language) activityWhere(a Activity) (template.HTML, error) {
	switch {
	case a.Support:
		return l.sentence("activity.support", Args{"when": a.When})
	case a.Browser == "" && a.Network == "":
		return l.sentence("activity.when", Args{"when": a.When})
	}
	browser, err := l.browserName(a.Browser)
	if err != nil {
		return "", err
	}
	network, err := l.networkName(a.Network)
	if err != nil {
		return "", err
	}
	return l.sentence("activity.where", Args{"when": a.When, "browser": browser, "network": network})
}

// about is the key of a sentence about one method, where there is one, or else
// that for all methods.
func (l *language) about(key, method string) string {
	if method == "" || !l.catalogue.has(key+"."+method) {
		return key
	}
	return key + "." + method
}
