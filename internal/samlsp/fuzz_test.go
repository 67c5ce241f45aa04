package samlsp_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-auth/sallyport/internal/samlsp"
	"github.com/sallyport-auth/sallyport/internal/samltest"
)

// originals are good responses, with what is read out of them.
type originals struct {
	ours  samlsp.Provider
	texts []string
	want  []samlsp.Assertion
}

// kindsOfOriginals: both signed, the assertion alone, the same with default
// namespaces, encrypted, and by a curve's key.
const kindsOfOriginals = 5

func newOriginals(t testing.TB, p *samltest.IdP) *originals {
	t.Helper()
	o := &originals{ours: knowing(t, p)}
	for i := range kindsOfOriginals {
		r := p.Good(us, requestID, now)
		switch i {
		case 1:
			r.SignResponse = nil
		case 2:
			r.SignResponse, r.Style = nil, samltest.Style{PlainSignature: true}
		case 3:
			r.SignResponse, r.Encrypt = nil, &samltest.Encryption{For: samltest.SPKey(t)}
		case 4:
			r.SignResponse, r.SignAssertion.Key = nil, p.Keys[samltest.Curve]
		}
		text := r.XML()
		a, refusal := o.judge(text)
		if refusal != nil {
			t.Fatalf("original %d: %v", i, refusal)
		}
		o.texts, o.want = append(o.texts, text), append(o.want, a)
	}
	return o
}

func (o *originals) judge(text string) (samlsp.Assertion, *samlsp.Refusal) {
	r, refusal := samlsp.Read(base64.StdEncoding.EncodeToString([]byte(text)))
	if refusal != nil {
		return samlsp.Assertion{}, refusal
	}
	return o.ours.Verify(r, &samlsp.Asked{ID: requestID, At: now.Add(-30 * time.Second)}, now)
}

// spliced cuts cut bytes out of a text at a place, and puts others there.
func spliced(text string, at, cut uint16, insert string) string {
	i := min(int(at), len(text))
	return text[:i] + insert + text[min(i+int(cut), len(text)):]
}

// FuzzRead changes good responses, in two places, by new bytes and by a piece
// of the response itself. Nothing may panic; and what is accepted must say
// exactly what the original said, because nothing else was signed. Keys and
// IDs differ in every process, so that the input is the change and not the
// response; kind 255 is a whole document.
func FuzzRead(f *testing.F) {
	p, stranger := samltest.New(f, "https://idp.partner.example"), samltest.New(f, "https://idp.stranger.example")
	o := newOriginals(f, p)
	for kind, text := range o.texts {
		f.Add(uint8(kind), uint16(0), uint16(0), []byte(""), uint16(0), uint16(0), uint16(0), uint16(0))
		f.Add(uint8(kind), uint16(len(text)/2), uint16(1), []byte("<!-- -->"), uint16(0), uint16(0), uint16(0), uint16(0))
		f.Add(uint8(kind), uint16(len(text)/3), uint16(0), []byte(` xmlns:x="urn:x"`), uint16(100), uint16(0), uint16(200), uint16(1000))
		f.Add(uint8(kind), uint16(len(text)-17), uint16(0), []byte("\n"), uint16(300), uint16(2), uint16(len(text)-400), uint16(300))
	}
	for i, c := range samltest.Hostile(f, p, stranger, us, requestID, now) {
		// Where the response is good and what goes with it is not, there is
		// nothing to read.
		good := c.Or != nil || c.Asked == nil || c.Asked.Fresh || c.Asked.ID != requestID || c.RelayState != samltest.RelayState
		if c.MaxAlloc > 0 || i%4 != 0 || good {
			continue
		}
		if text, err := base64.StdEncoding.DecodeString(c.Build()); err == nil && len(text) < 16<<10 {
			f.Add(uint8(255), uint16(0), uint16(0), text, uint16(0), uint16(0), uint16(0), uint16(0))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, at, cut uint16, insert []byte, to, over, from, length uint16) {
		if kind == 255 {
			text := string(insert)
			if r, refusal := samlsp.Read(base64.StdEncoding.EncodeToString(insert)); refusal == nil {
				o.ours.Explain(r, nil, now)
			}
			if _, refusal := o.judge(text); refusal == nil {
				t.Errorf("a document of nobody's was accepted: %q", text)
			}
			return
		}
		text, want := o.texts[kind%kindsOfOriginals], o.want[kind%kindsOfOriginals]
		start := min(int(from), len(text))
		piece := text[start:min(start+int(length), len(text))]
		text = spliced(spliced(text, at, cut, string(insert)), to, over, piece)
		got, refusal := o.judge(text)
		if refusal != nil {
			if refusal.Reason == "" || got.NameID != "" {
				t.Errorf("refused with %+v, and %q was read", refusal, got.NameID)
			}
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("accepted, and says what was not signed: -want +got\n%s\n%s", diff, text)
		}
	})
}
