package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// totpCommand prints the present code of a setup key, for people without a
// phone at hand. It speaks to nothing.
func totpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "totp KEY",
		Short: "Prints the present security code of a setup key",
		Args:  cobra.MinimumNArgs(1), // the page shows the key in groups
		RunE: func(c *cobra.Command, args []string) error {
			var key string
			for _, part := range args {
				key += part
			}
			code, err := factor.TOTPCode(secret.New(key), time.Now())
			if err != nil {
				return errors.New("that is not a setup key: copy all of it from the page")
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), code.Reveal())
			return err
		},
	}
}
