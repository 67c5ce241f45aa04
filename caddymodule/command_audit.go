package caddymodule

import (
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
)

func auditCommand() *cobra.Command {
	f := new(adminFlags)
	var said auditArguments
	var since string
	c := &cobra.Command{
		Use:   "audit [--account NAME] [--id REFERENCE] [--since 24h|TIME] [--limit N]",
		Short: "Lists security events, newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if said.Since, err = sinceTime(since, time.Now()); err != nil {
				return err
			}
			if said.Limit < 1 || said.Limit > maxEvents {
				return usageError("--limit is from 1 to %d", maxEvents)
			}
			var list eventList
			if err := f.call(c, "audit", said, &list); err != nil {
				return err
			}
			return f.print(c, list, func(p *printer) { list.people(p) })
		},
	}
	f.on(c)
	flags := c.Flags()
	flags.StringVar(&said.Account, "account", "", "only events of this account")
	flags.StringVar(&said.Request, "id", "", "only events of the request with this reference, which refusal pages show")
	flags.StringVar(&since, "since", "", "only events since then: 30m, 24h, 30d, or a time such as 2026-05-01T08:00:00Z")
	flags.IntVar(&said.Limit, "limit", 100, "at most so many events")
	return c
}

// maxEvents is the most events of one listing.
const maxEvents = 10_000

// sinceTime reads how long ago, or when.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := caddy.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageError("--since %q: write how long ago, such as 24h or 30d, or a time such as 2026-05-01T08:00:00Z", text)
	}
	return t, nil
}

func (l eventList) people(p *printer) {
	var rows [][]string
	for _, e := range l.Events {
		times := ""
		if e.Count > 1 {
			times = strconv.Itoa(e.Count)
		}
		rows = append(rows, []string{when(e.Time), e.Event, times, e.Subject, e.Actor, strings.TrimSpace(e.Method + " " + e.Country), e.Network, e.Host, e.Reason})
	}
	p.table("TIME,EVENT,TIMES,ACCOUNT,ACTOR,WITH,NETWORK,HOST,REASON", rows)
}
