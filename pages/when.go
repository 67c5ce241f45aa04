package pages

import (
	"html"
	"html/template"
	"strconv"
	"time"
)

// unit splits a wait into the key of a message and its number, rounded up so
// that nobody comes back too early: under a minute by tens of seconds.
func unit(d time.Duration) (key string, n int) {
	up := func(by time.Duration) int { return int((d + by - 1) / by) }
	switch {
	case d <= 0:
		return "time.seconds", 10
	case d <= 50*time.Second:
		return "time.seconds", up(10*time.Second) * 10
	case d > 59*time.Minute && d <= time.Hour:
		return "time.hours", 1
	case d <= 2*time.Hour-time.Minute:
		return "time.minutes", up(time.Minute)
	case d <= 47*time.Hour:
		return "time.hours", up(time.Hour)
	default:
		return "time.days", up(24 * time.Hour)
	}
}

// duration is a wait in words.
func (l *language) duration(d time.Duration) (string, error) {
	key, n := unit(d)
	return l.plain(key, Args{"n": n})
}

// countdown is a wait that the script counts down.
type countdown time.Duration

func (l *language) countdown(d time.Duration) (template.HTML, error) {
	text, err := l.duration(d)
	if err != nil {
		return "", err
	}
	seconds := max(0, int((d+time.Second-1)/time.Second))
	return template.HTML(`<span role="timer" data-seconds="` + strconv.Itoa(seconds) + `">` +
		html.EscapeString(text) + `</span>`), nil
}

// moment is a time in UTC with the zone named: {clock} without the date,
// {date} without the clock, any other name with both.
func (l *language) moment(name string, t time.Time) (string, error) {
	t = t.UTC()
	clock := t.Format("15:04")
	if name == "clock" {
		return l.plain("time.clock", Args{"clock": clock})
	}
	month, err := l.plain("month."+strconv.Itoa(int(t.Month())), nil)
	if err != nil {
		return "", err
	}
	args := Args{
		"day": strconv.Itoa(t.Day()), "month": month,
		"year": strconv.Itoa(t.Year()), "clock": clock,
	}
	if name == "date" {
		return l.plain("time.date", args)
	}
	return l.plain("time.moment", args)
}

// timeTag is a moment that the script turns into local time.
func (l *language) timeTag(name string, t time.Time) (template.HTML, error) {
	text, err := l.moment(name, t)
	if err != nil {
		return "", err
	}
	style := "moment"
	if name == "clock" || name == "date" {
		style = name
	}
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) +
		`" data-style="` + style + `">` + html.EscapeString(text) + `</time>`), nil
}
