package phone

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Judge judges a number by the rules of today; to be asked before each send.
// The country comes first: of a country that is not served, nothing is told
// about kinds of numbers.
//
// Errors: *Refused, also for a number that the data no longer calls valid;
// ErrFormat for the zero Number.
func (r Rules) Judge(n Number) (Facts, error) {
	if n.IsZero() {
		return Facts{}, ErrFormat
	}
	found := look(n.E164())
	if reason := r.against(found); reason != "" {
		return Facts{}, &Refused{Reason: reason, Region: found.region}
	}
	return found.facts(), nil
}

// against gives the reason to refuse, "" for none.
func (r Rules) against(found entry) string {
	switch {
	case found.region == "": // a worldwide service, such as satellite: in nobody's list
		return "kind"
	case len(r.Countries) > 0 && !slices.Contains(r.Countries, found.region):
		return "country"
	}
	switch found.kind {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE, phonenumbers.FIXED_LINE:
		return ""
	case phonenumbers.PREMIUM_RATE:
		return "premium_rate"
	case phonenumbers.SHARED_COST:
		return "shared_cost"
	case phonenumbers.VOIP:
		return "voip"
	default: // a kind that the data learns tomorrow gets no codes either
		return "kind"
	}
}

// entry is what the data has on a number; kind is UNKNOWN for one that is not
// valid.
type entry struct {
	region string // ISO 3166, "" for none
	kind   phonenumbers.PhoneNumberType
}

func (e entry) facts() Facts {
	return Facts{Region: e.region, Landline: e.kind == phonenumbers.FIXED_LINE}
}

// dramaPrefix begins the 1000 mobile numbers that Ofcom gives to nobody, for
// films and examples. The data does not call them valid; our pages show one,
// and whoever tries it, or tests with it, is to get on.
const (
	dramaPrefix = "+447700900"
	dramaDigits = 3
)

// look finds a number in the data by its digits exactly as they stand. The
// library's parser would strip or change some of them.
func look(e164 string) entry {
	if strings.HasPrefix(e164, dramaPrefix) && len(e164) == len(dramaPrefix)+dramaDigits {
		return entry{region: "GB", kind: phonenumbers.MOBILE}
	}
	number := split(e164)
	if number == nil {
		return entry{kind: phonenumbers.UNKNOWN}
	}
	region := phonenumbers.GetRegionCodeForNumber(number)
	if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
		region = ""
	}
	return entry{region: region, kind: phonenumbers.GetNumberType(number)}
}

// split takes the country's calling code off; nil when there is none such. No
// calling code is the beginning of another.
func split(e164 string) *phonenumbers.PhoneNumber {
	digits := strings.TrimPrefix(e164, "+")
	for size := 1; size <= phonenumbers.MAX_LENGTH_COUNTRY_CODE && size < len(digits); size++ {
		code, err := strconv.ParseInt(digits[:size], 10, 32)
		if err != nil {
			return nil
		}
		if len(phonenumbers.GetRegionCodesForCountryCode(int(code))) == 0 {
			continue
		}
		national := digits[size:]
		value, err := strconv.ParseUint(national, 10, 64)
		if err != nil {
			return nil
		}
		// The value loses zeros at the front, which Italy's numbers have.
		zeros := len(national) - len(strconv.FormatUint(value, 10))
		leading, count := zeros > 0, int32(zeros)
		country := int32(code)
		return &phonenumbers.PhoneNumber{
			CountryCode: &country, NationalNumber: &value,
			ItalianLeadingZero: &leading, NumberOfLeadingZeros: &count,
		}
	}
	return nil
}

// otherNames are what people write for a country's ISO 3166 code.
var otherNames = map[string]string{"UK": "GB", "EL": "GR"}

// CheckRegion says what is wrong with a country in the configuration, in a
// sentence without a full stop that says what to write; "" when the data knows
// it. Wanted is an ISO 3166 code of two capital letters.
func CheckRegion(code string) string {
	upper := strings.ToUpper(code)
	switch {
	case knows(code):
		return ""
	case knows(upper):
		return fmt.Sprintf("%q is in small letters; write %s", code, upper)
	case otherNames[upper] != "":
		return fmt.Sprintf("%q is not an ISO 3166 code; write %s", code, otherNames[upper])
	case upper == "EU":
		return fmt.Sprintf("%q is not a country; write each that you mean, such as DE FR", code)
	case upper == "AN":
		return fmt.Sprintf("%q is no longer a country; write BQ, CW or SX", code)
	case code == "001" || upper == "ZZ" || upper == "ALL" || code == "*":
		return fmt.Sprintf("%q is not a country; write each that you mean, such as GB US", code)
	}
	if regions := regionsOfCallingCode(code); len(regions) > 0 {
		return fmt.Sprintf("%q is a calling code; write the countries that you mean of %s", code, strings.Join(regions, " "))
	}
	if len(code) == 2 && strings.Trim(upper, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return fmt.Sprintf("%q is not the ISO 3166 code of a country with telephone numbers of its own; write one that is, such as GB", code)
	}
	return fmt.Sprintf("%q is not an ISO 3166 code; write two capital letters, such as GB", code)
}

func knows(region string) bool { return phonenumbers.GetCountryCodeForRegion(region) != 0 }

// regionsOfCallingCode lists the countries of 44 or +44, the main one first.
func regionsOfCallingCode(text string) []string {
	code, err := strconv.Atoi(strings.TrimPrefix(text, "+"))
	if err != nil {
		return nil
	}
	regions := slices.Clone(phonenumbers.GetRegionCodesForCountryCode(code))
	return slices.DeleteFunc(regions, func(region string) bool { return !knows(region) })
}

// CallingCode is a region's country code with its plus, as +44; "" for none.
func CallingCode(region string) string {
	code := phonenumbers.GetCountryCodeForRegion(region)
	if code == 0 {
		return ""
	}
	return "+" + strconv.Itoa(code)
}
