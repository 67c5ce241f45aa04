package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/internal/login"
	"github.com/sallyport-auth/sallyport/internal/notify"
	"github.com/sallyport-auth/sallyport/internal/secret"
	"github.com/sallyport-auth/sallyport/pages"
)

// letters says which e-mail tells of an event. Each event that
// audit.Event.TellsOwner names has one, and so have RecoveryAsked and
// EmailChanged, which stores write by themselves.
var letters = map[audit.Name]string{
	audit.NewBrowser:             pages.MailNewBrowser,
	audit.CodesTooWrong:          pages.MailWrongCodes,
	audit.FactorLocked:           pages.MailFactorLocked,
	audit.FactorAdded:            pages.MailFactorAdded,
	audit.FactorReplaced:         pages.MailFactorReplaced,
	audit.FactorRemoved:          pages.MailFactorRemoved,
	audit.SecondFactorOff:        pages.MailStepOff,
	audit.BackupCodesRenewed:     pages.MailCodesMade,
	audit.BackupCodeUsed:         pages.MailCodeUsed,
	audit.PasswordChanged:        pages.MailPassword,
	audit.APIKeyAdded:            pages.MailKeyAdded,
	audit.RecoveryAsked:          pages.MailRecovery,
	audit.RecoveryElsewhere:      pages.MailRecoveryOrg,
	audit.EmailChanged:           pages.MailEmailChanged,
	audit.RecoveryStarted:        pages.MailLinkMade,
	audit.SecondFactorReset:      pages.MailStepReset,
	audit.AccountLocked:          pages.MailLocked,
	audit.LockLifted:             pages.MailUnlocked,
	audit.SessionsEnded:          pages.MailSessionsEnded,
	audit.SessionsEndedElsewhere: pages.MailSessionsEnded,
}

// notMeLife is how long "This wasn't me" works: over a holiday, and not for
// whoever finds an old mailbox.
const notMeLife = 14 * 24 * time.Hour

// letter words a mail, in the language that its reader last saw.
func (a *App) letter(ctx context.Context, m account.Mail, now time.Time) (notify.Mail, error) {
	to, err := a.engine.durable.Account(ctx, m.Account)
	if err != nil {
		return notify.Mail{}, err
	}
	words, err := a.words(ctx, m, to, now)
	if err != nil {
		return notify.Mail{}, err
	}
	subject, text, html, err := a.web.Pages.Mail(words)
	return notify.Mail{
		ID: m.ID, From: a.mailFrom, To: m.To, Subject: subject, Text: secret.New(text), HTML: secret.New(html),
		Language: words.Lang, Date: m.At,
	}, err
}

func (a *App) words(ctx context.Context, m account.Mail, to account.Account, now time.Time) (pages.Mail, error) {
	kind, known := letters[audit.Name(m.About)]
	if !known {
		return pages.Mail{}, fmt.Errorf("no e-mail tells of %q: a node of another release wrote it", m.About)
	}
	origin, err := a.pagesOrigin()
	if err != nil {
		return pages.Mail{}, err
	}
	base := origin + a.web.Config.Base
	words := pages.Mail{
		Kind: kind, Lang: spokenLanguage(a.web.Pages, cmp.Or(to.Language, a.Language)), Account: m.To, When: m.At,
		Browser: m.Browser, Network: m.Network, Method: m.Method, Settings: base + "/account/security",
		Org: a.machine.Settings.Providers[a.machine.Settings.ManagedBy(to)].Title,
	}
	if kind == pages.MailCodeUsed {
		fs, err := a.engine.durable.Factors(ctx, to.ID)
		if err != nil {
			return words, err
		}
		words.Left, _ = fs.BackupLeft()
	}
	return words, a.addLinks(ctx, m, &words, base, now)
}

// addLinks gives a mail the addresses that it carries.
func (a *App) addLinks(ctx context.Context, m account.Mail, words *pages.Mail, base string, now time.Time) error {
	switch words.Kind {
	case pages.MailRecoveryOrg: // nothing happened that could be undone
		return nil
	case pages.MailLocked:
		if words.Org == "" {
			words.Link = base + "/recover"
		}
		return nil
	case pages.MailRecovery:
		token, err := login.OpenMailToken(a.engine, m.ID, m.Sealed)
		words.Link = base + "/recover/" + token
		words.Minutes = max(1, int((m.Expires.Sub(now)+time.Minute-1)/time.Minute))
		return err
	}
	token, err := a.notMeToken(ctx, m, now)
	words.NotMe = base + "/not-me/" + token
	return err
}

// notMeToken is the token of the mail's "This wasn't me". It is made at the
// first attempt and kept, sealed, with the mail; one that no key opens any more
// is made anew.
func (a *App) notMeToken(ctx context.Context, m account.Mail, now time.Time) (string, error) {
	if len(m.Sealed) > 0 {
		if token, err := login.OpenMailToken(a.engine, m.ID, m.Sealed); err == nil {
			return token, nil
		}
	}
	token := secret.Token(32).Reveal()
	sealed, err := login.SealMailToken(a.engine, m.ID, token)
	if err != nil {
		return "", err
	}
	err = a.engine.durable.SealMail(ctx, m.ID, sealed, account.Link{
		Hash: login.LinkHash(token), Account: m.Account, Purpose: account.LinkNotMe,
		Created: m.At, Expires: now.Add(notMeLife), About: m.About, Method: m.Method, Browser: m.Browser, Network: m.Network,
	})
	return token, err
}
