package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/testtools"
)

// byMail is the option for a mail server of the test's.
func byMail(s *testtools.SMTPServer) string {
	return fmt.Sprintf("mail smtp://%s {\n from it@example.com\n starttls off\n timeout 4s\n}", s.Address())
}

// TestEachMailIsSentByOneNode: both look for those that are due, every second.
func TestEachMailIsSentByOneNode(t *testing.T) {
	t.Parallel()
	const people = 12
	server := testtools.SMTP(t, testtools.SMTPOptions{NoTLS: true})
	c := startClusterOf(t, "two nodes", "", byMail(server))
	for i := range people {
		newAccount(t, c.nodes[i%2], fmt.Sprintf("person%d", i))
	}
	together(people, func(i int) {
		if _, err := c.nodes[i%2].Run("", "session", "end", "--account", fmt.Sprintf("person%d", i)); err != nil {
			t.Error(err)
		}
	})
	server.Await(t, people)
	time.Sleep(3 * time.Second) // two more rounds of each node
	to, ids := map[string]int{}, map[string]int{}
	for _, m := range server.Mails() {
		to[m.To[0]]++
		ids[m.Header.Get("Message-Id")]++
	}
	if len(to) != people || len(ids) != people || len(server.Mails()) != people {
		t.Errorf("%d mails with %d Message-IDs to %d people, want %d of each", len(server.Mails()), len(ids), len(to), people)
	}
	noPanic(t, c.nodes[:]...)
}

// TestNoPageWaitsForAMailAndNoneIsLost: a mail server that takes connections and
// never answers, and comes to its senses.
func TestNoPageWaitsForAMailAndNoneIsLost(t *testing.T) {
	t.Parallel()
	server := testtools.SMTP(t, testtools.SMTPOptions{NoTLS: true})
	server.Silence(testtools.SMTPGreeting)
	g := startGateway(t, strings.Replace(passwordHost, "sallyport {", "sallyport {\n"+byMail(server), 1), withApp(startApp(t)))
	password := newAccount(t, g, "ada")
	c := newClient(t, g, "localhost")
	began := time.Now()
	if page := c.Send(c.Open("/sallyport/recover"), "/recover", map[string]string{"username": "ada"}); page.URL.Path != "/sallyport/recover/sent" {
		t.Fatalf("%s: %d", page.URL, page.Status)
	}
	if page := c.Password("/", "ada", password); page.Text("user") != "ada" {
		t.Fatalf("%s: %d", page.URL, page.Status)
	}
	if page := c.Send(c.Open(security+"/sign-out-everywhere"), "/sign-out-everywhere", nil); page.Status != 200 {
		t.Fatalf("%s: %d", page.URL, page.Status)
	}
	if took := time.Since(began); took > 3500*time.Millisecond {
		t.Errorf("the pages took %s, as if they had waited for the mail server", took)
	}
	for end := time.Now().Add(10 * time.Second); len(server.Stages()) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no mail was tried")
		}
	}
	server.Heal()
	for end := time.Now().Add(60 * time.Second); len(server.Mails()) < 2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d mails came after the server was mended, want 2", len(server.Mails()))
		}
	}
	noPanic(t, g)
}
