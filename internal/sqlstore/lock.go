package sqlstore

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// locks are the lock files that this process holds, by path. They belong to
// the process and not to a store: a reload may open the new configuration's
// store before it closes the old one's.
var locks = struct {
	sync.Mutex
	held map[string]*fileLock
}{held: map[string]*fileLock{}}

type fileLock struct {
	file *os.File
	uses int
}

// lockFile takes the exclusive lock <path>.lock for this process, or counts
// one more use of it. ErrLocked when another process has it. The operating
// system frees it when the process ends in any way; the file itself stays,
// since removing it would let two processes lock two files of one name.
func lockFile(path string) (release func() error, err error) {
	path, err = filepath.Abs(path + ".lock")
	if err != nil {
		return nil, err
	}
	locks.Lock()
	defer locks.Unlock()
	held := locks.held[path]
	if held == nil {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lockExclusively(f); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		held = &fileLock{file: f}
		locks.held[path] = held
	}
	held.uses++
	return sync.OnceValue(func() error { return unlockFile(path) }), nil
}

func unlockFile(path string) error {
	locks.Lock()
	defer locks.Unlock()
	held := locks.held[path]
	held.uses--
	if held.uses > 0 {
		return nil
	}
	delete(locks.held, path)
	return held.file.Close()
}
