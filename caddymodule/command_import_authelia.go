package caddymodule

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// autheliaUser is what we take over of a user; Authelia's other attributes
// (given_name, phone_number, address …) have no place here.
type autheliaUser struct {
	Disabled    bool     `yaml:"disabled"`
	DisplayName string   `yaml:"displayname"`
	Password    string   `yaml:"password"`
	Email       string   `yaml:"email"`
	Groups      []string `yaml:"groups"`
}

// readAuthelia reads the users file of Authelia's file backend.
func readAuthelia(text []byte) (file importFile) {
	var document struct {
		Users yaml.Node `yaml:"users"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return file.unreadable(yamlLine(err), "the file is no YAML")
	}
	if document.Users.Kind != yaml.MappingNode {
		return file.unreadable(max(1, document.Users.Line), "there is no `users:` with users below")
	}
	users := document.Users.Content
	for i := 0; i+1 < len(users); i += 2 {
		key, value := users[i], users[i+1]
		if aliased(value) {
			file.fault(key.Line, "it has a YAML alias (*name or <<): write its values out")
			continue
		}
		var u autheliaUser
		if err := value.Decode(&u); err != nil {
			file.fault(key.Line, "this user's values are not those of an Authelia user")
			continue
		}
		file.accounts = append(file.accounts, importedAccount{
			Line: key.Line, Name: key.Value, Email: u.Email, DisplayName: u.DisplayName,
			Groups: u.Groups, PasswordHash: u.Password, Disabled: u.Disabled,
		})
	}
	return file
}

// aliased reports whether a value refers to another one. Such a file of a few
// megabytes can be many gigabytes when it is read.
func aliased(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, aliased)
}

// yamlLine takes the line out of the library's text, and not what it quotes
// of the file, which is hashes.
func yamlLine(err error) int {
	_, rest, found := strings.Cut(err.Error(), "line ")
	n := 0
	for _, c := range rest {
		if !found || c < '0' || c > '9' || n > maxImportBody {
			break
		}
		n = n*10 + int(c-'0')
	}
	return max(1, n)
}
