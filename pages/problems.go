package pages

import (
	"fmt"
	"html/template"
	"strings"
)

// shown is a problem in words.
type shown struct {
	// Field is the control's id, ID that of the sentence beside it.
	Field, ID string
	Text      string
}

// problems are those of one field, or all of them for "".
func (l *language) problems(v View, field string) ([]shown, error) {
	var list []shown
	for i, p := range v.frame().Problems {
		if field != "" && p.Field != field {
			continue
		}
		text, err := l.plain(p.Key, p.Args)
		if err != nil {
			return nil, fmt.Errorf("problem of field %q: %w", p.Field, err)
		}
		if left, ok := whole(p.Args["left"]); ok {
			attempts, err := l.plain("code.left", Args{"n": left})
			if err != nil {
				return nil, err
			}
			if text, err = l.plain("error.left", Args{"problem": text, "attempts": attempts}); err != nil {
				return nil, err
			}
		}
		list = append(list, shown{Field: p.Field, ID: problemID(p.Field, i), Text: text})
	}
	return list, nil
}

func problemID(field string, i int) string { return fmt.Sprintf("%s-error-%d", field, i+1) }

// attrs ties a control to its hint and its problems. hint is the id of the
// hint, "" for none. The ids are ours, so nothing needs escaping.
func attrs(v View, field, hint string) template.HTMLAttr {
	var by []string
	if hint != "" {
		by = append(by, hint)
	}
	invalid := ""
	for i, p := range v.frame().Problems {
		if p.Field == field {
			by = append(by, problemID(field, i))
			invalid = ` aria-invalid="true"`
		}
	}
	if len(by) == 0 {
		return ""
	}
	return template.HTMLAttr(`aria-describedby="` + strings.Join(by, " ") + `"` + invalid)
}
