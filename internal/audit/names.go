package audit

import (
	"maps"
	"slices"
)

// Name is the stable name of an event: what happened, in past tense. Names
// are never changed or used for something else.
type Name string

// Signing in and out.
const (
	SignedIn         Name = "signed_in"
	SignedOut        Name = "signed_out"
	SessionsEnded    Name = "sessions_ended" // all of an account's, by its owner or a change
	PasswordWrong    Name = "password_wrong"
	PasswordRight    Name = "password_right"
	PasswordUpgraded Name = "password_upgraded" // an imported or older hash was replaced
	FactorRight      Name = "factor_right"
	FactorWrong      Name = "factor_wrong"
	FactorReplayed   Name = "factor_replayed" // a code that was spent before
	FactorLocked     Name = "factor_locked"   // the hard limit of failures in a row
	SignInRefused    Name = "sign_in_refused" // disabled, or managed elsewhere
	StepUpPassed     Name = "step_up_passed"
	TicketRefused    Name = "ticket_refused"
	LimitHit         Name = "limit_hit"
	Busy             Name = "password_queue_full"
)

// Codes by text message and call. Each cap of SPEC C4 has a name of its own.
const (
	CodeSent         Name = "code_sent"     // reason: the sender that took it
	CodeNotSent      Name = "code_not_sent" // reason: what the senders said
	NumberRefused    Name = "number_refused"
	SendLimitAccount Name = "send_limit_account"
	SendLimitNumber  Name = "send_limit_number"
	SendLimitNetwork Name = "send_limit_network"
	SendDailyCap     Name = "send_daily_cap" // of the whole system
	FewCodesEntered  Name = "few_codes_entered"
	OldNumberTold    Name = "old_number_told"
	OldNumberNotTold Name = "old_number_not_told"
)

// beyondLimit are refusals that are summed up, since floods are made of them.
var beyondLimit = map[Name]bool{
	LimitHit: true, Busy: true, NumberRefused: true, APIKeyRefused: true,
	SendLimitAccount: true, SendLimitNumber: true, SendLimitNetwork: true, SendDailyCap: true,
}

// Signing in at an identity provider (SAML).
const (
	SSORefused          Name = "sso_refused"            // reason: the check that failed, and by how much
	IdentityLinked      Name = "identity_linked"        // an existing account now belongs to an identity
	AccountMadeBySSO    Name = "account_made_by_sso"    // at somebody's first sign-in
	AccountUpdatedBySSO Name = "account_updated_by_sso" // name, address or groups as the provider has them
	EmailDropped        Name = "email_dropped"          // an asserted address of a domain that is not the provider's
	BreakGlassUsed      Name = "break_glass_used"       // the password of an account in `break_glass`
	SignedOutByProvider Name = "signed_out_by_provider" // single logout that the provider asked for
	LogoutRefused       Name = "logout_refused"         // a logout message that proved nothing
	MetadataChanged     Name = "metadata_changed"       // a provider's metadata was taken over
	MetadataRefused     Name = "metadata_refused"       // and would not do: the last good one stays
	CertificateExpires  Name = "certificate_expires"    // a provider's, within 30, 7 or 1 days
	IdentitiesForgotten Name = "identities_forgotten"   // by an operator
)

// Changes to an account by its owner.
const (
	FactorAdded            Name = "factor_added"
	FactorReplaced         Name = "factor_replaced" // by another one
	FactorRemoved          Name = "factor_removed"
	SecondFactorOff        Name = "second_factor_turned_off"
	BackupCodesMade        Name = "backup_codes_made"
	BackupCodesRenewed     Name = "backup_codes_renewed" // in place of others
	BackupCodeUsed         Name = "backup_code_used"
	FactorRenamed          Name = "factor_renamed"
	FactorTested           Name = "factor_tested"
	PasswordChosen         Name = "password_chosen"  // the account's first
	PasswordChanged        Name = "password_changed" // in place of another one
	BrowserTrusted         Name = "browser_trusted"
	TrustEnded             Name = "trust_ended"
	OwnSessionEnded        Name = "own_session_ended"        // one, by the owner
	SessionsEndedElsewhere Name = "sessions_ended_elsewhere" // all but the present one, by the owner
	SetUpLinkUsed          Name = "set_up_link_used"
	GroupDropped           Name = "group_dropped"
	SecretUnreadable       Name = "secret_unreadable" // a sealed value that no key opens
	StoreRecordRejected    Name = "store_record_rejected"
)

