package notify_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// webhookDocs returns the one block of code in that language of
// docs/webhook.md.
func webhookDocs(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "webhook.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n```"+language+"\n")
	block, after, closed := strings.Cut(rest, "\n```\n")
	if !found || !closed || strings.Contains(after, "```"+language+"\n") {
		t.Fatalf("docs/webhook.md has not exactly one block of %s", language)
	}
	return block + "\n"
}

func TestWebhookRequestIsAsDocumented(t *testing.T) {
	t.Parallel()
	head, body, _ := strings.Cut(webhookDocs(t, "http"), "\n\n")
	r, w := receiver(t, status(http.StatusNoContent), at(1_790_000_000))
	m := chainMessage(t, notify.Text)
	m.Words = secret.New(chainWords + "\n@login.example.com #271828")
	if err := w.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := r.requests()[0]
	if diff := cmp.Diff(body, string(got.body)); diff != "" {
		t.Errorf("body: -documented +sent\n%s", diff)
	}
	lines := strings.Split(head, "\n")
	if lines[0] != "POST /sallyport HTTP/1.1" || lines[1] != "Host: sms.example.com" {
		t.Errorf("the documented request begins %q", lines[:2])
	}
	documented := http.Header{}
	for _, line := range lines[2:] {
		name, value, _ := strings.Cut(line, ": ")
		documented.Add(name, value)
	}
	for _, usual := range []string{"Connection", "Content-Length", "User-Agent"} {
		got.header.Del(usual)
	}
	if diff := cmp.Diff(documented, got.header); diff != "" {
		t.Errorf("headers: -documented +sent\n%s", diff)
	}
}

