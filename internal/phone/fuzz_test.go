package phone

import (
	"regexp"
	"testing"
	"unicode/utf8"
)

var e164Shape = regexp.MustCompile(`\A\+[1-9][0-9]{1,14}\z`)

// FuzzParse holds for every input: no panic, E.164 or an error of the two
// kinds, and a result that means itself ever after.
func FuzzParse(f *testing.F) {
	for _, typed := range []string{
		"", "+", "+44 7700 900982", "0044 7700 900982", "(0)7700 900982", "+44 (0)7700 900 982", "011 44 7700 900982",
		"+1 (202) 555-0123", "+390612345678", "+39 06698", "+870773111632", "+979123456789", "+19002345678", "112", "911",
		"+447700900982;ext=12", "tel:+447700900982", "+447700900982,,12#", "+447700900982\r\nBcc: x", "+٤٤٧٧٠٠٩٠٠٩٨٢",
		"＋４４（０）７７００９００９８２", "\u202d+44 7700 900982\u202c", "1-800-FLOWERS", "\xff\xfe", "00000000000000000000",
		"+999999999999999", "+00000", "8 800 555 35 35", "0 15 11 96123-4567", "011 15-2345-6789", "001 44 7700 900982",
	} {
		for _, home := range []string{"", "GB", "US", "IT", "KR", "AR", "BS", "ZZ", "001"} {
			f.Add(typed, home)
		}
	}
	f.Fuzz(func(t *testing.T, typed, home string) {
		rules := Rules{DefaultRegion: home}
		n, facts, err := rules.Parse(typed)
		if err != nil {
			if outcome(t, err); !n.IsZero() || facts != (Facts{}) {
				t.Fatalf("%q: an error and %q %+v", typed, n.E164(), facts)
			}
			return
		}
		e164 := n.E164()
		if !e164Shape.MatchString(e164) {
			t.Fatalf("%q gives %q", typed, e164)
		}
		if len(typed) > maxTyped || !utf8.ValidString(typed) {
			t.Fatalf("%q is accepted as %s", typed, e164)
		}
		if facts.Region == "" || CheckRegion(facts.Region) != "" {
			t.Fatalf("%q is of the country %q", typed, facts.Region)
		}
		for _, again := range []Rules{rules, {}, {DefaultRegion: facts.Region, Countries: []string{facts.Region}}} {
			same, sameFacts, err := again.Parse(e164)
			if err != nil || !same.Equal(n) || sameFacts != facts {
				t.Fatalf("%q gives %s %+v, and that with %+v: %q %+v, %v", typed, e164, facts, again, same.E164(), sameFacts, err)
			}
		}
		stored, storedFacts, err := Known(e164)
		if err != nil || !stored.Equal(n) || storedFacts != facts {
			t.Fatalf("%s stored: %+v, %v, want %+v", e164, storedFacts, err, facts)
		}
		if judged, err := rules.Judge(stored); err != nil || judged != facts {
			t.Fatalf("%s judged: %+v, %v, want %+v", e164, judged, err, facts)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, typed := range map[string]string{
		"international": "+44 7400 123456", "national": "07400 123456", "america": "+1 (202) 555-0123", "refused": "+1 900 234 5678",
		"jamaica": "+1 876 210 1234", "letters": "+44 7400 123456 ext. 12",
	} {
		b.Run(name, func(b *testing.B) {
			rules := Rules{DefaultRegion: "GB"}
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = rules.Parse(typed)
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	n, _, err := Known("+447400123456")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_, _ = Rules{Countries: []string{"GB"}}.Judge(n)
	}
}
