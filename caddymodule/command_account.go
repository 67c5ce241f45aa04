package caddymodule

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func accountCommand() *cobra.Command {
	f := new(adminFlags)
	c := &cobra.Command{Use: "account", Short: "Adds, shows and changes accounts"}
	f.on(c)
	c.AddCommand(
		accountAdd(f), accountSet(f), accountList(f), accountShow(f),
		accountState(f, "disable", "Shuts somebody out at once, on all nodes", "is disabled; its sessions and links have ended"),
		accountState(f, "enable", "Lets somebody in again", "is enabled"),
		accountState(f, "delete", "Removes an account; its name is never used again", "is deleted; its sessions have ended"),
		accountState(f, "set-up-link", "Makes a link (24 h, once) to choose a password", "gets a new password with this link"),
		accountReset(f),
		accountState(f, "unlock", "Forgets wrong passwords and codes", "is unlocked"),
		accountImport(f), accountExport(f),
	)
	group(c)
	return c
}

func accountAdd(f *adminFlags) *cobra.Command {
	var said addArguments
	var password bool
	c := &cobra.Command{
		Use:   "add NAME --email E [--name N] [--group G]… [--sso PROVIDER] [--password-stdin]",
		Short: "Adds an account and prints a link with which its owner begins",
		Long: "Adds an account and prints a link (24 h, once) where its owner chooses a password. Whoever signs in at an\n" +
			"identity provider, by --sso or by the address's domain, gets no link.\n" +
			"NAME is what apps receive: 1 to 128 characters of a-z, 0-9 and . _ @ + -, fixed for good.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			said.Name = args[0]
			if said.Email == "" {
				return usageError("--email is needed")
			}
			if password && said.Provider != "" {
				return usageError("--sso and --password-stdin exclude each other: passwords are the provider's then")
			}
			if password {
				var err error
				if said.Password, err = passwordLine(c.InOrStdin()); err != nil {
					return err
				}
			}
			return f.change(c, "account/add", said, "is added")
		},
	}
	flags := c.Flags()
	flags.StringVar(&said.Email, "email", "", "the e-mail address, which also signs in")
	flags.StringVar(&said.DisplayName, "name", "", "the person's name")
	flags.StringArrayVar(&said.Groups, "group", nil, "a group; may be repeated")
	flags.StringVar(&said.Provider, "sso", "", "the identity provider where the person signs in")
	flags.BoolVar(&password, "password-stdin", false, "read the password from standard input, for scripts; no link is made")
	return c
}

// passwordLine reads the first line, without its end and otherwise as it is.
func passwordLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, 8<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", usageError("standard input: %w", err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return "", usageError("standard input holds no password")
	}
	return line, nil
}

func accountSet(f *adminFlags) *cobra.Command {
	var said setArguments
	var email, name, provider string
	var local bool
	c := &cobra.Command{
		Use:   "set NAME [--email E] [--name N] [--group G]… [--remove-group G]… [--sso PROVIDER|--local]",
		Short: "Changes e-mail address, display name, groups, and where the person signs in",
		Long: "Changes what is given and leaves the rest. --group adds, --remove-group removes. The name itself is fixed for good.\n" +
			"--sso moves the account to an identity provider, and --local back to a password here. Both end its sessions and\n" +
			"forget who the person was to a provider, also where the account is there already: whoever the provider says next\n" +
			"is the account's owner, gets it.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			said.Account = args[0]
			if c.Flags().Changed("email") {
				said.Email = &email
			}
			if c.Flags().Changed("name") {
				said.DisplayName = &name
			}
			moved := c.Flags().Changed("sso")
			switch {
			case moved && local:
				return usageError("--sso and --local exclude each other")
			case moved && provider == "":
				return usageError("--sso needs the name of a provider; --local is for none")
			case moved || local:
				said.Provider = &provider
			}
			if said.Email == nil && said.DisplayName == nil && said.Groups == nil && said.RemoveGroups == nil && said.Provider == nil {
				return usageError("say what to change: --email, --name, --group, --remove-group, --sso or --local")
			}
			return f.change(c, "account/set", said, "is changed")
		},
	}
	flags := c.Flags()
	flags.StringVar(&email, "email", "", "the new e-mail address; the empty text for none")
	flags.StringVar(&name, "name", "", "the person's name")
	flags.StringArrayVar(&said.Groups, "group", nil, "a group to add; may be repeated")
	flags.StringArrayVar(&said.RemoveGroups, "remove-group", nil, "a group to remove; may be repeated")
	flags.StringVar(&provider, "sso", "", "the identity provider where the person signs in from now on")
	flags.BoolVar(&local, "local", false, "the person signs in here, with a password")
	return c
}

// accountState is a command that takes nothing but an account.
func accountState(f *adminFlags, verb, short, is string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.change(c, "account/"+verb, namedArguments{args[0]}, is)
		},
	}
}

// change makes a call about one account, and says what it is now.
func (f *adminFlags) change(c *cobra.Command, call string, arguments any, is string) error {
	var result changed
	if err := f.call(c, call, arguments, &result); err != nil {
		return err
	}
	return f.print(c, result, func(p *printer) {
		p.line("%s %s.", result.Account.Name, is)
		if result.SignIn != "" {
			p.line("It signs in at the identity provider %s: %s", result.Account.SignsInAt, result.SignIn)
		}
		if result.Link != nil {
			p.line("This link works once, until %s. It is not shown again:", when(result.Link.Expires))
			p.line("%s", result.Link.URL)
		}
	})
}
