package caddymodule

import (
	"bytes"
	"encoding/json"
)

// readExport reads what `account export` prints: {"accounts": [ … ]}. What an
// account has besides, such as its id and its times, is not taken over.
func readExport(text []byte) (file importFile) {
	d := json.NewDecoder(bytes.NewReader(text))
	at := lineCounter(text)
	line := func() int { return at(d.InputOffset()) }
	for _, want := range []json.Token{json.Delim('{'), "accounts", json.Delim('[')} {
		if got, err := d.Token(); err != nil || got != want {
			return file.unreadable(line(), `it does not begin with {"accounts": [`)
		}
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return file.unreadable(line(), "it is no JSON; nothing from here on can be read")
		}
		// An account is told by the line where it begins.
		file.exported(at(d.InputOffset()-int64(len(raw))), raw)
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if got, err := d.Token(); err != nil || got != want {
			return file.unreadable(line(), "it does not end with ]}")
		}
	}
	return file
}

func (f *importFile) exported(line int, raw json.RawMessage) {
	var v accountView
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields() // a misspelt one would be lost without a word
	if err := d.Decode(&v); err != nil {
		// Its text may quote a hash.
		f.fault(line, "it is not an account as `account export` prints them")
		return
	}
	f.accounts = append(f.accounts, importedAccount{
		Line: line, Name: v.Name, Email: v.Email, DisplayName: v.DisplayName, Groups: v.Groups,
		Provider: v.Provider, Disabled: v.Disabled, PasswordHash: v.PasswordHash,
	})
}

// lineCounter gives the number of the line of an offset; each is at or after
// the one before.
func lineCounter(text []byte) func(offset int64) int {
	line, counted := 1, int64(0)
	return func(offset int64) int {
		if offset > counted {
			line += bytes.Count(text[counted:offset], []byte("\n"))
			counted = offset
		}
		return line
	}
}