// startDocumentedReceiver runs the receiver of docs/webhook.md as it stands
// there.
func startDocumentedReceiver(t *testing.T) (address string, process *testtools.Process) {
	t.Helper()
	python := testtools.Need(t, "python3")
	program := filepath.Join(t.TempDir(), "receiver.py")
	if err := os.WriteFile(program, []byte(webhookDocs(t, "python")), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5 { // another process may have taken the port meanwhile
		port := strconv.Itoa(testtools.FreePort(t))
		cmd := exec.Command(python, "-I", program)
		cmd.Env = append(os.Environ(), "SALLYPORT_SECRET="+webhookSecret, "PORT="+port)
		process = testtools.Start(t, cmd)
		address = net.JoinHostPort("127.0.0.1", port)
		if answers(process, address) {
			return address, process
		}
	}
	t.Fatal("the documented receiver does not start")
	return "", nil
}

// answers waits until the process listens, and reports whether it does.
func answers(process *testtools.Process, address string) bool {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return true
		}
		select {
		case <-process.Exited():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

func TestDocumentedReceiverTakesOnlyWhatIsSigned(t *testing.T) {
	t.Parallel()
	address, process := startDocumentedReceiver(t)
	toPython := func(c *notify.WebhookConfig) { c.URL = "http://" + address + "/sallyport" }
	// What it prints comes through a pipe, a moment after its answer. One line
	// too many would come before the next right one, so it is seen at the
	// latest then; the last line of this test is unlike all others.
	var want []string
	prints := func(line string) {
		t.Helper()
		want = append(want, line)
		var lines []string
		for deadline := time.Now().Add(10 * time.Second); len(lines) < len(want) && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			lines = nil
			for line := range strings.Lines(process.Output()) {
				if line, whole := strings.CutSuffix(line, "\n"); whole && strings.Contains(line, " to +") {
					lines = append(lines, line)
				}
			}
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("printed: -want +got\n%s", diff)
		}
	}
	textLine := "text to " + chainNumber + ": " + chainWords

	_, webhook := receiver(t, nil, toPython)
	text := chainMessage(t, notify.Text)
	for range 2 { // the second time it is a repeat
		if err := webhook.Send(t.Context(), text); err != nil {
			t.Fatalf("a real message: %v", err)
		}
	}
	prints(textLine)
	call := chainMessage(t, notify.Call)
	call.Words = secret.New("Your code is 2, 7.\nAgain: 2, 7.")
	if err := webhook.Send(t.Context(), call); err != nil {
		t.Fatalf("a real call: %v", err)
	}
	prints("call to " + chainNumber + ": Your code is 2, 7. ... Again: 2, 7.")

	// What follows is made of a request that Sallyport really sends, with an
	// id that the receiver has not seen yet.
	recorder, webhook := receiver(t, status(http.StatusNoContent))
	text.ID = "zzzzzzzzzzzzzzzzzzzzzzzzzz"
	if err := webhook.Send(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	genuine := recorder.requests()[0]
	now := genuine.header.Get("Sallyport-Timestamp")
	shifted := func(d time.Duration) string {
		seconds, err := strconv.ParseInt(now, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatInt(seconds+int64(d/time.Second), 10)
	}
	signature := genuine.header.Get("Sallyport-Signature")
	otherNumber := bytes.Replace(genuine.body, []byte(chainNumber), []byte("+447700900983"), 1)
	stale, early := shifted(-6*time.Minute), shifted(6*time.Minute)
	refused := map[string]struct {
		timestamp, signature string
		body                 []byte
	}{
		"a changed byte":              {now, signature, otherNumber},
		"a byte more":                 {now, signature, append(bytes.Clone(genuine.body), ' ')},
		"a byte less":                 {now, signature, genuine.body[:len(genuine.body)-1]},
		"a changed timestamp":         {shifted(time.Second), signature, genuine.body},
		"no timestamp":                {"", signature, genuine.body},
		"a byte moved to the time":    {now + ".", signature, genuine.body},
		"old, and rightly signed":     {stale, signed(stale, genuine.body), genuine.body},
		"from the future":             {early, signed(early, genuine.body), genuine.body},
		"no signature":                {now, "", genuine.body},
		"half a signature":            {now, signature[:35], genuine.body},
		"a signature without version": {now, strings.TrimPrefix(signature, "v1="), genuine.body},
		"a signature of letters":      {now, "v1=\xe9\xff", genuine.body},
		"the signature of another":    {now, signed(now, otherNumber), genuine.body},
	}
	for name, c := range refused {
		if got := postSigned(t, address, c.timestamp, c.signature, c.body); got != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, got)
		}
	}
	if got := postSigned(t, address, now, signature, nil); got != http.StatusRequestEntityTooLarge {
		t.Errorf("without a body: %d", got)
	}

	// A difference of 4 minutes is a clock's; and the message itself was good.
	late := shifted(-4 * time.Minute)
	if got := postSigned(t, address, late, signed(late, genuine.body), genuine.body); got != http.StatusNoContent {
		t.Errorf("4 minutes old: %d", got)
	}
	prints(textLine)
	if got := postSigned(t, address, now, signature, genuine.body); got != http.StatusNoContent {
		t.Errorf("the same again: %d", got)
	}

	// As our own sender sees it.
	_, old := receiver(t, nil, toPython, at(time.Now().Add(-6*time.Minute).Unix()))
	_, stranger := receiver(t, nil, toPython, func(c *notify.WebhookConfig) { c.Secret = secret.New(strings.Repeat("x", 32)) })
	for name, w := range map[string]*notify.Webhook{"old": old, "with another secret": stranger} {
		if f := failureOf(t, w.Send(t.Context(), text)); f.Reason != notify.Credentials {
			t.Errorf("%s: %+v", name, f)
		}
	}

	_, webhook = receiver(t, nil, toPython)
	text.ID, text.Words = "yyyyyyyyyyyyyyyyyyyyyyyyyy", secret.New("The end.")
	if err := webhook.Send(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	prints("text to " + chainNumber + ": The end.")
}

// postSigned sends a request with these headers, where they are not empty.
func postSigned(t *testing.T, address, timestamp, signature string, body []byte) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/sallyport", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	for name, value := range map[string]string{"Sallyport-Timestamp": timestamp, "Sallyport-Signature": signature} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	client := &http.Client{Timeout: 10 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}
