package pages

import "time"

// SetUpChoose offers the methods that can be added. It posts method to
// {base}/set-up.
type SetUpChoose struct {
	Frame
	// Forced says that what the person came for asks for a second step.
	Forced bool
	// App is the name or host of that app, "" when unknown.
	App string
	// Choices are the methods that exist, MethodApp and MethodPhone; a single
	// one is not a question. Empty means the app alone, which is never missing:
	// codes by phone must not be the only way (ASVS 6.6.1).
	Choices []Choice
	// Post is where the form goes, "" for {base}/set-up.
	Post string
	// Another says that the account has a method already; Old is the
	// authenticator that the new one replaces, nil for none.
	Another bool
	Old     *Method
}

// SetUpApp shows the key of a new authenticator and asks for its first code.
// It posts code and label to {base}/set-up/app. "Start again" posts
// method=app and restart=1 to {base}/set-up.
type SetUpApp struct {
	Frame
	// QR is a PNG of the otpauth address, black on white with a quiet zone of
	// four modules. It is shown 224 pixels wide, without smoothing.
	QR []byte
	// Key is the secret in base32, without spaces; shown in groups of four.
	Key string
	// URI is the otpauth address.
	URI string
	// Entry is the name under which the app will show it, "Service:name".
	Entry string
	// Label is the name that the person gives the authenticator.
	Label string
	// Hint adds what to check after two wrong codes.
	Hint bool
	// OtherWays links to {base}/set-up.
	OtherWays bool
	// Forced: leaving means signing out, otherwise going back to the settings.
	Forced bool
}

// BackupCodes shows the codes, once. It posts saved to
// {base}/set-up/backup-codes; {base}/set-up/backup-codes.txt downloads them.
type BackupCodes struct {
	Frame
	// Codes are as people type them, XXXXX-XXXXX.
	Codes []string
	// Owner is the account's name, for the printed sheet.
	Owner string
	// Made is when the codes were made, for the printed sheet.
	Made time.Time
	// Replaces says that an older set stops working on Finish. Otherwise the
	// page is the last step of setting up.
	Replaces bool
}

func (SetUpChoose) page() string { return "setup" }
func (SetUpApp) page() string    { return "setupapp" }
func (BackupCodes) page() string { return "codes" }
