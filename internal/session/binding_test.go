package session_test

import (
	"crypto/rand"
	"encoding/json"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/session"
)

func TestBindingComesBackFromJSON(t *testing.T) {
	var b, back session.Binding
	rand.Read(b[:])
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) != len(`""`)+43 {
		t.Errorf("it is %s", text)
	}
	if err := json.Unmarshal(text, &back); err != nil || back != b {
		t.Errorf("%x came back as %x, %v", b, back, err)
	}
	before, err := json.Marshal([32]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	back = session.Binding{}
	if err := json.Unmarshal(before, &back); err != nil || back != b {
		t.Errorf("of a release before, %x came back as %x, %v", b, back, err)
	}
	for _, bad := range []string{`""`, `"AAAA"`, string(text[:len(text)-2]) + `"`, string(text[:len(text)-1]) + `A"`, `"` + string(text[2:len(text)-1]) + `*"`, `[1,2]`, `[256` + string(before[4:]), `7`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s is taken for %x", bad, back)
		}
	}
}
