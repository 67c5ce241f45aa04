package caddymodule

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// errNoResponse: what was given holds no response in any form that is known.
var errNoResponse = errors.New("there is no SAML response in it: give the XML, its base64, the form's body with SAMLResponse=…, or a HAR file or cURL command with it")

// samlField finds a SAMLResponse in a text that somebody copied, and gives it
// as base64, as a form has it. several: there were others before it.
func samlField(text []byte) (field string, several bool, err error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if bytes.HasPrefix(text, []byte("<")) {
		return base64.StdEncoding.EncodeToString(text), false, nil
	}
	var found []string
	if bytes.HasPrefix(text, []byte("{")) {
		var har any
		if json.Unmarshal(text, &har) != nil {
			return "", false, errNoResponse
		}
		found = inJSON(har)
	} else {
		found = inForms(string(text))
	}
	if len(found) > 0 {
		return found[len(found)-1], distinct(found) > 1, nil
	}
	if len(text) > 0 && onlyBase64.Match(text) {
		return plainBase64(string(text)), false, nil
	}
	return "", false, errNoResponse
}

// plainBase64 takes off what a form or a mail puts around base64.
func plainBase64(text string) string {
	if strings.Contains(text, "%") {
		if decoded, err := url.QueryUnescape(text); err == nil {
			text = strings.ReplaceAll(decoded, " ", "+") // one that nobody escaped
		}
	}
	return strings.Join(strings.Fields(text), "")
}

var (
	onlyBase64 = regexp.MustCompile(`^[A-Za-z0-9+/=%\r\n\t ]+$`)
	formField  = regexp.MustCompile(`(?:^|[^A-Za-z0-9_])SAMLResponse=([A-Za-z0-9+/=%._~*-]+)`)
)

// inForms finds the field in a form's body, wherever that stands: alone, or
// in the command line of cURL.
func inForms(text string) (found []string) {
	for _, m := range formField.FindAllStringSubmatch(text, -1) {
		if value, err := url.QueryUnescape(m[1]); err == nil {
			// A "+" that nobody escaped was one.
			found = append(found, strings.ReplaceAll(value, " ", "+"))
		}
	}
	return found
}

// inJSON finds it in a HAR file (HTTP Archive 1.2): among the parameters of a
// request, or else in its text. The depth of v is bounded by encoding/json.
func inJSON(v any) (found []string) {
	switch t := v.(type) {
	case []any:
		for _, one := range t {
			found = append(found, inJSON(one)...)
		}
	case map[string]any:
		if params, ok := t["params"].([]any); ok {
			if found = inParams(params); len(found) > 0 {
				return found
			}
		}
		if form, ok := t["text"].(string); ok {
			found = append(found, inForms(form)...)
		}
		if log, ok := t["log"]; ok {
			return append(found, inJSON(log)...)
		}
		for _, key := range []string{"entries", "request", "postData"} { // in this order, and not a map's
			if one, ok := t[key]; ok {
				found = append(found, inJSON(one)...)
			}
		}
	}
	return found
}

func inParams(params []any) (found []string) {
	for _, p := range params {
		pair, _ := p.(map[string]any)
		value, ok := pair["value"].(string)
		if pair["name"] != "SAMLResponse" || !ok {
			continue
		}
		// Browsers differ in whether they write it as it was sent.
		if strings.Contains(value, "%") {
			if decoded, err := url.QueryUnescape(value); err == nil {
				value = decoded
			}
		}
		found = append(found, strings.ReplaceAll(value, " ", "+"))
	}
	return found
}

func distinct(list []string) int {
	seen := map[string]bool{}
	for _, one := range list {
		seen[one] = true
	}
	return len(seen)
}
