package web

import (
	"cmp"
	"slices"

	"github.com/sallyport-auth/sallyport/internal/account"
	"github.com/sallyport-auth/sallyport/internal/audit"
	"github.com/sallyport-auth/sallyport/pages"
)

// activities are the events that an account's owner is shown, and what they are
// called there. What only an operator can make something of is not among them.
var activities = map[audit.Name]string{
	audit.SignedIn:               pages.ActivitySignedIn,
	audit.SignedOut:              pages.ActivitySignedOut,
	audit.SignedOutByProvider:    pages.ActivitySignedOut,
	audit.OwnSessionEnded:        pages.ActivitySessionEnded,
	audit.SessionEnded:           pages.ActivitySessionEnded,
	audit.SessionsEnded:          pages.ActivitySessionsEnded,
	audit.SessionsEndedElsewhere: pages.ActivitySessionsEnded,
	audit.PasswordWrong:          pages.ActivityPasswordWrong,
	audit.FactorWrong:            pages.ActivityCodeWrong,
	audit.FactorReplayed:         pages.ActivityCodeWrong,
	audit.LimitHit:               pages.ActivityLimit,
	audit.FactorLocked:           pages.ActivityFactorLocked,
	audit.FactorAdded:            pages.ActivityFactorAdded,
	audit.FactorReplaced:         pages.ActivityFactorReplaced,
	audit.FactorRenamed:          pages.ActivityFactorRenamed,
	audit.FactorRemoved:          pages.ActivityFactorRemoved,
	audit.SecondFactorOff:        pages.ActivityStepOff,
	audit.BackupCodesMade:        pages.ActivityCodesMade,
	audit.BackupCodesRenewed:     pages.ActivityCodesMade,
	audit.BackupCodeUsed:         pages.ActivityCodeUsed,
	audit.FactorTested:           pages.ActivityTested,
	audit.StepUpPassed:           pages.ActivityConfirmed,
	audit.PasswordChosen:         pages.ActivityPassword,
	audit.PasswordChanged:        pages.ActivityPassword,
	audit.RecoveryAsked:          pages.ActivityRecoveryAsked,
	audit.RecoveryElsewhere:      pages.ActivityRecoveryAsked,
	audit.SecondFactorReset:      pages.ActivityStepReset,
	audit.SetUpLinkMade:          pages.ActivityLinkMade,
	audit.BrowserTrusted:         pages.ActivityTrusted,
	audit.TrustEnded:             pages.ActivityTrustEnded,
	audit.AccountLocked:          pages.ActivityLocked,
	audit.LockLifted:             pages.ActivityUnlocked,
	audit.AccountUnlocked:        pages.ActivityUnlocked,
	audit.AccountChanged:         pages.ActivityChanged,
	audit.APIKeyAdded:            pages.ActivityKeyAdded,
	audit.APIKeyRotated:          pages.ActivityKeyRotated,
	audit.APIKeyRevoked:          pages.ActivityKeyRevoked,
}

// mailed are events that e-mails tell of, beside another that the list has for
// the same thing.
var mailed = map[audit.Name]string{
	audit.NewBrowser:      pages.ActivitySignedIn,
	audit.CodesTooWrong:   pages.ActivityCodeWrong,
	audit.RecoveryStarted: pages.ActivityLinkMade,
	audit.EmailChanged:    pages.ActivityChanged,
}

// recentEvents is how many things the page tells of.
const recentEvents = 10

// recent is what happened to the person's account lately.
func (v *visit) recent() ([]pages.Activity, error) {
	names := make([]audit.Name, 0, len(activities))
	for n := range activities {
		names = append(names, n)
	}
	slices.Sort(names) // one text of the query, which databases prepare once
	events, err := v.Machine.History.RecentEvents(v.ctx(), v.person.Account.ID, names, recentEvents)
	list := make([]pages.Activity, 0, len(events))
	for _, e := range events {
		list = append(list, activity(e))
	}
	return list, err
}

func activity(e audit.Event) pages.Activity {
	a := pages.Activity{Kind: cmp.Or(activities[e.Name], mailed[e.Name]), Method: shownMethod(e.Method), When: e.Time}
	// These two are never the owner's own doing.
	a.Support = e.Actor != "" || e.Name == audit.SecondFactorReset || e.Name == audit.RecoveryStarted
	if !a.Support { // an operator's place is not the owner's to know
		a.Browser, a.Network = e.Browser, e.Network
	}
	return a
}

// shownMethod is the method of an event as pages name it; "" for what is none,
// as the name of an identity provider or of an operator's call.
func shownMethod(method string) string {
	switch method {
	case string(account.KindApp), string(account.MethodText), string(account.MethodCall), string(account.KindBackup), string(account.KindPhone):
		return method
	}
	return ""
}
