package authtest

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/factor"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/phone"
	"github.com/sallyport-auth/sallyport/internal/secret"
)

// The contexts that internal/login seals and peppers with.
const (
	sealApp      = "authenticator secret"
	sealPhone    = "phone number"
	pepperBackup = "backup codes"
)

// Person is somebody with an account, and all that they know and own.
type Person struct {
	site     *Site
	ID       account.ID
	Name     string
	Email    string
	Password secret.Text
	Keys     []secret.Text // of their authenticators
	Phone    string        // number that gets codes, "" for none
	Codes    []string      // backup codes
	spent    map[int]int64 // newest step given out of each key
}

// Option is something about a new person.
type Option func(*Person, *account.Account)

// Email gives an e-mail address.
func Email(address string) Option { return func(_ *Person, a *account.Account) { a.Email = address } }

// Disabled is an account that an operator disabled.
func Disabled(_ *Person, a *account.Account) { a.Disabled = true }

// Managed is an account that belongs to an identity provider. It has the
// person's password all the same, which must not help.
func Managed(_ *Person, a *account.Account) { a.Provider = "example" }

// WithoutPassword is an account whose owner has not chosen one yet.
func WithoutPassword(_ *Person, a *account.Account) { a.PasswordHash = secret.Text{} }

// WithApp enrols an authenticator; twice, two.
func WithApp(p *Person, _ *account.Account) { p.Keys = append(p.Keys, factor.NewTOTPSecret()) }

// WithPhone enrols a number.
func WithPhone(number string) Option {
	return func(p *Person, _ *account.Account) { p.Phone = number }
}

// WithCodes makes a set of n backup codes. Each costs a real hash.
func WithCodes(n int) Option {
	return func(p *Person, _ *account.Account) {
		for _, c := range factor.NewBackupCodes()[:n] {
			p.Codes = append(p.Codes, c.Reveal())
		}
	}
}

// Add makes an account with a password, and what the options say. A person
// with an app has a set of backup codes too, empty unless WithCodes says more,
// so that signing in asks for nothing else.
func (s *Site) Add(name string, options ...Option) *Person {
	s.T.Helper()
	ctx := context.Background()
	p := &Person{site: s, ID: account.ID(login.NewID()), Name: name, Password: secret.New("correct horse " + name), spent: map[int]int64{}}
	hash, err := factor.HashPassword(p.Password, s.Machine.Settings.Password)
	s.Must(err)
	a := account.Account{ID: p.ID, Name: name, PasswordHash: secret.New(hash), Created: s.Clock.Now()}
	for _, o := range options {
		o(p, &a)
	}
	p.Email = a.Email
	s.Must(s.Durable.CreateAccount(ctx, a))
	s.Clock.Advance(time.Millisecond) // what begins now is not older than the account
	for i := range p.Keys {
		s.Must(s.Durable.AddFactor(ctx, p.app(i), "", s.Clock.Now()))
	}
	if p.Phone != "" {
		s.Must(s.Durable.AddFactor(ctx, p.phone(), "", s.Clock.Now()))
	}
	if len(p.Codes) > 0 {
		p.SaveCodes()
	}
	s.Clock.Advance(time.Millisecond)
	return p
}

func (p *Person) app(i int) account.Factor {
	s := p.site
	sealed, err := s.Ring.Seal(sealApp, []byte(p.ID), []byte(p.Keys[i].Reveal()))
	s.Must(err)
	return account.Factor{
		ID: login.NewID(), Account: p.ID, Kind: account.KindApp, Label: fmt.Sprintf("phone %d", i+1),
		Created: s.Clock.Now().Add(time.Duration(i) * time.Millisecond), Sealed: sealed,
	}
}

func (p *Person) phone() account.Factor {
	s := p.site
	n, facts, err := phone.Known(p.Phone)
	s.Must(err)
	sealed, err := s.Ring.Seal(sealPhone, []byte(p.ID), []byte(n.E164()))
	s.Must(err)
	f := account.Factor{
		ID: login.NewID(), Account: p.ID, Kind: account.KindPhone, Created: s.Clock.Now(), Sealed: sealed, CallOnly: facts.Landline,
	}
	f.LookupKey, f.Lookup = s.Ring.MAC(sealPhone, []byte(n.E164()))
	return f
}

// SaveCodes makes p.Codes the account's set, in place of any other.
func (p *Person) SaveCodes() {
	s := p.site
	version, pepper := s.Ring.ActivePepper(pepperBackup)
	set := account.Factor{
		ID: login.NewID(), Account: p.ID, Kind: account.KindBackup, Created: s.Clock.Now(),
		Salt: factor.NewBackupSalt(), Pepper: version,
	}
	var hashes [][32]byte
	for _, c := range p.Codes {
		sum, err := factor.HashBackupCode(secret.New(c), set.Salt, pepper)
		s.Must(err)
		hashes = append(hashes, [32]byte(sum))
	}
	s.Must(s.Durable.ReplaceBackupCodes(context.Background(), set, hashes, s.Clock.Now()))
}

// Code is a right code of the first authenticator that was not given out
// before; the clock moves on where that needs it.
func (p *Person) Code() string { return p.CodeOf(0) }

// CodeOf is Code of another authenticator.
func (p *Person) CodeOf(i int) string {
	now := p.site.Clock.Now()
	if step := factor.TOTPStep(now); step <= p.spent[i] {
		p.site.Clock.Advance(time.Duration(p.spent[i]+1-step) * factor.TOTPPeriod)
		now = p.site.Clock.Now()
	}
	p.spent[i] = factor.TOTPStep(now)
	return CodeAt(p.site, p.Keys[i], now)
}

// CodeAt is the code that an app with the key shows at t.
func CodeAt(s *Site, key secret.Text, t time.Time) string {
	code, err := factor.TOTPCode(key, t)
	s.Must(err)
	return code.Reveal()
}

// WrongCode is a code that fits none of the steps around now.
func (p *Person) WrongCode() string {
	for n := range 1000 {
		code := fmt.Sprintf("%06d", n)
		fits := false
		for _, k := range p.Keys {
			if _, err := factor.MatchTOTP(k, code, p.site.Clock.Now(), -1); err == nil {
				fits = true
			}
		}
		if !fits {
			return code
		}
	}
	panic("all codes fit")
}

// Account is the account as it is now.
func (p *Person) Account() account.Account {
	a, err := p.site.Durable.Account(context.Background(), p.ID)
	p.site.Must(err)
	return a
}

// Factors are the account's factors as they are now.
func (p *Person) Factors() account.Factors {
	fs, err := p.site.Durable.Factors(context.Background(), p.ID)
	p.site.Must(err)
	return fs
}
