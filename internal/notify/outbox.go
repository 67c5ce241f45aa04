package notify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"
)

// OutboxSize is the size in bytes at which an outbox begins a new file.
const OutboxSize = 1 << 20

// Outbox writes messages to a file, for development: whoever can read the file
// can sign in with the codes in it. It carries everything.
type Outbox struct {
	path string
	log  *slog.Logger
	mu   sync.Mutex
}

var _ Sender = (*Outbox)(nil)

// NewOutbox makes an outbox that appends to the file at path. File (0600) and
// folder (0700) are made when the first message is written. The file is never
// looked for outside its folder: a symbolic link that leads elsewhere is
// refused, and so is what is no regular file. Once it has OutboxSize bytes it
// is renamed to <path>.old, in place of the one before.
func NewOutbox(path string, log *slog.Logger) *Outbox {
	return &Outbox{path: path, log: log}
}

// Can implements Sender.
func (o *Outbox) Can(c Channel, _ bool) bool { return c == Text || c == Call }

// Send implements Sender. The log is told the file and the channel, never the
// number, the code or the words.
func (o *Outbox) Send(ctx context.Context, m Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.write(entry(time.Now(), m)); err != nil {
		return &Failure{Reason: Broken, Detail: "the outbox can't be written: " + err.Error()}
	}
	o.log.LogAttrs(ctx, slog.LevelInfo, "a message was written to the outbox and not sent",
		slog.String("file", o.path), slog.String("channel", string(m.Channel)))
	return nil
}

// entry is a message as it stands in the file: a line of time, channel, kind
// and number, then the words, indented so that none of their lines can pass
// for the first of another entry, then an empty line.
func entry(now time.Time, m Message) []byte {
	kind := "code"
	if m.Notice() {
		kind = "notice"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s\n", now.UTC().Format(time.RFC3339), m.Channel, kind, m.To.E164())
	for line := range strings.SplitSeq(m.Words.Reveal(), "\n") {
		b.WriteString("    " + strings.Map(visible, line) + "\n")
	}
	b.WriteString("\n")
	return []byte(b.String())
}

// visible drops what would steer the terminal on which the file is shown.
func visible(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

// write appends with one write to a file that was opened for appending, so
// that the entries of two processes do not mix.
func (o *Outbox) write(text []byte) error {
	dir, name := filepath.Split(o.path)
	dir = filepath.Clean(dir) // "" becomes "."
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// A Root opens nothing outside its folder, whatever links there are.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := beginAnew(root, name); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o600); err != nil { // it may have been there before
		return errors.Join(err, f.Close())
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// beginAnew sees to it that name is a regular file or none, and renames it
// once it is full.
func beginAnew(root *os.Root, name string) error {
	info, err := root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", name)
	case info.Size() < OutboxSize:
		return nil
	}
	// Another process may have renamed it in between; what it renamed then
	// makes room for a file that is nearly empty. That is bearable in
	// development, and no entry is torn.
	err = root.Rename(name, name+".old")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
