package session

import (
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
)

// TicketLife is how long a ticket may be presented.
const TicketLife = 60 * time.Second

// Ticket carries a sign-in from the portal to one app host. It is consumed by
// any presentation, right or wrong, and good only for that host and for the
// browser whose binding hash it holds.
type Ticket struct {
	Session ID
	Account account.ID
	Host    string  // lower-case A-label with port where not the scheme's own
	Binding Binding // to the browser, at the app's host
	Token   Token   // what the host's token will be; Hash is not set yet
	Return  string  // path and query at Host, exactly one leading slash
	Expires time.Time
}
