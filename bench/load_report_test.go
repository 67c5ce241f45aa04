package bench

import (
	"fmt"
	"slices"
	"strings"
)

// The goals of a whole request, as ratios to bare Caddy, and how far the control
// may be from it where the ratios are to be believed.
const (
	leastThroughput = 0.97
	mostCPU         = 1.03
	mostP99         = 1.05
	controlNoise    = 0.01
)

// A measure is one thing that a run is judged by.
type measure struct {
	name  string
	of    func(run) float64
	goal  float64
	least bool // the goal is a lower bound
	// instead is what decides where the ratios cannot be believed.
	instead string
}

var measures = []measure{
	{"Throughput", run.perSecond, leastThroughput, true, "the CPU per request does, and the benchmark of the guard alone"},
	{"CPU per request", run.cpuMicros, mostCPU, false, "the benchmark of the guard alone does"},
	{"99th percentile", run.p99Millis, mostP99, false, "the CPU per request does, and the benchmark of the guard alone"},
}

func (m measure) values(runs []run) []float64 {
	out := make([]float64, len(runs))
	for i, r := range runs {
		out[i] = m.of(r)
	}
	return out
}

// ratio is a contestant's to another, of each round.
func (m measure) ratio(results map[string][]run, name, to string) spread {
	return spreadOf(ratios(m.values(results[name]), m.values(results[to])))
}

func (m measure) reached(ratio float64) bool {
	if m.least {
		return ratio >= m.goal
	}
	return ratio <= m.goal
}

func (m measure) sign() string {
	if m.least {
		return "≥"
	}
	return "≤"
}

// reportLoad writes the tables, then what is reached in all of them.
func reportLoad(s *section, loads []load, results map[load]map[string][]run) {
	s.say("Each cell is the median, with the quartiles in brackets. A ratio is to bare Caddy's run in the same round, %d rounds.",
		len(results[loads[0]][bareCaddy]))
	for _, l := range loads {
		s.say("**%s**", l)
		var rows [][]string
		for _, name := range []string{bareCaddy, control, teller, inRedis, embedded} {
			if len(results[l][name]) == 0 {
				continue
			}
			row := []string{name}
			for i, format := range []string{"%.0f", "%.1f", "%.2f"} {
				row = append(row, spreadOf(measures[i].values(results[l][name])).cell(format))
			}
			for _, m := range measures {
				row = append(row, m.ratio(results[l], name, bareCaddy).cell("%.3f"))
			}
			rows = append(rows, row)
		}
		s.table([]string{"", "requests/s", "CPU µs/request", "99th percentile, ms", "throughput ÷ bare", "CPU ÷ bare", "99th percentile ÷ bare"}, rows)
	}
	for _, m := range measures {
		m.claims(s, loads, results)
	}
}

// claims says for one measure what is reached in all loads, and whether the
// control lets that be believed.
func (m measure) claims(s *section, loads []load, results map[load]map[string][]run) {
	medians := func(name, to string) (out []float64, text string) {
		for _, l := range loads {
			if l.by == aPage {
				out = append(out, m.ratio(results[l], name, to).median)
			}
		}
		return out, strings.Trim(fmt.Sprintf("%.3f", out), "[]")
	}
	noise, text := medians(control, bareCaddy)
	verdict := "so these ratios decide"
	if slices.Min(noise) < 1-controlNoise || slices.Max(noise) > 1+controlNoise {
		verdict = "so these ratios decide nothing: " + m.instead
	}
	s.say("**%s ÷ bare** of the loads in their order above. The control is at %s, %s.", m.name, text, verdict)
	for _, name := range []string{inRedis, embedded} {
		ratios, text := medians(name, bareCaddy)
		holds := !slices.ContainsFunc(ratios, func(r float64) bool { return !m.reached(r) })
		s.claim(holds, "%s %s %.2f: %s", name, m.sign(), m.goal, text)
	}
	if *quick { // without the teller
		return
	}
	_, first := medians(inRedis, teller)
	_, second := medians(embedded, teller)
	s.say("To bare Caddy that sends the same headers: Redis %s, embedded %s.", first, second)
}
