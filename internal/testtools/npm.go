package testtools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// NPMModules is a folder node_modules that the arguments of npm made among the
// files: once, and then it is kept in the user's cache under the name, which
// has to change with what is in it. No script of a package runs.
func NPMModules(npm, name string, files map[string][]byte, args ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	kept := filepath.Join(cache, "sallyport-tests", name)
	modules := filepath.Join(kept, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return "", err
	}
	// Beside its place, so that what is half there is never taken for all.
	dir, err := os.MkdirTemp(filepath.Dir(kept), name+"-new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.Command(npm, append(args, "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm: %w\n%s", err, out)
	}
	if err := os.Rename(dir, kept); err != nil {
		if _, there := os.Stat(modules); there != nil { // else another process was faster
			return "", err
		}
	}
	return modules, nil
}
