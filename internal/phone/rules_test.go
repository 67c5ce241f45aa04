package phone

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
)

// One calling code is no country: `countries US` permits no number of Jamaica.
func TestCountryIsToldBeyondTheCallingCode(t *testing.T) {
	t.Parallel()
	plans := map[string]map[string]string{
		"1": {
			"+12025550123": "US", "+12125550100": "US", "+18085550123": "US", "+15062345678": "CA", "+14165550123": "CA",
			"+12423591234": "BS", "+12462501234": "BB", "+12642351234": "AI", "+12684641234": "AG", "+12843001234": "VG",
			"+13406421234": "VI", "+13453231234": "KY", "+14413701234": "BM", "+14734031234": "GD", "+16492311234": "TC",
			"+16582101234": "JM", "+18762101234": "JM", "+16644923456": "MS", "+16702345678": "MP", "+16713001234": "GU",
			"+16847331234": "AS", "+17215205678": "SX", "+17582845678": "LC", "+17672251234": "DM", "+17844301234": "VC",
			"+17872345678": "PR", "+19392345678": "PR", "+18092345678": "DO", "+18292345678": "DO", "+18492345678": "DO",
			"+18682911234": "TT", "+18697652917": "KN",
		},
		"44":  {"+447400123456": "GB", "+447781123456": "GG", "+447797712345": "JE", "+447624123456": "IM", "+441534456789": "JE"},
		"7":   {"+79123456789": "RU", "+77710009998": "KZ", "+77123456789": "KZ"},
		"39":  {"+390612345678": "IT", "+3906698123": "VA"},
		"47":  {"+4740612345": "NO", "+4779123456": "SJ"},
		"61":  {"+61412345678": "AU", "+61891641234": "CX", "+61891621234": "CC"},
		"212": {"+212650123456": "MA"},
		"262": {"+262692123456": "RE", "+262639012345": "YT"},
		"358": {"+358412345678": "FI", "+358181234567": "AX"},
		"590": {"+590690001234": "GP"},
		"599": {"+59995181234": "CW", "+5993181234": "BQ"},
		"290": {"+29051234": "SH", "+2908999": "TA"},
	}
	for code, numbers := range plans {
		for e164, region := range numbers {
			n, facts, err := Rules{Countries: []string{"ZM", region}}.Parse(e164)
			if err != nil || facts.Region != region || n.E164() != e164 {
				t.Errorf("%s: %q %+v, %v, want %s", e164, n.E164(), facts, err, region)
			}
			var others []string
			for _, other := range phonenumbers.GetRegionCodesForCountryCode(phonenumbers.GetCountryCodeForRegion(region)) {
				if other != region {
					others = append(others, other)
				}
			}
			_, _, err = Rules{Countries: append(others, "ZM")}.Parse(e164)
			if diff := cmp.Diff(error(&Refused{Reason: "country", Region: region}), err); diff != "" {
				t.Errorf("%s with every other country of +%s:\n%s", e164, code, diff)
			}
		}
	}
}

func TestKindsThatGetNoCodes(t *testing.T) {
	t.Parallel()
	for e164, want := range map[string]Refused{
		"+19002345678":    {"premium_rate", "US"},
		"+449012345678":   {"premium_rate", "GB"},
		"+499001234567":   {"premium_rate", "DE"},
		"+33891123456":    {"premium_rate", "FR"},
		"+448431234567":   {"premium_rate", "GB"},
		"+611300123456":   {"shared_cost", "AU"},
		"+491801123456":   {"shared_cost", "DE"},
		"+445612345678":   {"voip", "GB"},
		"+33912345678":    {"voip", "FR"},
		"+815012345678":   {"voip", "JP"},
		"+447012345678":   {"kind", "GB"}, // personal: follows its owner, at the caller's expense
		"+447640123456":   {"kind", "GB"}, // pager
		"+445512345678":   {"kind", "GB"}, // company
		"+443069990123":   {"kind", "GB"},
		"+448001234567":   {"kind", "GB"}, // toll-free
		"+18002345678":    {"kind", "US"},
		"+15002345678":    {"kind", "US"},
		"+498001234567":   {"kind", "DE"},
		"+49177991234567": {"kind", "DE"}, // voice mail
		"+870773111632":   {"kind", ""},   // Inmarsat
		"+881612345678":   {"kind", ""},   // Iridium
		"+8823421234":     {"kind", ""},
		"+883510012345":   {"kind", ""},
		"+80012345678":    {"kind", ""},
		"+80812345678":    {"kind", ""},
		"+88812345678901": {"kind", ""},
		"+979123456789":   {"kind", ""}, // premium rate of the world
	} {
		_, _, err := Rules{}.Parse(e164)
		if diff := cmp.Diff(error(&want), err); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", e164, diff)
		}
	}
}

