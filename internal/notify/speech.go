package notify

import (
	"encoding/xml"
	"strings"
)

// A voice is how vendors name who reads a language out: a voice of Amazon
// Polly, and the locale in which it speaks.
type voice struct{ polly, locale string }

// voices by BCP 47 tag, or its first part. No real vendor has confirmed how
// they sound.
var voices = map[string]voice{
	"en":    {"AWS.Polly.Joanna", "en-US"},
	"en-gb": {"AWS.Polly.Amy", "en-GB"},
	"de":    {"AWS.Polly.Vicki", "de-DE"},
	"es":    {"AWS.Polly.Lucia", "es-ES"},
	"fr":    {"AWS.Polly.Celine", "fr-FR"},
	"it":    {"AWS.Polly.Carla", "it-IT"},
	"nl":    {"AWS.Polly.Lotte", "nl-NL"},
	"pl":    {"AWS.Polly.Ewa", "pl-PL"},
	"pt":    {"AWS.Polly.Ines", "pt-PT"},
	"pt-br": {"AWS.Polly.Camila", "pt-BR"},
	"sv":    {"AWS.Polly.Astrid", "sv-SE"},
}

// voiceFor chooses a voice; a language that has none is read out in English.
func voiceFor(language string) (polly, locale string) {
	tag := strings.ToLower(language)
	v, known := voices[tag]
	if !known {
		first, _, _ := strings.Cut(tag, "-")
		if v, known = voices[first]; !known {
			v = voices["en"]
		}
	}
	return v.polly, v.locale
}

// ssml is words in the Speech Synthesis Markup Language: a pause of a second
// after each line.
func ssml(words string) string {
	return "<speak>" + lines(words, "", `<break time="1s"/>`) + "</speak>"
}

// twiml is the same in Twilio's own markup.
func twiml(words, locale string) string {
	return "<Response>" + lines(words, `<Say language="`+locale+`">`, `</Say><Pause length="1"/>`) + "</Response>"
}

// lines escapes each line that says something and puts it between two marks.
func lines(words, before, after string) string {
	var out strings.Builder
	for line := range strings.Lines(words) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		out.WriteString(before)
		_ = xml.EscapeText(&out, []byte(line)) // a Builder takes everything
		out.WriteString(after)
	}
	return out.String()
}

// callsFrom reports whether calls can come from a sender's number. From a short
// code or a name only texts can: people must not be offered calls that fail.
func callsFrom(from string) bool { return strings.HasPrefix(from, "+") }
