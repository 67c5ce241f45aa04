package phone

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The numbers are those that regulators keep for films and examples, and the
// examples of libphonenumber where there are none.

func TestParseAcceptsWhatPeopleType(t *testing.T) {
	t.Parallel()
	const uk, us, london = "+447700900982", "+12025550123", "+442079460958"
	for _, c := range []struct{ home, typed, want string }{
		// PAGES.md P10.
		{"", "+447700900982", uk},
		{"GB", "+447700900982", uk},
		{"GB", "+44 7700 900982", uk},
		{"GB", "0044 7700 900982", uk},
		{"GB", "00447700900982", uk},
		{"GB", "(0)7700900982", uk},
		{"GB", "(0)7700 900982", uk},
		{"GB", "07700 900982", uk},
		{"GB", "07700900982", uk},
		{"GB", "7700900982", uk},
		{"GB", "447700900982", uk},
		{"GB", "44 (0)7700 900982", uk},
		{"GB", "0044 (0)7700 900982", uk},
		{"", "+44 7700 900 982", uk},
		{"", "+44 (0)7700 900 982", uk},
		{"", "+44(0)7700900982", uk},
		{"", "+44 07700 900982", uk},
		{"", "(+44) 7700 900982", uk},
		{"", "+(44) 7700-900982", uk},
		{"US", "+44 (0)7700 900 982", uk},
		{"US", "011 44 7700 900982", uk},
		{"US", "011 44 (0)7700 900982", uk},
		{"US", "0044 7700 900982", uk}, // 00 is not dialled there and means +
		{"", "0044 7700 900982", uk},
		{"AU", "0011 44 7700 900982", uk},
		{"JP", "010 44 7700 900982", uk},
		{"DE", "00 44 7700 900982", uk},
		{"KR", "001 44 7700 900982", uk},
		{"RU", "8~10 44 7700 900982", ""}, // a tilde is no separator
		{"RU", "810 44 7700 900982", uk},
		{"IM", "07700 900982", uk}, // one plan for four countries

		// Separators.
		{"", "+44-7700-900982", uk},
		{"", "+44.7700.900982", uk},
		{"", "+44/7700/900982", uk},
		{"", "+44 [0] 7700 900982", uk},
		{"", "  +44 7700 900982  ", uk},
		{"", "+44\u00a07700\u00a0900982", uk},
		{"", "+44\u202f7700\u2009900982", uk},
		{"", "+44\u30007700\u3000900982", uk},
		{"", "+44\u20117700\u2011900982", uk},
		{"", "+44\u20137700\u2014900982", uk},
		{"", "+44\u22127700\u2212900982", uk},
		{"", "+44·7700•900982", uk},
		{"", "\u202d+44 7700 900982\u202c", uk}, // as Windows' contacts copy it
		{"", "\u200e+44 7700 900982\u200f", uk},
		{"", "\u2066+44 7700 900982\u2069", uk},
		{"", "\ufeff+44\u200b7700\u2060900\u00ad982", uk},
		{"", "+4-4-7-7-0-0-9-0-0-9-8-2", uk},

		// Digits.
		{"", "+٤٤٧٧٠٠٩٠٠٩٨٢", uk},
		{"", "+۴۴۷۷۰۰۹۰۰۹۸۲", uk},
		{"", "＋４４ ７７００ ９００９８２", uk},
		{"", "＋４４（０）７７００９００９８２", uk},
		{"GB", "٠٧٧٠٠ ٩٠٠٩٨٢", uk},
		{"JP", "０９０ー１２３４ー５６７８", "+819012345678"},
		{"JP", "090ｰ1234ｰ5678", "+819012345678"},

		// North America.
		{"", "+1 (202) 555-0123", us},
		{"", "+1.202.555.0123", us},
		{"", "+1 1 202 555 0123", us},
		{"US", "(202) 555-0123", us},
		{"US", "202-555-0123", us},
		{"US", "2025550123", us},
		{"US", "1-202-555-0123", us},
		{"US", "1 (202) 555.0123", us},
		{"CA", "202-555-0123", us},
		{"GB", "00 1 202 555 0123", us},
		{"", "001 202 555 0123", us},
		{"GB", "+1 202 555 0123", us},

		// The rest of the world.
		{"", "+44 20 7946 0958", london},
		{"GB", "020 7946 0958", london},
		{"GB", "(020) 7946 0958", london},
		{"", "+44 (0)20 7946 0958", london},
		{"", "+49 30 23125 123", "+493023125123"},
		{"DE", "030/23125123", "+493023125123"},
		{"DE", "030 23125-123", "+493023125123"},
		{"", "+49 (0)30 23125123", "+493023125123"},
		{"", "+39 06 1234 5678", "+390612345678"}, // Italy keeps its zero
		{"IT", "06 1234 5678", "+390612345678"},
		{"", "+39 (0)6 12345678", "+390612345678"},
		{"", "+39 312 345 6789", "+393123456789"},
		{"", "+36 (06) 20 123 4567", "+36201234567"},
		{"HU", "06 20 123 4567", "+36201234567"},
		{"RU", "8 (912) 345-67-89", "+79123456789"},
		{"", "+7 912 345-67-89", "+79123456789"},
		{"KZ", "8 771 000 9998", "+77710009998"},
		{"AR", "011 15-2345-6789", "+5491123456789"},
		{"", "+54 9 11 2345-6789", "+5491123456789"},
		{"BR", "0 15 11 96123-4567", "+5511961234567"}, // with the carrier's 15
		{"", "+55 (11) 96123-4567", "+5511961234567"},
		{"AU", "0491 570 006", "+61491570006"},
		{"IN", "081234 56789", "+918123456789"},
		{"CN", "131 2345 6789", "+8613123456789"},
		{"SG", "8123 4567", "+6581234567"},
		{"IL", "050-234-5678", "+972502345678"},
		{"EG", "٠١٠٠ ١٢٣ ٤٥٦٧", "+201001234567"},
		{"BS", "359-1234", "+12423591234"}, // local form of a country with one area code
	} {
		n, facts, err := Rules{DefaultRegion: c.home}.Parse(c.typed)
		if c.want == "" {
			if outcome(t, err) != "format" {
				t.Errorf("default %q, %q: %v, want ErrFormat", c.home, c.typed, err)
			}
			continue
		}
		if err != nil || n.E164() != c.want {
			t.Errorf("default %q, %q: %q, %v, want %s", c.home, c.typed, n.E164(), err, c.want)
			continue
		}
		again, same, err := Rules{}.Parse(n.E164())
		if err != nil || !again.Equal(n) || same != facts {
			t.Errorf("%s read again: %q %+v, %v", n.E164(), again.E164(), same, err)
		}
	}
}

