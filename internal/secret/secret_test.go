package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

const plain = "hunter2-hunter2"

// holder is how a secret usually leaks: the struct around it is printed.
type holder struct {
	Name   string
	Public secret.Text
	hidden secret.Text
	Key    secret.Bytes
	key    secret.Bytes
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	text, data := secret.New(plain), secret.NewBytes([]byte(plain))
	whole := holder{Name: "n", Public: text, hidden: text, Key: data, key: data}
	for _, value := range []any{text, &text, data, &data, whole, &whole, []holder{whole}, map[string]any{"x": whole}, []secret.Text{text}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b", "%t", "%T %v"} {
			args := []any{value}
			if strings.Contains(verb, " ") {
				args = append(args, value)
			}
			refuseLeak(t, verb, fmt.Sprintf(verb, args...))
		}
		refuseLeak(t, "Sprint", fmt.Sprint(value))
		refuseLeak(t, "Errorf", fmt.Errorf("wrapped: %v", value).Error())
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("json of %T: %v", value, err)
		}
		refuseLeak(t, "json", string(encoded))
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "value", value)
		refuseLeak(t, "slog", log.String())
	}
	if got := fmt.Sprint(text); got != secret.Redacted {
		t.Errorf("prints %q", got)
	}
}

func refuseLeak(t *testing.T, how, printed string) {
	t.Helper()
	hex := fmt.Sprintf("%x", plain)
	for _, leak := range []string{plain, hex, strings.ToUpper(hex), "104 117 110 116", "aHVudGVyMi"} {
		if strings.Contains(printed, leak) {
			t.Errorf("%s shows the secret: %s", how, printed)
		}
	}
}

func TestRevealIsTheWayOut(t *testing.T) {
	t.Parallel()
	if secret.New(plain).Reveal() != plain {
		t.Error("Text.Reveal gives something else")
	}
	source := []byte(plain)
	data := secret.NewBytes(source)
	source[0] = 'X'
	data.Reveal()[1] = 'X'
	if string(data.Reveal()) != plain {
		t.Error("Bytes can be changed from outside")
	}
	var zeroText secret.Text
	var zeroBytes secret.Bytes
	if zeroText.Reveal() != "" || !zeroText.IsZero() || zeroBytes.Len() != 0 || !zeroBytes.IsZero() {
		t.Error("the zero value is not empty")
	}
}

func TestEqualComparesContent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "ab", false}, {"", "a", false}, {"a", "A", false}} {
		if got := secret.New(c.a).Equal(secret.New(c.b)); got != c.want {
			t.Errorf("Text %q and %q equal: %v", c.a, c.b, got)
		}
		if got := secret.NewBytes([]byte(c.a)).Equal(secret.NewBytes([]byte(c.b))); got != c.want {
			t.Errorf("Bytes %q and %q equal: %v", c.a, c.b, got)
		}
	}
	if !(secret.Text{}).Equal(secret.New("")) {
		t.Error("the zero value differs from the empty secret")
	}
}

// Identifiers from a generator seeded by time repeat (CVE-2024-21495).
func TestTokensNeverRepeat(t *testing.T) {
	t.Parallel()
	const count = 100_000
	seen := make(map[string]bool, count)
	for range count {
		token := secret.NewToken().Reveal()
		if len(token) != 43 || strings.ContainsAny(token, "=+/") {
			t.Fatalf("token %q is not 256 bits of base64url without padding", token)
		}
		if seen[token] {
			t.Fatal("a token came twice")
		}
		seen[token] = true
	}
}

func TestShortTokenIsAProgrammingError(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a token below 128 bits was made")
		}
	}()
	secret.Token(15)
}

func TestRandomDrawsEveryCharacterAlike(t *testing.T) {
	t.Parallel()
	const n = 200_000
	counts := map[rune]int{}
	text := secret.Random(n, secret.Digits).Reveal()
	for _, c := range text {
		counts[c]++
	}
	if len(text) != n || len(counts) != 10 {
		t.Fatalf("%d characters of %d kinds", len(text), len(counts))
	}
	// Reduction modulo 10 would make 0 to 5 likelier by four percent.
	for c, got := range counts {
		if got < n/10*97/100 || got > n/10*103/100 {
			t.Errorf("%c came %d times in %d", c, got, n)
		}
	}
	if strings.ContainsAny(secret.Crockford, "ILOU") || len(secret.Crockford) != 32 {
		t.Error("the alphabet is not Crockford's")
	}
}
