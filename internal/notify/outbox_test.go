package notify_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// outboxEntry is what stands in the file for one message of one line or more.
var outboxEntry = regexp.MustCompile(`(?m)^(\S+Z) (text|call) (code|notice) (\+\d+)\n((?:    .*\n)+)\n`)

func readOutbox(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOutboxKeepsMessagesReadable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sallyport", "dev", "outbox")
	var log bytes.Buffer
	outbox := notify.NewOutbox(path, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	text := chainMessage(t, notify.Text)
	text.Words = secret.New(chainWords + "\n@login.example.com #271828")
	call := chainMessage(t, notify.Call)
	notice := chainMessage(t, notify.Text)
	notice.Code, notice.Words = secret.Text{}, secret.New("Changed.\x1b[2J\x07\n\n2026-01-01T00:00:00Z text code +15555550100\n    forged")
	begun := time.Now()
	for _, m := range []notify.Message{text, call, notice} {
		if !outbox.Can(m.Channel, m.Notice()) {
			t.Errorf("it says that it cannot: %s", m.Channel)
		}
		if err := outbox.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, e := range outboxEntry.FindAllStringSubmatch(readOutbox(t, path), -1) {
		if when, err := time.Parse(time.RFC3339, e[1]); err != nil || when.Before(begun.Add(-time.Second)) || when.After(time.Now()) {
			t.Errorf("time %q, %v", e[1], err)
		}
		got = append(got, strings.Join(e[2:], "|"))
	}
	want := []string{
		"text|code|" + chainNumber + "|    " + chainWords + "\n    @login.example.com #271828\n",
		"call|code|" + chainNumber + "|    " + chainWords + "\n",
		"text|notice|" + chainNumber + "|    Changed.[2J\n    \n    2026-01-01T00:00:00Z text code +15555550100\n        forged\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for path, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): fs.ModeDir | 0o700, filepath.Dir(filepath.Dir(path)): fs.ModeDir | 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want && runtime.GOOS != "windows" {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if n := strings.Count(log.String(), `"file":"`+path+`"`); n != 3 || strings.Count(log.String(), `"channel":"text"`) != 2 {
		t.Errorf("the log names file and channel %d times:\n%s", n, log.String())
	}
	for _, private := range []string{chainNumber, chainCode, "is your code", "Changed"} {
		if strings.Contains(log.String(), private) {
			t.Errorf("the log holds %q:\n%s", private, log.String())
		}
	}
	if outbox.Can("fax", false) {
		t.Error("it says that it can send a fax")
	}
}

func TestOutboxTightensAFileThatWasThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox")
	if err := os.WriteFile(path, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := notify.NewOutbox(path, slog.New(slog.DiscardHandler)).Send(t.Context(), chainMessage(t, notify.Text)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if text := readOutbox(t, path); !strings.HasPrefix(text, "before\n") || !strings.Contains(text, chainCode) {
		t.Errorf("%q", text)
	}
}

// TestOutboxWritesNowhereElse: a link in the outbox's place would have codes
// written, and a file's mode changed, somewhere else.
func TestOutboxWritesNowhereElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere")
	if err := os.WriteFile(elsewhere, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(path string) error{
		"link to a file":    func(path string) error { return os.Symlink(elsewhere, path) },
		"relative link":     func(path string) error { return os.Symlink("../elsewhere", path) },
		"link to nothing":   func(path string) error { return os.Symlink(filepath.Join(dir, "new"), path) },
		"link to a device":  func(path string) error { return os.Symlink("/dev/null", path) },
		"folder":            func(path string) error { return os.Mkdir(path, 0o700) },
		"folder not a file": func(path string) error { return os.WriteFile(filepath.Dir(path)+"x", nil, 0o600) },
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"), "outbox")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := prepare(path); err != nil {
				t.Fatal(err)
			}
			if name == "folder not a file" {
				path = filepath.Join(filepath.Dir(path)+"x", "outbox")
			}
			err := notify.NewOutbox(path, slog.New(slog.DiscardHandler)).Send(t.Context(), chainMessage(t, notify.Text))
			f := failureOf(t, err)
			if f.Reason != notify.Broken || f.Maybe || !strings.HasPrefix(f.Detail, "the outbox can't be written: ") ||
				strings.Contains(f.Detail, chainCode) || strings.Contains(f.Detail, chainNumber) {
				t.Errorf("%+v", f)
			}
		})
	}
	t.Cleanup(func() {
		info, err := os.Stat(elsewhere)
		if err != nil || info.Size() != 0 || info.Mode().Perm() != 0o644 && runtime.GOOS != "windows" {
			t.Errorf("the other file: %v, %v", info, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file was made elsewhere: %v", err)
		}
	})
}

func TestOutboxStaysSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox")
	outbox := notify.NewOutbox(path, slog.New(slog.DiscardHandler))
	const entries, size = 60, 50_000 // nearly three times what one file takes
	m := chainMessage(t, notify.Text)
	for n := range entries {
		m.Words = secret.New(fmt.Sprintf("message %d. %s", n, strings.Repeat("x", size)))
		if err := outbox.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Size() > notify.OutboxSize+size+200 || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s: %d bytes, %v, %v", f.Name(), info.Size(), info.Mode(), err)
		}
	}
	// The newest are there, without a gap.
	kept := strings.Split(strings.TrimSuffix(readOutbox(t, path+".old")+readOutbox(t, path), "\n\n"), "\n\n")
	if len(kept) < 21 {
		t.Errorf("only %d are kept", len(kept))
	}
	for i, e := range kept {
		_, words, _ := strings.Cut(e, "\n")
		if want := fmt.Sprintf("    message %d. xxx", entries-len(kept)+i); !strings.HasPrefix(words, want) {
			t.Errorf("entry %d begins %.30q, want %q", i, words, want)
		}
	}
}

// outboxWriter makes this test binary a second process that writes.
const outboxWriter = "outbox-writer"

func TestOutboxOfTwoProcessesIsWhole(t *testing.T) {
	t.Parallel()
	const messages = 100
	if flag.Arg(0) == outboxWriter {
		writeOutbox(t, flag.Arg(1), "second", messages)
		return
	}
	path := filepath.Join(t.TempDir(), "outbox")
	other := exec.Command(os.Args[0], "-test.run=^TestOutboxOfTwoProcessesIsWhole$", outboxWriter, path)
	var said bytes.Buffer
	other.Stdout, other.Stderr = &said, &said
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	writeOutbox(t, path, "first", messages)
	if err := other.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	text := readOutbox(t, path)
	for _, who := range []string{"first", "second"} {
		for n := range messages {
			if strings.Count(text, fmt.Sprintf("    %s %d.%s\n\n", who, n, strings.Repeat(" word", 100))) != 1 {
				t.Errorf("%s %d is not there once", who, n)
			}
		}
	}
	if rest := outboxEntry.ReplaceAllString(text, ""); rest != "" {
		t.Errorf("torn: %q", rest)
	}
}

// writeOutbox sends messages from several goroutines at once.
func writeOutbox(t *testing.T, path, who string, messages int) {
	t.Helper()
	outbox := notify.NewOutbox(path, slog.New(slog.DiscardHandler))
	m := chainMessage(t, notify.Text)
	var group sync.WaitGroup
	for n := range messages {
		group.Go(func() {
			own := m
			own.Words = secret.New(fmt.Sprintf("%s %d.%s", who, n, strings.Repeat(" word", 100)))
			if err := outbox.Send(t.Context(), own); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