func TestCountryIsJudgedBeforeKind(t *testing.T) {
	t.Parallel()
	rules := Rules{Countries: []string{"CA", "GB"}}
	for typed, want := range map[string]string{
		"+19002345678":      "country",
		"+18002345678":      "country", // the data counts North America's toll-free numbers as of the US
		"+499001234567":     "country",
		"+449012345678":     "premium_rate",
		"+442079460958":     "",
		"+14165550123":      "",
		"+12025550123":      "country",
		"+870773111632":     "kind",
		"+19002345678;ext=": "format",
	} {
		_, _, err := rules.Parse(typed)
		if got := outcome(t, err); got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
}

func TestStoredNumberIsJudgedByTheRulesOfToday(t *testing.T) {
	t.Parallel()
	n, before, err := Rules{DefaultRegion: "GB"}.Parse("020 7946 0958")
	if err != nil {
		t.Fatal(err)
	}
	stored, facts, err := Known(n.E164())
	if err != nil || facts != before || !before.Landline {
		t.Fatalf("%+v, then %+v, %v", before, facts, err)
	}
	if judged, err := (Rules{Countries: []string{"US", "GB"}}).Judge(stored); err != nil || judged != facts {
		t.Errorf("permitted: %+v, %v", judged, err)
	}
	judged, err := Rules{Countries: []string{"US"}}.Judge(stored)
	if diff := cmp.Diff(error(&Refused{Reason: "country", Region: "GB"}), err); diff != "" || judged != (Facts{}) {
		t.Errorf("no longer permitted: %+v\n%s", judged, diff)
	}
	for e164, want := range map[string]Refused{
		"+447012345678": {"kind", "GB"},
		"+449012345678": {"premium_rate", "GB"},
		"+870773111632": {"kind", ""},
		"+999123456789": {"kind", ""}, // the data has lost its calling code
		"+491":          {"kind", "DE"},
	} {
		stored, _, err := Known(e164)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = (Rules{}).Judge(stored); !cmp.Equal(err, error(&want)) {
			t.Errorf("%s: %v, want %+v", e164, err, want)
		}
	}
	if _, err := (Rules{}).Judge(Number{}); !errors.Is(err, ErrFormat) {
		t.Errorf("no number: %v", err)
	}
}

func TestLandlineIsToldWhereTheDataKnows(t *testing.T) {
	t.Parallel()
	for e164, want := range map[string]bool{
		"+442079460958": true, "+493023125123": true, "+390612345678": true, "+33123456789": true, "+81312345678": true,
		"+447400123456": false, "+61491570006": false, "+819012345678": false,
		"+12025550123": false, "+14165550123": false, // North America cannot tell
	} {
		if _, facts, err := (Rules{}).Parse(e164); err != nil || facts.Landline != want {
			t.Errorf("%s: %+v, %v, want landline %v", e164, facts, err, want)
		}
	}
}

func TestCheckRegionSaysWhatToWrite(t *testing.T) {
	t.Parallel()
	for _, region := range supportedRegions() {
		if fault := CheckRegion(region); fault != "" {
			t.Errorf("%s: %s", region, fault)
		}
		small := strings.ToLower(region)
		if want := `"` + small + `" is in small letters; write ` + region; CheckRegion(small) != want {
			t.Errorf("%s: %q, want %q", small, CheckRegion(small), want)
		}
	}
	for code, want := range map[string]string{
		"Gb":      `"Gb" is in small letters; write GB`,
		"UK":      `"UK" is not an ISO 3166 code; write GB`,
		"uk":      `"uk" is not an ISO 3166 code; write GB`,
		"EL":      `"EL" is not an ISO 3166 code; write GR`,
		"EU":      `"EU" is not a country; write each that you mean, such as DE FR`,
		"AN":      `"AN" is no longer a country; write BQ, CW or SX`,
		"001":     `"001" is not a country; write each that you mean, such as GB US`,
		"ZZ":      `"ZZ" is not a country; write each that you mean, such as GB US`,
		"*":       `"*" is not a country; write each that you mean, such as GB US`,
		"all":     `"all" is not a country; write each that you mean, such as GB US`,
		"44":      `"44" is a calling code; write the countries that you mean of GB GG IM JE`,
		"+49":     `"+49" is a calling code; write the countries that you mean of DE`,
		"7":       `"7" is a calling code; write the countries that you mean of RU KZ`,
		"870":     `"870" is not an ISO 3166 code; write two capital letters, such as GB`,
		"-44":     `"-44" is not an ISO 3166 code; write two capital letters, such as GB`,
		"AQ":      `"AQ" is not the ISO 3166 code of a country with telephone numbers of its own; write one that is, such as GB`,
		"XX":      `"XX" is not the ISO 3166 code of a country with telephone numbers of its own; write one that is, such as GB`,
		"GBR":     `"GBR" is not an ISO 3166 code; write two capital letters, such as GB`,
		"Germany": `"Germany" is not an ISO 3166 code; write two capital letters, such as GB`,
		"":        `"" is not an ISO 3166 code; write two capital letters, such as GB`,
		"GB,US":   `"GB,US" is not an ISO 3166 code; write two capital letters, such as GB`,
		"G\n":     `"G\n" is not an ISO 3166 code; write two capital letters, such as GB`,
	} {
		if got := CheckRegion(code); got != want {
			t.Errorf("%q:\n got %s\nwant %s", code, got, want)
		}
	}
}
