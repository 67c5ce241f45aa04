// Command sallyport is Caddy with its standard modules and Sallyport. Its own
// commands can be given without the word `sallyport` before them.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/sallyport-auth/sallyport/caddymodule"
)

func main() {
	go paceCollector()
	addProcessors()
	caddymodule.OwnCommands()
	caddycmd.Main()
}