// API keys, by their owner or an operator. The key's name is in reason where
// an operator gave none.
const (
	APIKeyAdded   Name = "api_key_added"
	APIKeyRotated Name = "api_key_rotated"
	APIKeyRevoked Name = "api_key_revoked"
	APIKeyRefused Name = "api_key_refused" // reason: why; summed up by the minute
)

// Looking after an account from outside it, and telling its owner.
const (
	NewBrowser        Name = "new_browser"        // a sign-in from a browser that was not known
	CodesTooWrong     Name = "codes_too_wrong"    // the password was right, and a limit of wrong codes filled
	RecoveryAsked     Name = "recovery_asked"     // "I've forgotten my password"; reason: why there is no mail
	RecoveryElsewhere Name = "recovery_elsewhere" // and an identity provider has the password
	RecoveryUsed      Name = "recovery_used"      // the link of that mail
	EmailChanged      Name = "email_changed"      // by an operator or a provider; told to the address of before
	RecoveryStarted   Name = "recovery_started"   // an operator made a set-up link for somebody who has a password
	AccountLocked     Name = "account_locked"     // by its owner: "This wasn't me"
	LockLifted        Name = "lock_lifted"        // by a new password or an operator
	MailSent          Name = "mail_sent"          // method: what it was about
	MailNotSent       Name = "mail_not_sent"      // given up; reason: why
	MailMaybeSent     Name = "mail_maybe_sent"    // twice without an answer: not tried again
)

// tellsOwner are the events that the account's owner hears of by e-mail.
var tellsOwner = map[Name]bool{
	NewBrowser: true, CodesTooWrong: true, FactorLocked: true,
	FactorAdded: true, FactorReplaced: true, FactorRemoved: true, SecondFactorOff: true,
	BackupCodesRenewed: true, BackupCodeUsed: true, PasswordChanged: true, APIKeyAdded: true,
	RecoveryElsewhere: true, RecoveryStarted: true, SecondFactorReset: true, AccountLocked: true, LockLifted: true,
	SessionsEnded: true, SessionsEndedElsewhere: true,
}

// TellsOwner reports whether the owner of the event's account hears of it by
// e-mail (SPEC K; NIST SP 800-63B-4 section 4.6). The store that writes the
// event writes the mail with it. RecoveryAsked is not among them: its mail
// carries a link, and is written with that.
func (e Event) TellsOwner() bool { return e.Account != "" && tellsOwner[e.Name] }

// ToldNames are the events that owners hear of, sorted.
func ToldNames() []Name { return slices.Sorted(maps.Keys(tellsOwner)) }

// What operators did, through signed admin calls.
const (
	AccountAdded      Name = "account_added"
	AccountChanged    Name = "account_changed"
	AccountDisabled   Name = "account_disabled"
	AccountEnabled    Name = "account_enabled"
	AccountDeleted    Name = "account_deleted"
	AccountUnlocked   Name = "account_unlocked"
	AccountsExported  Name = "accounts_exported"
	SetUpLinkMade     Name = "set_up_link_made"
	SecondFactorReset Name = "second_factor_reset"
	SessionEnded      Name = "session_ended"
	KeyAdded          Name = "key_added"
	KeyPromoted       Name = "key_promoted"
	KeyRetired        Name = "key_retired"
)
