package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/user"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/sallyport-auth/sallyport/internal/keyring"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// callLife is how long a command waits for its answer.
const callLife = adminLife + 5*time.Second

// maxAnswer bounds what a command reads.
const maxAnswer = 64 << 20

// call makes one call and reads its result. Warnings go to standard error.
func (f *adminFlags) call(c *cobra.Command, name string, arguments, result any) error {
	p, response, err := f.send(c.Context(), name, arguments, callLife)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := readAnswer(p, response)
	if err != nil {
		return err
	}
	for _, w := range answer.Warnings {
		c.PrintErrln("Warning:", harmless(w))
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return differentReleases(p)
	}
	return nil
}

func differentReleases(p place) error {
	return refusedError("the answer of %s cannot be read: command and server are of different releases", p.address)
}

// send makes one call, whose answer has to be read within life, 0 for no bound.
func (f *adminFlags) send(ctx context.Context, name string, arguments any, life time.Duration) (place, *http.Response, error) {
	p, err := f.place()
	if err != nil {
		return p, nil, err
	}
	client, origin, err := adminClient(p.address)
	if err != nil {
		return p, nil, err
	}
	client.Timeout = callLife
	request, err := f.request(p, origin, name, arguments)
	if err != nil {
		// Without a ring there may be no Sallyport either: say that first.
		if running := reachable(client, origin); running != nil {
			return p, nil, notRunning(p.address, running)
		}
		return p, nil, err
	}
	client.Timeout = life
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return p, nil, notRunning(p.address, err)
	}
	return p, response, nil
}

// request makes a signed call.
func (f *adminFlags) request(p place, origin, name string, arguments any) (*http.Request, error) {
	ring, err := keyring.Load(p.keys)
	if err != nil {
		return nil, refusedError("%w: calls are signed with the key ring; run this as the user that Sallyport runs as, or say --keys", err)
	}
	raw, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(adminEnvelope{Actor: osUser(), Reason: f.reason, Nonce: secret.Token(16).Reveal(), Arguments: raw})
	if err != nil {
		return nil, err
	}
	if bound := maxBody(name); int64(len(body)) > bound {
		return nil, refusedError("that is more than the %d MiB of one call: split the file", bound>>20)
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, origin+adminPath+name, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	// What Caddy's `enforce_origin` looks at; never Origin, which is refused.
	r.Header.Set("Referer", origin)
	signAdmin(ring, r, body, time.Now())
	return r, nil
}

// osUser is the operator, as far as the system knows.
func osUser() string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "unknown"
	}
	return u.Username
}

// adminClient speaks to an address in Caddy's own form.
func adminClient(address string) (*http.Client, string, error) {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil || parsed.PortRangeSize() > 1 || parsed.IsFdNetwork() {
		return nil, "", usageError("%q is no address of an admin endpoint: write unix//path/to/socket or host:port", address)
	}
	network, dial, origin := parsed.Network, parsed.JoinHostPort(0), "http://"+parsed.JoinHostPort(0)
	if parsed.IsUnixNetwork() {
		dial, _, _ = strings.Cut(parsed.Host, "|") // the socket's permissions
		origin = "http://127.0.0.1"
	}
	// One call, one connection: a file may be a thousand calls.
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, dial)
	}}
	// A signed call is for this address alone: no redirect takes it elsewhere.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}, origin, nil
}

func reachable(client *http.Client, origin string) error {
	response, err := client.Head(origin + adminPath)
	if err == nil {
		_ = response.Body.Close()
	}
	return err
}

func notRunning(address string, err error) error {
	return exitWith(exitNotRunning, fmt.Errorf("no running Sallyport at %s: %w", address, err))
}

// readAnswer tells a refusal from something that is no Sallyport at all.
func readAnswer(p place, r *http.Response) (*adminAnswer, error) {
	text, err := readText(p, r)
	if err != nil {
		return nil, err
	}
	if r.StatusCode == http.StatusOK {
		answer := new(adminAnswer)
		if json.Unmarshal(text, answer) == nil && len(answer.Result) > 0 {
			return answer, nil
		}
	}
	return nil, readRefusal(p, r, text)
}

func readText(p place, r *http.Response) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return nil, brokeOff(p, err)
	}
	return text, nil
}

func brokeOff(p place, err error) error {
	return refusedError("the answer of %s broke off: %w", p.address, err)
}

// readRefusal is the error for an answer that is none to the call.
func readRefusal(p place, r *http.Response, text []byte) error {
	told := new(problem)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(text, told) != nil {
		return notRunning(p.address, fmt.Errorf("what answers there is not Sallyport (%s)", r.Status))
	}
	return refusedBy(p, told)
}

// refusedBy is a problem that the server told.
func refusedBy(p place, told *problem) error {
	told.Detail = harmless(told.Detail) // whoever answered
	switch told.Code {
	case codeNoApp:
		return notRunning(p.address, told)
	case codeUnsigned:
		return refusedError("%w; signed with %s", told, p.keys)
	}
	return exitWith(exitRefused, told)
}
