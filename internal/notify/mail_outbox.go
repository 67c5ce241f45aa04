package notify

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// MailOutboxSize is how many mails an outbox keeps; the oldest go first.
const MailOutboxSize = 1000

// MailOutbox writes mails to files, for development and where there is no mail
// server: whoever can read them can use the links in them.
type MailOutbox struct {
	dir string
	log *slog.Logger
	mu  sync.Mutex
}

var _ Mailer = (*MailOutbox)(nil)

// NewMailOutbox makes an outbox in the folder dir (0700), which is made when
// the first mail is written. Each mail is a file (0600) that mail programs
// open, named by the mail's date and ID: `20060102T150405Z-ID.eml`. The same
// mail is written once, whole or not at all. Nothing outside the folder is
// written or removed, whatever links there are, and no file in it that has
// another name.
func NewMailOutbox(dir string, log *slog.Logger) *MailOutbox {
	return &MailOutbox{dir: dir, log: log}
}

// Mail implements Mailer. The log is told the file, never what is in it.
func (o *MailOutbox) Mail(ctx context.Context, m Mail) error {
	l, err := m.write(m.forReaders())
	if err != nil {
		return &Failure{Reason: Rejected, Permanent: true, Detail: err.Error()}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	id := strings.ToLower(m.ID)
	name := m.Date.UTC().Format("20060102T150405Z") + "-" + id + ".eml"
	written, err := o.write(name, id, l.text)
	if err != nil {
		return &Failure{Reason: Broken, Detail: "the outbox can't be written: " + err.Error()}
	}
	if written {
		o.log.LogAttrs(ctx, slog.LevelInfo, "a mail was written to the outbox and not sent",
			slog.String("file", filepath.Join(o.dir, name)))
	}
	return nil
}

// write reports whether there was no such mail yet.
func (o *MailOutbox) write(name, id string, text []byte) (bool, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return false, err
	}
	// A Root opens nothing outside its folder, whatever links there are.
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return false, err
	}
	defer root.Close()
	names, err := mailFiles(root)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "-"+id+".eml") }) {
		return false, nil
	}
	if err := writeWhole(root, name, "."+id+".part", text); err != nil {
		return false, err
	}
	for len(names) >= MailOutboxSize {
		if err := root.Remove(names[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true, err
		}
		names = names[1:]
	}
	return true, nil
}

// mailFile is how an outbox names its files. By their names they are in order.
var mailFile = regexp.MustCompile(`^\d{8}T\d{6}Z-[a-z2-7]{26}\.eml$`)

// mailFiles lists the mails, the oldest first.
func mailFiles(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	all, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(all, func(n string) bool { return !mailFile.MatchString(n) })
	slices.Sort(names)
	return names, nil
}

// writeWhole writes beside and renames, so that nobody finds half a mail.
func writeWhole(root *os.Root, name, beside string, text []byte) error {
	// What a crash has left; a link or a pipe goes as well.
	if err := root.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(beside, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, root.Remove(beside))
	}
	return root.Rename(beside, name)
}
