package pages

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"net/url"
	"strings"
)

// groups splits a key in fours, so that it can be read and typed.
func groups(key string) []string {
	var out []string
	for key := []rune(key); len(key) > 0; {
		n := min(4, len(key))
		out, key = append(out, string(key[:n])), key[n:]
	}
	return out
}

// pngAddress is an image as a data address.
func pngAddress(data []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(data))
}

// otpauth lets an otpauth address through, which html/template does not know.
func otpauth(address string) (template.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "otpauth" {
		return "", fmt.Errorf("not an otpauth address")
	}
	return template.URL(u.String()), nil
}

// host is the host of an address, port included.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// least is the shortest password that a page accepts; 0 means 12.
func least(n int) int {
	if n > 0 {
		return n
	}
	return 12
}

// breakable is an e-mail address that a line breaks before its @, if at all.
func breakable(address string) rich {
	escaped := template.HTMLEscapeString(address)
	return rich{html: template.HTML(`<bdi>` + strings.ReplaceAll(escaped, "@", "<wbr>@") + `</bdi>`), text: address}
}

// port is this server's port in the ssh command.
func port(v Misdirected) int {
	if v.Port > 0 {
		return v.Port
	}
	return 8080
}

// server is the host without its port, for the ssh command.
func server(v Misdirected) string {
	u := url.URL{Host: v.Host}
	return u.Hostname()
}

// otherMethod is the address of the same page, asking for a code of that method.
func otherMethod(v Confirm, method string) string {
	q := url.Values{"method": {method}}
	if v.Flow != "" {
		q.Set("flow", v.Flow)
	}
	if v.Next != "" {
		q.Set("next", v.Next)
	}
	return v.Base + "/account/security/confirm?" + q.Encode()
}
