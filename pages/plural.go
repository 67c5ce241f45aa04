package pages

// plural is the CLDR plural category of a whole number. A language that is not
// listed counts as English does.
func plural(lang string, n int) string {
	switch lang {
	case "ja":
		return "other"
	case "fr":
		if n == 0 || n == 1 {
			return "one"
		}
	case "ar":
		switch r := n % 100; {
		case n == 0:
			return "zero"
		case n == 1:
			return "one"
		case n == 2:
			return "two"
		case r >= 3 && r <= 10:
			return "few"
		case r >= 11:
			return "many"
		}
	default:
		if n == 1 {
			return "one"
		}
	}
	return "other"
}

// direction is how the language is written.
func direction(lang string) string {
	switch lang {
	case "ar", "fa", "he", "ur":
		return "rtl"
	}
	return "ltr"
}
