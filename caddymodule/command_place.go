package caddymodule

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"
)

// adminFlags are those of every command that calls a running Sallyport.
type adminFlags struct {
	address, config, keys, reason string
	json                          bool
}

func (f *adminFlags) on(c *cobra.Command) {
	flags := c.PersistentFlags()
	flags.StringVar(&f.address, "address", "", "Caddy's admin endpoint, such as unix//run/sallyport/admin.sock; else CADDY_ADMIN, else what the configuration says")
	flags.StringVar(&f.config, "config", "", "the configuration file that says where the admin endpoint and the key ring are (default ./Caddyfile, if there is one)")
	flags.StringVar(&f.keys, "keys", "", "the key ring's file, which signs the call (default what the configuration says)")
	flags.StringVar(&f.reason, "reason", "", "why you do this, for the audit")
	flags.BoolVar(&f.json, "json", false, "print JSON")
}

// place is where a running Sallyport is called, and what signs the call.
type place struct {
	address string
	keys    string
}

// place finds the admin endpoint and the key ring. The configuration is read
// only for what was not said otherwise.
func (f *adminFlags) place() (place, error) {
	p := place{address: f.address, keys: f.keys}
	if p.address == "" {
		p.address = os.Getenv("CADDY_ADMIN")
	}
	if p.address != "" && p.keys != "" {
		return p, nil
	}
	said, err := f.readConfig()
	if err != nil {
		return p, err
	}
	if p.address == "" {
		if said.Admin.Disabled {
			return p, exitWith(exitNotRunning, errors.New("no running Sallyport can be called: the configuration turns the admin endpoint off"))
		}
		or(&said.Admin.Listen, caddy.DefaultAdminListen)
		p.address = said.Admin.Listen
	}
	if p.keys == "" {
		p.keys, err = keysPlace(said.Apps.Sallyport.Keys)
	}
	return p, err
}

// keysPlace is the key ring's file, as the configuration says it or by default.
func keysPlace(said string) (string, error) {
	or(&said, filepath.Join(caddy.AppDataDir(), "sallyport", "keys"))
	file, err := caddy.NewReplacer().ReplaceOrErr(said, true, true)
	if err != nil {
		return "", usageError("where the key ring is: %w; say --keys", err)
	}
	return file, nil
}

// saidPlace is what we read of a configuration.
type saidPlace struct {
	Admin struct {
		Disabled bool   `json:"disabled"`
		Listen   string `json:"listen"`
	} `json:"admin"`
	Apps struct {
		Sallyport struct {
			Keys string `json:"keys"`
		} `json:"sallyport"`
	} `json:"apps"`
}

// readConfig reads what says where things are. No configuration file is no
// error unless it was named.
func (f *adminFlags) readConfig() (said saidPlace, err error) {
	if err := f.decodeConfig(&said); err != nil {
		return said, usageError("%w; say --address and --keys instead", err)
	}
	return said, nil
}

// decodeConfig reads the configuration file, JSON or a Caddyfile, into to.
// Without one it leaves to alone, unless the file was named.
func (f *adminFlags) decodeConfig(to any) error {
	file := f.config
	or(&file, "Caddyfile")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && f.config == "" {
		return nil
	}
	if err != nil {
		return usageError("%w", err)
	}
	if !strings.HasSuffix(file, ".json") {
		text, _, err = caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": file})
		if err != nil {
			return usageError("%s cannot be read: %w", file, err)
		}
	}
	if err := json.Unmarshal(text, to); err != nil {
		return usageError("%s cannot be read: %w", file, err)
	}
	return nil
}
