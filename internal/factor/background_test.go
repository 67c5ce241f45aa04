package factor

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

// TestPanicInTheBackgroundIsTheCallers: else it would end the program, or
// somebody would wait for ever.
func TestPanicInTheBackgroundIsTheCallers(t *testing.T) {
	t.Parallel()
	defer func() {
		err, _ := recover().(error)
		if err == nil || !strings.HasPrefix(err.Error(), "out of luck\n") || !strings.Contains(err.Error(), "unlucky") {
			t.Errorf("the caller sees %v", err)
		}
	}()
	inBackground(unlucky)()
	t.Error("it went on")
}

func unlucky() { panic(errors.New("out of luck")) }

// TestPanicInALaneIsTheCallers, after the other lanes are done.
func TestPanicInALaneIsTheCallers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var done []uint32
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it went on")
			}
		}()
		eachLane(4, func(lane uint32) {
			mu.Lock()
			defer mu.Unlock()
			if done = append(done, lane); lane == 3 {
				unlucky()
			}
		})
	}()
	mu.Lock()
	defer mu.Unlock()
	if len(done) != 4 {
		t.Errorf("lanes %v", done)
	}
}
