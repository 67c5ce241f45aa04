package caddymodule

import (
	"net/http"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// maxResets bounds one file of accounts that lost their second factors.
const maxResets = 1_000

// namedLine is an account that a line of a file names.
type namedLine struct {
	Line    int    `json:"line"`
	Account string `json:"account"`
}

// resetCheckArguments are all lines of a file.
type resetCheckArguments struct {
	Lines []namedLine `json:"lines"`
}

// resetCheck says whose second factors can be reset, by the accounts' names,
// and what is wrong with the other lines.
type resetCheck struct {
	Ready  []namedLine `json:"ready"`
	Faults []lineFault `json:"faults"`
}

// checkResets judges a file as resetSecondFactor would judge each line. It
// changes nothing; the resets are calls of their own, so that each is audited
// like any other, and one that fails undoes no other.
func checkResets(o *operation, said resetCheckArguments) (any, error) {
	switch n := len(said.Lines); {
	case n == 0:
		return nil, refuseValue("the file names no account")
	case n > maxResets:
		return nil, refuseValue("a file names at most %d accounts: split it", maxResets)
	}
	if _, err := o.app.pagesOrigin(); err != nil { // else it would be every line's fault
		return nil, err
	}
	defer func() { o.about = account.Account{} }() // the event is of all of them
	told := resetCheck{Ready: []namedLine{}, Faults: []lineFault{}}
	seen := map[account.ID]int{}
	for _, l := range said.Lines {
		a, err := o.canTakeLink(l.Account)
		if err == nil && seen[a.ID] > 0 {
			err = refuseValue("%s is in line %d too", a.Name, seen[a.ID])
		}
		if err != nil {
			if problemOf(err).Status >= http.StatusInternalServerError {
				return nil, err // a store is away, which is no fault of the line's
			}
			told.Faults = append(told.Faults, lineFault{l.Line, problemOf(err).Detail})
			continue
		}
		seen[a.ID] = l.Line
		told.Ready = append(told.Ready, namedLine{l.Line, a.Name})
	}
	return told, nil
}
