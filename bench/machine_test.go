package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
)

// machine describes the computer: its cores, their kind, memory and kernel.
func machine() string {
	cpu := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`model name\s*: (.*)`).FindSubmatch(info); m != nil {
			cpu = string(bytes.TrimSpace(m[1]))
		}
	}
	memory := ""
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb int
		if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kb); err == nil {
			memory = fmt.Sprintf(", %.0f GiB", float64(kb)/(1<<20))
		}
	}
	return fmt.Sprintf("%d cores, %s%s, %s", runtime.NumCPU(), cpu, memory, firstLine("uname", "-sr"))
}

// toolVersions are those of the programs that take part.
func toolVersions() []string {
	var out []string
	for _, t := range []struct {
		pattern string
		command []string
	}{
		{`v=([\d.]+)`, []string{"redis-server", "--version"}},
		{`wrk (\S+)`, []string{"wrk", "-v"}},
		{`nghttp2/([\d.]+)`, []string{"h2load", "--version"}},
	} {
		text, _ := exec.Command(t.command[0], t.command[1:]...).CombinedOutput() // wrk -v exits with 1
		if m := regexp.MustCompile(t.pattern).FindSubmatch(text); m != nil {
			out = append(out, t.command[0]+" "+string(m[1]))
		}
	}
	if m := regexp.MustCompile(`v\d\S+`).FindString(firstLine("go", "list", "-m", "github.com/caddyserver/caddy/v2")); m != "" {
		out = append(out, "Caddy "+m)
	}
	return out
}

func firstLine(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output()
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
