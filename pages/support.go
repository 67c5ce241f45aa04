package pages

import (
	"html"
	"html/template"
	"net/mail"
	"net/url"
	"strings"
)

// supportValue is how {support} is shown: an e-mail or web address as a link
// that hands on no referrer, words as they are.
func supportValue(l *language, support string) (rich, error) {
	link := func(address, text string) rich {
		return rich{
			html: template.HTML(`<a href="` + html.EscapeString(address) +
				`" rel="noreferrer" translate="no"><bdi>` + html.EscapeString(text) + `</bdi></a>`),
			text: text,
		}
	}
	if support == "" {
		text, err := l.plain("support.none", nil)
		return rich{html: template.HTML(html.EscapeString(text)), text: text}, err
	}
	if u, err := url.Parse(support); err == nil && u.Scheme == "https" && u.Host != "" {
		return link(support, strings.TrimSuffix(u.Host+u.EscapedPath(), "/")), nil
	}
	if a, err := mail.ParseAddress(support); err == nil && a.Name == "" && a.Address == support {
		return link((&url.URL{Scheme: "mailto", Opaque: url.PathEscape(support)}).String(), support), nil
	}
	return rich{html: template.HTML(isolate(support, true)), text: support}, nil
}
