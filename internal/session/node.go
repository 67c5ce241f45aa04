package session

// Node is one gateway process as the others know it. It says so again and
// again; one that falls silent is forgotten.
type Node struct {
	// Name is what an operator finds it by: its machine and process.
	Name string
	// Hosts are the patterns of hosts that it protects, lower-case.
	Hosts []string
	// Ring is the fingerprint of its key ring.
	Ring string
	// Keys are the keys that it can check values with, as "cookie/2": purpose
	// and version, never a key itself.
	Keys []string
}
