package caddymodule

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// csvColumns are the columns that a CSV file may have; only name is needed.
var csvColumns = []string{"name", "email", "display_name", "groups", "provider", "disabled", "password_hash"}

// readCSV reads RFC 4180 with a line of columns' names.
func readCSV(text []byte) (file importFile) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	head, err := r.Read()
	if err != nil {
		return file.unreadable(1, "the first line names the columns: "+strings.Join(csvColumns, ","))
	}
	if fault := csvHeadFault(head); fault != "" {
		return file.unreadable(1, fault)
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return file
		}
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax) && errors.Is(err, csv.ErrFieldCount):
			file.fault(syntax.Line, "it has more or fewer fields than the first line")
			continue
		case errors.As(err, &syntax): // where the next line begins is unknown
			return file.unreadable(syntax.Line, syntax.Err.Error()+"; nothing from here on can be read")
		case err != nil:
			return file.unreadable(0, err.Error())
		}
		line, _ := r.FieldPos(0)
		file.csvAccount(head, record, line)
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

func (f *importFile) csvAccount(head, record []string, line int) {
	a := importedAccount{Line: line}
	for i, column := range head {
		value := fromCell(record[i])
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
		case "disabled":
			a.Disabled = strings.EqualFold(value, "true") // a spreadsheet writes TRUE
			if !a.Disabled && value != "" && !strings.EqualFold(value, "false") {
				f.fault(line, "disabled is true, false or empty")
				a.Faulty = true
			}
		case "password_hash":
			a.PasswordHash = value
		}
	}
	f.accounts = append(f.accounts, a)
}

// toCell is a value as it stands in our CSV files. A spreadsheet would run what
// begins like a formula (CWE-1236), so such a value begins with an apostrophe
// there, which spreadsheets take for "this is text". One with spaces around it
// does too, since they would be lost.
func toCell(value string) string {
	value = harmless(value)
	if marked(value) {
		return "'" + value
	}
	return value
}

// fromCell is the value of a cell. The apostrophe of toCell goes; that of
// 't Hooft, which it would not have written, stays.
func fromCell(cell string) string {
	if value, found := strings.CutPrefix(cell, "'"); found && marked(value) {
		return value
	}
	return strings.TrimSpace(cell)
}

func marked(value string) bool {
	first, _ := utf8.DecodeRuneInString(value)
	return strings.ContainsRune("=+-@'＝＋－＠", first) || value != strings.TrimSpace(value)
}
