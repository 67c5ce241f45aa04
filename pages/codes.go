package pages

import (
	"fmt"
	"strings"
)

// BackupCodesText is the download of the codes on the page, as text/plain: a
// header with service, account and date, then one code per line.
func (s *Set) BackupCodesText(v BackupCodes) (string, error) {
	l := s.language(v.Lang)
	var out strings.Builder
	head, err := l.plain("codes.paper", Args{"account": v.Owner})
	if err != nil {
		return "", fmt.Errorf("heading backup codes: %w", err)
	}
	out.WriteString(oneLine(head) + "\r\n")
	if !v.Made.IsZero() {
		made, err := l.plain("codes.made", Args{"date": v.Made})
		if err != nil {
			return "", fmt.Errorf("dating backup codes: %w", err)
		}
		out.WriteString(made + "\r\n")
	}
	out.WriteString("\r\n")
	for _, code := range v.Codes {
		out.WriteString(code + "\r\n")
	}
	return out.String(), nil
}

// BackupCodesFile is the name to save it under, of letters, digits and hyphens
// alone, because it stands in a header.
func (s *Set) BackupCodesFile() string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, s.brand.Name)
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '-' }), "-")
	return strings.TrimPrefix(name+"-backup-codes.txt", "-")
}

// oneLine keeps a name from adding lines that look like codes.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
