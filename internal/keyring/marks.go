package keyring

import (
	"encoding/base64"
	"fmt"
)

// Mark is what a database remembers of one key: enough to know it again, and
// nothing to use it with.
type Mark struct {
	Key   string // purpose and version, such as cookie/2
	Check string // 22 characters derived from the key, one way
	State State
}

// Marks lists the marks of all keys, retired ones too.
func (r *Ring) Marks() []Mark {
	marks := make([]Mark, len(r.keys))
	for i, k := range r.keys {
		marks[i] = Mark{
			Key:   fmt.Sprintf("%s/%d", k.Purpose, k.Version.Version),
			Check: base64.RawURLEncoding.EncodeToString(derive(k, "mark", 16)),
			State: k.State,
		}
	}
	return marks
}
