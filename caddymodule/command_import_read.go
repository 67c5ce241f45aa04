package caddymodule

import (
	"path/filepath"
	"strings"
)

// importFile is what could be read of a file.
type importFile struct {
	accounts []importedAccount
	faults   []lineFault
	// cut: behind the last fault nothing could be read, and who is there is
	// unknown.
	cut bool
}

// unreadable is a file that ends, for us, at a fault.
func (f importFile) unreadable(line int, text string) importFile {
	f.faults, f.cut = append(f.faults, lineFault{line, text}), true
	return f
}

func (f *importFile) fault(line int, text string) {
	f.faults = append(f.faults, lineFault{line, text})
}

// importFormats are the readers of files, by the word after --format. They
// know the files' forms; what an account may be, only the server knows.
var importFormats = map[string]func([]byte) importFile{
	"csv":      readCSV,
	"htpasswd": readHtpasswd,
	"authelia": readAuthelia,
	"json":     readExport,
}

// importReader is the reader of a format, or of what the file's name says.
func importReader(file, format string) (func([]byte) importFile, error) {
	if format == "" {
		format = formatOf(file)
	}
	read, known := importFormats[format]
	if !known {
		return nil, usageError("say --format csv, htpasswd, authelia or json: %q does not tell", file)
	}
	return read, nil
}

func formatOf(file string) string {
	switch base := filepath.Base(file); {
	case strings.HasSuffix(base, ".csv"):
		return "csv"
	case strings.HasSuffix(base, ".json"):
		return "json"
	case strings.HasSuffix(base, "htpasswd"):
		return "htpasswd"
	case strings.HasSuffix(base, ".yml"), strings.HasSuffix(base, ".yaml"):
		return "authelia"
	}
	return ""
}

// readHtpasswd reads `name:hash` lines; what follows a third colon is a
// comment of Apache's.
func readHtpasswd(text []byte) (file importFile) {
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, found := strings.Cut(line, ":")
		if !found {
			file.fault(number, "it is not name:hash")
			continue
		}
		hash, _, _ = strings.Cut(hash, ":")
		file.accounts = append(file.accounts, importedAccount{Line: number, Name: name, PasswordHash: hash})
	}
	return file
}
