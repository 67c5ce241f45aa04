package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/sqlstore"
)

func init() { caddy.RegisterModule(exampleSender{}) }

// exampleSender is a module as somebody else would write it: nothing of this
// package that is not exported. Golden files list it among the known ones.
type exampleSender struct {
	Loft string   `json:"loft,omitempty"`
	Who  []string `json:"who,omitempty"`
}

func (exampleSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "sallyport.senders.example", New: func() caddy.Module { return new(exampleSender) }}
}

func (p *exampleSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // its own name
	p.Who = d.RemainingArgs()
	for d.NextBlock(0) {
		if d.Val() != "loft" || !d.AllArgs(&p.Loft) {
			return d.Errf("unknown word %q; write `loft <place>`", d.Val())
		}
	}
	return nil
}

func (p *exampleSender) Provision(caddy.Context) error {
	if p.Loft == "burnt" {
		return errors.New("there is no loft")
	}
	p.Loft = caddy.NewReplacer().ReplaceAll(p.Loft, "")
	return nil
}

func (p *exampleSender) Can(c SenderChannel, notice bool) bool { return c == SenderText && !notice }

// flown is what was sent, by loft.
var flown sync.Map

func (p *exampleSender) Send(_ context.Context, m SenderMessage) error {
	if p.Loft == "empty" {
		return &SenderFailure{Reason: "unreachable", Detail: "no pigeon at home for " + m.To.E164()}
	}
	flown.Store(p.Loft, m)
	return nil
}

var (
	_ Sender                = (*exampleSender)(nil)
	_ caddyfile.Unmarshaler = (*exampleSender)(nil)
)

func eventsNamed(name audit.Name) sqlstore.EventFilter { return sqlstore.EventFilter{Name: name} }

// TestSenderOfSomebodyElse sends through a foreign module from a Caddyfile,
// after another one of it that fails.
func TestSenderOfSomebodyElse(t *testing.T) {
	t.Setenv("SALLYPORT_TEST_LOFT", "attic")
	g := startCommanded(t, "phone {\ncountries GB\nsender example {\nloft empty\n}\nsender example fast white {\nloft {env.SALLYPORT_TEST_LOFT}\n}\n}")
	g.addPerson(t, "anna")
	m, f := begun(t, "anna")
	if m.Sends(account.MethodCall) || !m.Sends(account.MethodText) {
		t.Error("it can what it cannot")
	}
	f, err := m.SubmitNumber(context.Background(), anyone, f, "+44 7700 900982", account.MethodText)
	if err != nil || len(f.Problems) > 0 {
		t.Fatalf("%v %+v", err, f.Problems)
	}
	sent, ok := flown.Load("attic")
	if !ok {
		t.Fatal("nothing was sent")
	}
	message := sent.(SenderMessage)
	if _, err := m.ConfirmPhone(context.Background(), anyone, f, message.Code.Reveal()); err != nil || message.To.E164() != "+447700900982" {
		t.Errorf("%v %+v", err, message)
	}
	if told := events(t, audit.CodeSent); len(told) != 1 || told[0].Reason != "example-2" || told[0].Country != "GB" {
		t.Errorf("%+v", told)
	}
	contains(t, g.scrape(t),
		`sallyport_send_failures_total{channel="text",reason="unreachable",sender="example"} 1`,
		`sallyport_codes_sent_total{channel="text",country="GB",sender="example-2"} 1`)
}

func TestFaultsOfSendersOfOthers(t *testing.T) {
	g := newGateway(t)
	site := g.site("app.example.com", "sallyport\n"+g.proxy())
	if text, ok := adapt(g.global("phone {\ncountries GB\nsender example {\ncage gold\n}\n}") + site); ok || !strings.Contains(text, "unknown word \"cage\"") {
		t.Error(text)
	}
	err := g.load(g.global("phone {\ncountries GB\nsender example {\nloft burnt\n}\n}") + site)
	if err == nil || !strings.Contains(err.Error(), "sallyport.phone.senders.0: ") || !strings.Contains(err.Error(), "there is no loft") {
		t.Error(err)
	}
	if poolSize(engines)+poolSize(openStores) > 0 {
		t.Error("a refused configuration holds on")
	}
}

// TestSecretsOfSendersStayPlaceholders: not in what the adapter gives, not at
// Caddy's /config, not in the log, and none that is missing is taken for
// empty.
func TestSecretsOfSendersStayPlaceholders(t *testing.T) {
	const key = "KEY0187-7f3a-b2c9-44d1"
	g := newGateway(t)
	file := filepath.Join(g.dir, "telnyx")
	g.must(os.WriteFile(file, []byte(key+"\n"), 0o600))
	site := g.site("app.example.com", "sallyport\n"+g.proxy())
	config := func(path string) string {
		text := g.global("phone {\ncountries GB\nsender telnyx {\napi_key {file."+path+"}\nfrom +447700900111\n}\n}") + site
		return strings.Replace(text, "admin off", "admin unix/"+filepath.Join(g.dir, "a.sock"), 1)
	}
	g.mustLoad(config(file))
	g.waitReady("app.example.com")
	adapted, _ := adapt(config(file))
	shown := (&commanded{dir: g.dir}).admin(t, "a.sock", "/config/")
	for what, text := range map[string]string{"adapted": adapted, "/config": shown, "log": g.logged()} {
		if strings.Contains(text, key) {
			t.Errorf("the key is in %s", what)
		}
	}
	contains(t, shown, "{file."+file+"}")
	if own := started.current().senders[0].own.(*Telnyx); own.APIKey != key {
		t.Errorf("it was read as %q", own.APIKey)
	}
	err := g.load(config(filepath.Join(g.dir, "missing")))
	if err == nil || !strings.Contains(err.Error(), "sallyport.phone.senders.0.api_key: ") {
		t.Error(err)
	}
	if got := g.get("app.example.com", "/"); got.status != http.StatusUnauthorized {
		t.Errorf("the running configuration answers %d", got.status)
	}
}

func TestSendersInJSONNeedAName(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"sender":"outbox"}`:                  "",
		`{"sender":"outbox","file":"/tmp/x"}`:  "",
		`{}`:                                   "does not say which sender it is",
		`null`:                                 "is not an object",
		`["outbox"]`:                           "is not an object",
		`{"sender":7}`:                         "does not say which sender it is",
		`{"sender":"pigeon"}`:                  `there is no sender "pigeon" in this build; write one of example, outbox, telnyx, telnyx_verify, twilio, webhook`,
		`{"sender":"outbox","files":"/tmp/x"}`: `unknown field "files"`,
		`{"sender":"telnyx","api_key":{"env":"X"}}`:       "cannot unmarshal object",
		`{"sender":"example","loft":"attic","Who":["x"]}`: "",
	} {
		a := &App{Phone: &Phone{SendersRaw: []json.RawMessage{[]byte(raw)}}}
		faults := a.readSenders()
		if want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.Contains(faults[0].String(), want)) {
			t.Errorf("%s: %v", raw, faults)
		}
	}
	if diff := cmp.Diff([]string{"example", "outbox", "telnyx", "telnyx_verify", "twilio", "webhook"}, senderNames()); diff != "" {
		t.Error(diff)
	}
}
