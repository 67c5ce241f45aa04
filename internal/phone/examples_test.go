package phone

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
)

// policy is C4 said once more: the reason that each kind of number is refused
// for, "" for those that get codes.
var policy = map[phonenumbers.PhoneNumberType]string{
	phonenumbers.FIXED_LINE:           "",
	phonenumbers.MOBILE:               "",
	phonenumbers.FIXED_LINE_OR_MOBILE: "",
	phonenumbers.PREMIUM_RATE:         "premium_rate",
	phonenumbers.SHARED_COST:          "shared_cost",
	phonenumbers.VOIP:                 "voip",
	phonenumbers.TOLL_FREE:            "kind",
	phonenumbers.PERSONAL_NUMBER:      "kind",
	phonenumbers.PAGER:                "kind",
	phonenumbers.UAN:                  "kind",
	phonenumbers.VOICEMAIL:            "kind",
}

// sharedWith are the countries whose numbers, all or those of mobiles, cannot
// be told from another's: a number counts as the first of that plan.
var sharedWith = map[string][]string{
	"AX": {"FI"}, "BL": {"GP"}, "CC": {"AU"}, "CX": {"AU"}, "EH": {"MA"},
	"IM": {"GB"}, "MF": {"BL", "GP"}, "SJ": {"NO"}, "VA": {"IT"},
}

func supportedRegions() []string {
	return slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions()))
}

// outcome is what Parse said, in one comparable text: "" for accepted.
func outcome(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused.Reason
	}
	if errors.Is(err, ErrFormat) {
		return "format"
	}
	t.Fatalf("an error of another kind: %v", err)
	return ""
}

func TestEveryKindOfEveryCountryIsJudgedByThePolicy(t *testing.T) {
	t.Parallel()
	tried := map[string]int{}
	shared := map[string][]string{}
	for _, region := range supportedRegions() {
		for kind, want := range policy {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			e164 := phonenumbers.Format(example, phonenumbers.E164)
			national := phonenumbers.Format(example, phonenumbers.NATIONAL)
			if e164 == "+5491123456789" {
				national = "011 15-2345-6789" // the library writes 09 15-2345-6789, which nobody can dial
			}
			tried[want]++
			for typed, rules := range map[string]Rules{
				e164: {},
				phonenumbers.Format(example, phonenumbers.INTERNATIONAL): {},
				national: {DefaultRegion: region},
			} {
				n, facts, err := rules.Parse(typed)
				if got := outcome(t, err); got != want {
					t.Errorf("%s, kind %d, %q: %q, want %q", region, kind, typed, got, want)
					continue
				}
				if err != nil {
					if !n.IsZero() || facts != (Facts{}) {
						t.Errorf("%s: refused with a number or facts %+v", typed, facts)
					}
					continue
				}
				if n.E164() != e164 {
					t.Errorf("%s: %q gives %s, want %s", region, typed, n.E164(), e164)
				}
				if facts.Region != region && !slices.Contains(shared[region], facts.Region) {
					shared[region] = append(shared[region], facts.Region)
				}
			}
		}
	}
	for _, others := range shared {
		slices.Sort(others)
	}
	if diff := cmp.Diff(sharedWith, shared); diff != "" {
		t.Errorf("countries that are taken for another (-want +got):\n%s", diff)
	}
	for want, least := range map[string]int{"": 700, "kind": 300, "premium_rate": 100, "shared_cost": 40, "voip": 80} {
		if tried[want] < least {
			t.Errorf("only %d examples for %q: the data has shrunk, or is not read", tried[want], want)
		}
	}
}

// Whatever the default country, the stored form means the same number.
func TestStoredFormMeansTheSameUnderEveryDefault(t *testing.T) {
	t.Parallel()
	regions := supportedRegions()
	for i, region := range regions {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE} {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			e164 := phonenumbers.Format(example, phonenumbers.E164)
			stored, facts, err := Known(e164)
			if err != nil {
				t.Errorf("Known(%s): %v", e164, err)
				continue
			}
			for _, home := range []string{"", region, "US", regions[(i+7)%len(regions)]} {
				n, again, err := Rules{DefaultRegion: home}.Parse(e164)
				if err != nil || !n.Equal(stored) || again != facts {
					t.Errorf("%s with default %q: %s %+v %v", e164, home, n.E164(), again, err)
				}
			}
			if judged, err := (Rules{Countries: []string{facts.Region}}).Judge(stored); err != nil || judged != facts {
				t.Errorf("%s judged again: %+v, %v", e164, judged, err)
			}
		}
	}
}

func TestAlteredExamplesStayWithTheirCountry(t *testing.T) {
	t.Parallel()
	accepted := 0
	for _, region := range supportedRegions() {
		example := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE)
		if example == nil {
			continue
		}
		e164 := phonenumbers.Format(example, phonenumbers.E164)
		code := "+" + strconv.Itoa(int(example.GetCountryCode()))
		for i := len(code); i < len(e164); i++ {
			for digit := '0' + rune(i%5); digit <= '9'; digit += 5 {
				typed := e164[:i] + string(digit) + e164[i+1:]
				n, facts, err := Rules{}.Parse(typed)
				if err != nil {
					continue
				}
				accepted++
				if got := phonenumbers.GetCountryCodeForRegion(facts.Region); "+"+strconv.Itoa(got) != code {
					t.Errorf("%s is of %s, calling code %d", typed, facts.Region, got)
				}
				if again, _, err := (Rules{}).Parse(n.E164()); err != nil || !again.Equal(n) {
					t.Errorf("%s gives %s, and that gives %s, %v", typed, n.E164(), again.E164(), err)
				}
			}
		}
	}
	if accepted < 1500 {
		t.Errorf("only %d altered numbers were accepted: the test tries too little", accepted)
	}
}

func TestWorldwideServicesGetNoCodes(t *testing.T) {
	t.Parallel()
	tried := 0
	for code := range phonenumbers.GetSupportedGlobalNetworkCallingCodes() {
		example := phonenumbers.GetExampleNumberForNonGeoEntity(code)
		if example == nil {
			t.Errorf("no example of +%d", code)
			continue
		}
		tried++
		for _, rules := range []Rules{{}, {Countries: []string{"GB", "001", ""}}, {DefaultRegion: "US"}} {
			_, _, err := rules.Parse(phonenumbers.Format(example, phonenumbers.E164))
			refused, ok := errors.AsType[*Refused](err)
			if !ok || *refused != (Refused{Reason: "kind"}) {
				t.Errorf("+%d: %v", code, err)
			}
		}
	}
	if tried < 9 {
		t.Errorf("only %d calling codes", tried)
	}
}

func TestShortAndEmergencyNumbersAreNone(t *testing.T) {
	t.Parallel()
	data, err := phonenumbers.ShortNumberMetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, country := range data.GetMetadata() {
		region, code := country.GetId(), "+"+strconv.Itoa(phonenumbers.GetCountryCodeForRegion(country.GetId()))
		for _, kind := range []*phonenumbers.PhoneNumberDesc{
			country.GetEmergency(), country.GetShortCode(), country.GetPremiumRate(), country.GetStandardRate(),
			country.GetTollFree(), country.GetSmsServices(), country.GetCarrierSpecific(),
		} {
			short := kind.GetExampleNumber()
			if short == "" {
				continue
			}
			tried++
			for _, typed := range []string{short, code + short, "00" + code[1:] + short} {
				if n, facts, err := (Rules{DefaultRegion: region}).Parse(typed); err == nil {
					t.Errorf("%s %s is accepted as %s %+v", region, typed, n.E164(), facts)
				}
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d short numbers", tried)
	}
}
