package pages

// Keys of problems, for Problem.Key. Placeholders stand in braces.
const (
	IDEmpty      = "id.empty"
	PwEmpty      = "pw.empty"
	SignInFailed = "signin.failed"
	CodeEmpty    = "code.empty"
	CodeFormat   = "code.format"
	CodeWrong    = "code.wrong" // {left} optional
	CodeUsed     = "code.used"
	BackupEmpty  = "backup.empty"
	BackupWrong  = "backup.wrong" // {left} optional
	AppTooMany   = "app.toomany"
	MethodEmpty  = "method.empty"
	SavedEmpty   = "saved.empty"
	LabelLong    = "label.long" // {n} characters at most
	PwCurrent    = "pw.current" // {left} optional
	PwShort      = "pw.short"   // {n} characters at least
	PwLong       = "pw.long"    // {n} characters at most
	PwCommon     = "pw.common"
	PwNoCurrent  = "pw.nocurrent"
	PwNewEmpty   = "pw.newempty" // of the two fields the one for the new password
	PwSame       = "pw.same"     // the new password is the present one

	// For API keys.
	KeyNameEmpty  = "key.name.empty"
	KeyHostsBad   = "key.hosts.bad"
	KeyPathsBad   = "key.paths.bad"
	KeyMethodsBad = "key.methods.bad"
	KeyTerms      = "key.terms"   // {n} at most
	KeyTooMany    = "key.toomany" // {n} at most

	// For what comes with text messages, calls and SSO.
	IDFormat         = "id.format"
	CodeLate         = "code.late" // {left} optional; a code that was sent
	CodeExpired      = "code.expired"
	CodeVoid         = "code.void"      // wrong too often
	CodeNone         = "code.none"      // none was asked for
	CodeUnchecked    = "code.unchecked" // the vendor that checks it is away
	PhoneEmpty       = "phone.empty"
	PhoneFormat      = "phone.format"
	PhoneUnsupported = "phone.unsupported"
	PhoneLandline    = "phone.landline" // chosen for text messages
	PhoneSame        = "phone.same"
	PhoneChannel     = "phone.channel" // neither text message nor call chosen
	SendWait         = "send.wait"     // {time}
	SendFail         = "send.fail"     // by text message; a call can be tried
	SendFailCall     = "send.fail.call"
	SendFailAny      = "send.fail.any" // no other channel is left to try
	SSOUnknown       = "sso.unknown"   // {org}, {id}
)

// Keys of notices, for Notice.Key.
const (
	NoticeExpired       = "notice.expired"       // sent back to the start, nothing lost
	NoticeIdle          = "notice.idle"          // {time} of inactivity ended the session
	NoticeEnded         = "notice.ended"         // the session was ended elsewhere
	NoticeSignedOut     = "notice.signedout"     //
	NoticeAppAdded      = "notice.appadded"      // the authenticator app is set up
	NoticeCodesSaved    = "notice.codessaved"    // new backup codes are in force
	NoticeSetUpDone     = "notice.setupdone"     // second step on, codes saved
	NoticeRemoved       = "notice.removed"       // a method is removed
	NoticeTurnedOff     = "notice.turnedoff"     // no second step any more
	NoticeSessionsEnded = "notice.sessionsended" // {n} other devices signed out
	NoticeBackupUsed    = "notice.backupused"    // {n} backup codes left
	NoticePasswordSet   = "notice.passwordset"   // through a set-up link; now sign in
	NoticeSent          = "send.ok"              // {ending} of the phone number
	NoticeCalled        = "send.called"          // {ending} of the phone number
	NoticePhoneAdded    = "notice.phoneadded"    // codes go to {ending} from now on
	NoticePhoneChanged  = "notice.phonechanged"  // codes go to {ending} from now on
	NoticePhoneRemoved  = "notice.phoneremoved"
	NoticeFreshCodes    = "notice.freshcodes" // unsaved codes died, these are new
	NoticeRenamed       = "notice.renamed"
	NoticePasswordNew   = "notice.passwordnew"   // changed; signed out everywhere else
	NoticeSessionEnded  = "notice.sessionended"  // one other device signed out
	NoticeTrustEnded    = "notice.trustended"    // a browser will be asked again
	NoticeTestedApp     = "notice.tested.app"    // the code was right
	NoticeTestedPhone   = "notice.tested.phone"  // {ending}
	NoticeTestedBackup  = "notice.tested.backup" // {n} left
	NoticeKeyRevoked    = "notice.keyrevoked"
	NoticeConfirmed     = "notice.confirmed" // it's you: now finish the change that you had begun
)

// Keys of messages to a phone, for Set.NoticeText and Set.NoticeSpeech.
const (
	TellPhoneChanged = "tell.phonechanged" // to the old number
	TellPhoneRemoved = "tell.phoneremoved" // to the number that was removed
)