func TestParseRefusesWhatIsNotOneNumber(t *testing.T) {
	t.Parallel()
	for _, home := range []string{"", "GB", "US", "XX"} {
		for _, typed := range []string{
			// Nothing, and too much.
			"", " ", "+", "++", "-", "()", "+()", "\u200b", "0", "00", "+0", "000000000000",
			strings.Repeat("1", 40), "+44" + strings.Repeat("7", 13), "+" + strings.Repeat("4", 61),
			strings.Repeat(" ", 60) + "+447700900982", strings.Repeat("9", 1<<20),
			"+447700900982" + strings.Repeat("\u200b", 20),
			"+44770090098", "+4477009009820", "+1 202 555 012", "+1 202 555 01234",

			// Letters, and what a telephone would do with them.
			"+1 800 FLOWERS", "1-800-FLOWERS", "+44 7700 90098O", "+44 77OO 900982", "call +447700900982",
			"+447700900982 (home)", "ＡＢＣ＋447700900982", "0x2CB417800", "1e10", "NaN", "null", "+44 ７７００ ９００９８二",
			"+44७७००९००९८२", "+44\u1d7d7\u1d7d7\u1d7ce00900982", "⁺447700900982", "+44①②③④⑤⑥⑦⑧⑨⑩",

			// Extensions, pauses, what is dialled after the answer (T62).
			"+447700900982x12", "+447700900982 ext. 12", "+447700900982;ext=12", "+447700900982 #12",
			"+447700900982,,12#", "+447700900982,12", "+447700900982;12", "+447700900982p12", "+447700900982w12",
			"+44 7700 900982~12", "*31#+447700900982", "#31#07700900982", "*#06#", "+447700900982*",
			"+447700900982;isub=1", "+447700900982;phone-context=+44", "7700900982;phone-context=+44",

			// Other notations.
			"tel:+447700900982", "TEL:+44-7700-900982", "sms:+447700900982", "sip:+447700900982@example.com",
			"whatsapp:+447700900982", "callto:07700900982", "<+447700900982>", `"+447700900982"`, "'+447700900982'",
			"[+447700900982](tel:+447700900982)", "{+447700900982}", "+44_7700_900982", "+44:7700:900982",
			"alice@example.com", "https://example.com/?to=+447700900982",

			// More than one (T61).
			"+447700900982,+447700900983", "+447700900982 +447700900983", "+447700900982/+447700900983",
			"+447700900982;+447700900983", "+447700900982 & +447700900983", "+447700900982 or +447700900983",
			"07700900982 07700900983", "07700900982/07700900983", "+447700900982 / 07700900983",
			"+447700900982\n+447700900983", "+44 7700 900982\u2028+44 7700 900983",

			// Header injection and controls (T63).
			"+447700900982\r\n", "+447700900982\n", "\r\n+447700900982", "+44\r\n7700900982",
			"+447700900982\r\nBcc: x", "+447700900982\r\nVia: SIP/2.0/UDP x", "+447700900982\x00", "\x00+447700900982",
			"+44\t7700\t900982", "+44\v7700900982", "+44\f7700900982", "+44\u00857700900982", "+44\x1b[31m7700900982",
			"+44\x7f7700900982", "+44\u20297700900982", "+447700900982%0d%0a", "+447700900982&to=+12025550123",
			"\xff+447700900982", "+44\xc07700900982", "+44\xed\xa0\x807700900982", "+447700900982\xe2\x80",

			// + in the wrong place or twice.
			"44+7700900982", "++447700900982", "+44 +7700900982", "447700900982+", "+0044 7700 900982", "00+447700900982",
			"+ 0 7700 900982", "+07700900982", "+(0)7700900982", "+011 44 7700 900982",

			// Well formed, and no number by the data.
			"+1 242 555", "+999 123456789", "+210 123456789", "+1 555 555 0100", "+1 202 155 0123", "+1 000 000 0000",
			"+44 0 0 7700 900982", "+44 1", "+44 7700", "+47 00000000", "+800 123", "+44 999", "+1911", "+1 911",
			"112", "911", "999", "110", "118 118", "12345", "12025", "+44 112",
			"+49 30 1234567890123", // valid for the library, too long for E.164
		} {
			n, facts, err := Rules{DefaultRegion: home}.Parse(typed)
			if outcome(t, err) != "format" || !n.IsZero() || facts != (Facts{}) {
				t.Errorf("default %q, %.80q: %q, %+v, %v, want ErrFormat", home, typed, n.E164(), facts, err)
			}
		}
	}
}

