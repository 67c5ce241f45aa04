package bench

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// spread is how measured values lie: median and quartiles.
type spread struct {
	low, median, high float64 // 25, 50 and 75 of 100
	n                 int
}

func spreadOf(values []float64) spread {
	return spread{quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75), len(values)}
}

// quantile is the value below which a share of the values lies, between 0 and 1,
// interpolated between the two nearest.
func quantile[T cmp.Ordered](values []T, share float64) T {
	var none T
	if len(values) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	at := share * float64(len(sorted)-1)
	below := int(math.Floor(at))
	if f, ok := any(sorted).([]float64); ok && below+1 < len(f) {
		return any(f[below] + (at-float64(below))*(f[below+1]-f[below])).(T)
	}
	return sorted[int(math.Round(at))]
}

// ratios pairs the values of two contestants of the same rounds.
func ratios(of, to []float64) []float64 {
	out := make([]float64, len(of))
	for i := range of {
		out[i] = of[i] / to[i]
	}
	return out
}

// differences pairs them likewise.
func differences(of, from []float64) []float64 {
	out := make([]float64, len(of))
	for i := range of {
		out[i] = of[i] - from[i]
	}
	return out
}

// cell writes a spread for a table: the median, and the quartiles in brackets.
func (s spread) cell(format string) string {
	return fmt.Sprintf(format+" ("+format+"–"+format+")", s.median, s.low, s.high)
}
