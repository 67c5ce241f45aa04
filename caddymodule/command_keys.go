package caddymodule

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sallyport-auth/sallyport/internal/keyring"
)

func keysCommand() *cobra.Command {
	f := new(adminFlags)
	c := &cobra.Command{
		Use: "keys", Short: "Changes the keys of the key ring",
		Long: "Changes keys without anybody noticing: add a key, copy the file to every node and reload it there,\n" +
			"promote the key, and retire the old one when nothing needs it any more.",
	}
	f.on(c)
	c.AddCommand(
		keyCommand(f, "list", "Lists the keys in force, without the keys themselves", 0),
		keyCommand(f, "add", "Makes a key that is accepted and not yet used, or the first of its purpose", 1),
		keyCommand(f, "promote", "Uses for everything new a key that all nodes accept", 2),
		keyCommand(f, "retire", "Ends a key that is not in use", 2),
		keyCommand(f, "reload", "Puts the file in force that was copied to this node", 0),
	)
	group(c)
	return c
}

// keyCommand is a command that takes a purpose, a purpose and a version, or
// nothing, and prints the ring.
func keyCommand(f *adminFlags, verb, short string, takes int) *cobra.Command {
	use := verb + []string{"", " PURPOSE", " PURPOSE VERSION"}[takes]
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(takes),
		RunE: func(c *cobra.Command, args []string) error {
			var said any = noArguments{}
			if takes > 0 {
				key, err := keyNamed(args)
				if err != nil {
					return err
				}
				said = key
			}
			var list keyList
			if err := f.call(c, "keys/"+verb, said, &list); err != nil {
				return err
			}
			return f.print(c, list, func(p *printer) { list.people(p) })
		},
	}
}

func keyNamed(args []string) (keyArguments, error) {
	key := keyArguments{Purpose: args[0]}
	known := false
	for _, p := range keyring.Purposes() {
		known = known || string(p) == args[0]
	}
	if !known {
		return key, usageError("%q is no purpose: there are %v", args[0], keyring.Purposes())
	}
	if len(args) == 2 {
		n, err := strconv.ParseUint(args[1], 10, 32)
		if err != nil || n == 0 {
			return key, usageError("%q is no version: `sallyport keys list` shows them", args[1])
		}
		key.Version = uint32(n)
	}
	return key, nil
}

func (l keyList) people(p *printer) {
	p.line("Key ring %s in %s", l.Fingerprint, l.File)
	p.line("Live nodes: %d", l.Nodes)
	var rows [][]string
	for _, k := range l.Keys {
		rows = append(rows, []string{k.Purpose, strconv.FormatUint(uint64(k.Version), 10), k.State, when(k.Created), strconv.Itoa(k.Nodes)})
	}
	p.table("PURPOSE,VERSION,STATE,CREATED,NODES", rows)
}
