package caddymodule

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// csvColumns are the columns that a CSV file may have; only name is needed.
var csvColumns = []string{"name", "email", "display_name", "groups", "provider", "password_hash"}

// readCSV reads RFC 4180 with a line of columns' names.
func readCSV(text []byte) (accounts []importedAccount, faults []lineFault) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	head, err := r.Read()
	if err != nil {
		return nil, []lineFault{{1, "the first line names the columns: " + strings.Join(csvColumns, ",")}}
	}
	if fault := csvHeadFault(head); fault != "" {
		return nil, []lineFault{{1, fault}}
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return accounts, faults
		}
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax) && errors.Is(err, csv.ErrFieldCount):
			faults = append(faults, lineFault{syntax.Line, "it has more or fewer fields than the first line"})
			continue
		case errors.As(err, &syntax): // where the next line begins is unknown
			return nil, append(faults, lineFault{syntax.Line, syntax.Err.Error()})
		case err != nil:
			return nil, append(faults, lineFault{0, err.Error()})
		}
		line, _ := r.FieldPos(0)
		accounts = append(accounts, csvAccount(head, record, line))
	}
}

func csvHeadFault(head []string) string {
	for i, column := range head {
		if !slices.Contains(csvColumns, column) {
			return "there is no column " + column + "; the columns are: " + strings.Join(csvColumns, ",")
		}
		if slices.Contains(head[:i], column) {
			return "the column " + column + " is there twice"
		}
	}
	if !slices.Contains(head, "name") {
		return "the column name is missing"
	}
	return ""
}

func csvAccount(head, record []string, line int) importedAccount {
	a := importedAccount{Line: line}
	for i, column := range head {
		value := strings.TrimSpace(record[i])
		switch column {
		case "name":
			a.Name = value
		case "email":
			a.Email = value
		case "display_name":
			a.DisplayName = value
		case "groups":
			for g := range strings.SplitSeq(value, ";") {
				if g = strings.TrimSpace(g); g != "" {
					a.Groups = append(a.Groups, g)
				}
			}
		case "provider":
			a.Provider = value
		case "password_hash":
			a.PasswordHash = value
		}
	}
	return a
}

// readHtpasswd reads `name:hash` lines; what follows a third colon is a
// comment of Apache's.
func readHtpasswd(text []byte) (accounts []importedAccount, faults []lineFault) {
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, found := strings.Cut(line, ":")
		if !found {
			faults = append(faults, lineFault{number, "it is not name:hash"})
			continue
		}
		hash, _, _ = strings.Cut(hash, ":")
		accounts = append(accounts, importedAccount{Line: number, Name: name, PasswordHash: hash})
	}
	return accounts, faults
}

// autheliaUser is what we take over of a user; Authelia's other attributes
// have no place here.
type autheliaUser struct {
	Disabled    bool     `yaml:"disabled"`
	DisplayName string   `yaml:"displayname"`
	Password    string   `yaml:"password"`
	Email       string   `yaml:"email"`
	Groups      []string `yaml:"groups"`
}

// readAuthelia reads the users file of Authelia's file backend.
func readAuthelia(text []byte) (accounts []importedAccount, faults []lineFault) {
	var file struct {
		Users yaml.Node `yaml:"users"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, []lineFault{{yamlLine(err), "the file is no YAML"}}
	}
	if file.Users.Kind != yaml.MappingNode {
		return nil, []lineFault{{max(1, file.Users.Line), "there is no `users:` with users below"}}
	}
	for i := 0; i+1 < len(file.Users.Content); i += 2 {
		key, value := file.Users.Content[i], file.Users.Content[i+1]
		var u autheliaUser
		if err := value.Decode(&u); err != nil {
			faults = append(faults, lineFault{key.Line, "this user's values are not those of an Authelia user"})
			continue
		}
		accounts = append(accounts, importedAccount{
			Line: key.Line, Name: key.Value, Email: u.Email, DisplayName: u.DisplayName,
			Groups: u.Groups, PasswordHash: u.Password, Disabled: u.Disabled,
		})
	}
	return accounts, faults
}

// yamlLine takes the line out of the library's text, and not what it quotes
// of the file, which is hashes.
func yamlLine(err error) int {
	_, rest, found := strings.Cut(err.Error(), "line ")
	n := 0
	for _, c := range rest {
		if !found || c < '0' || c > '9' || n > maxAdminBody {
			break
		}
		n = n*10 + int(c-'0')
	}
	return max(1, n)
}