func TestNationalFormNeedsADefaultCountry(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"07700 900982", "(0)7700 900982", "7700900982", "447700900982", "(202) 555-0123", "2025550123",
		"1 202 555 0123", "011 44 7700 900982", "020 7946 0958", "06 1234 5678",
	} {
		for _, home := range []string{"", "ZZ", "001", "gb", "XX"} {
			if _, _, err := (Rules{DefaultRegion: home}).Parse(typed); outcome(t, err) != "format" {
				t.Errorf("default %q, %q: %v, want ErrFormat", home, typed, err)
			}
		}
	}
}

func TestInputIsBoundBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	number := "+447700900982"
	if _, _, err := (Rules{}).Parse(strings.Repeat(" ", maxTyped-len(number)) + number); err != nil {
		t.Errorf("%d bytes: %v", maxTyped, err)
	}
	if _, _, err := (Rules{}).Parse(strings.Repeat(" ", maxTyped-len(number)+1) + number); !errors.Is(err, ErrFormat) {
		t.Errorf("%d bytes: %v, want ErrFormat", maxTyped+1, err)
	}
}

// Nobody has the numbers for films, so the example on our pages is one of them.
func TestOfcomsDramaNumbersAreNumbers(t *testing.T) {
	t.Parallel()
	want := Facts{Region: "GB"}
	for _, typed := range []string{"+447700900000", "+447700900982", "+447700900999"} {
		_, facts, err := Rules{Countries: []string{"GB"}}.Parse(typed)
		if err != nil || facts != want {
			t.Errorf("%s: %+v, %v", typed, facts, err)
		}
	}
	_, _, err := Rules{Countries: []string{"US"}}.Parse("+447700900982")
	if diff := cmp.Diff(&Refused{Reason: "country", Region: "GB"}, err); diff != "" {
		t.Error(diff)
	}
	for _, typed := range []string{"+447700901000", "+447700999999", "+44770090098", "+4477009009820"} {
		if _, _, err := (Rules{}).Parse(typed); outcome(t, err) != "format" {
			t.Errorf("%s: %v, want ErrFormat", typed, err)
		}
	}
}

func TestKnownAsksForTheShapeOnly(t *testing.T) {
	t.Parallel()
	for e164, want := range map[string]Facts{
		"+447700900982":    {Region: "GB"},
		"+442079460958":    {Region: "GB", Landline: true},
		"+12025550123":     {Region: "US"},
		"+390612345678":    {Region: "IT", Landline: true},
		"+3906698123":      {Region: "VA", Landline: true},
		"+447012345678":    {Region: "GB"}, // a kind that gets no codes
		"+19002345678":     {Region: "US"},
		"+870773111632":    {},
		"+999123456789":    {}, // no such calling code
		"+4400000000":      {}, // valid nowhere
		"+12":              {},
		"+491":             {Region: "DE"},
		"+999999999999999": {},
	} {
		n, facts, err := Known(e164)
		if err != nil || n.E164() != e164 || facts != want {
			t.Errorf("Known(%s): %q, %+v, %v, want %+v", e164, n.E164(), facts, err, want)
		}
	}
	for _, text := range []string{
		"", "+", "+1", "447700900982", "07700900982", "+0447700900982", "+44 7700 900982", "+44770090098a",
		"+1234567890123456", "++447700900982", "+447700900982\n", " +447700900982", "+44770090098٢", "+44\x007700900982",
		"+-4477009009", "00447700900982", Redacted,
	} {
		if n, facts, err := Known(text); !errors.Is(err, ErrFormat) || !n.IsZero() || facts != (Facts{}) {
			t.Errorf("Known(%q): %q, %+v, %v, want ErrFormat", text, n.E164(), facts, err)
		}
	}
}
