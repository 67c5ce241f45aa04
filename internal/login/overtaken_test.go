package login_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/authtest"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/session"
)

// overtaken lets something happen right after an account was read.
type overtaken struct {
	login.Accounts
	happen func()
}

func (o *overtaken) AccountByIdentifier(ctx context.Context, identifier string) (account.Account, error) {
	a, err := o.Accounts.AccountByIdentifier(ctx, identifier)
	o.happen()
	return a, err
}

func (o *overtaken) Account(ctx context.Context, id account.ID) (account.Account, error) {
	a, err := o.Accounts.Account(ctx, id)
	o.happen()
	return a, err
}

// alive reports whether what a sign-in gave opens anything.
func alive(s *authtest.Site, in login.SignedIn, p *authtest.Person) bool {
	kept, err := s.Short.Session(ctx, in.Session.ID)
	if err != nil {
		return false
	}
	_, err = session.Check(kept, in.Credential, session.ForPortal, "login.example", p.Account(), s.Clock.Now())
	return err == nil
}

// TestSignInOvertakenByItsOwnerOpensNothing: T38: the thief's sign-in has read
// the account when the owner chooses another password, or locks it, and goes on
// after that: before the old password is compared, or before there is a session.
func TestSignInOvertakenByItsOwnerOpensNothing(t *testing.T) {
	t.Parallel()
	for what, owner := range map[string]func(*authtest.Site, *authtest.Person) func(){
		"a new password": func(s *authtest.Site, ann *authtest.Person) func() {
			token := resetToken(s, s.Client(), ann)
			return func() {
				_, _, err := s.Machine.ResetPassword(ctx, s.Client(), token, wanted)
				s.Must(err)
			}
		},
		"this wasn't me": func(s *authtest.Site, ann *authtest.Person) func() {
			token := makeLink(s, ann, account.LinkNotMe)
			return func() {
				_, err := s.Machine.NotMe(ctx, s.Client(), token)
				s.Must(err)
			}
		},
	} {
		for _, step := range []string{"the password", "the session"} {
			s := authtest.New(t)
			ann := withMail(s, "ann")
			act, thief, node := owner(s, ann), s.Client(), s.Node(s.Machine.Settings)
			slow := &overtaken{node.Accounts, sync.OnceFunc(func() {
				s.Clock.Advance(time.Millisecond)
				act()
				s.Clock.Advance(time.Millisecond)
			})}
			if step == "the password" {
				node.Accounts = slow
			}
			f, err := node.SubmitPassword(ctx, thief, s.Begin(thief), "ann", ann.Password)
			passed(t, f, err)
			node.Accounts = slow
			in, err := node.Finish(ctx, thief, f, authtest.Place(), "")
			if err == nil && alive(s, in, ann) {
				t.Errorf("%s, before %s: the sign-in goes on", what, step)
			}
		}
	}
}
