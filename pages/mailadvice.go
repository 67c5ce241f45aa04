package pages

import "errors"

// bySupport: it came from nowhere, so an operator did it.
func (w *letter) bySupport() bool { return w.m.Browser == "" && w.m.Network == "" }

// facts are whose account it is, when it was, and from where.
func (w *letter) facts() {
	keys := []string{"mail.account"}
	if !w.m.When.IsZero() {
		keys = append(keys, "mail.when")
	}
	if w.m.Browser != "" {
		keys = append(keys, "mail.browser")
	}
	if w.m.Network != "" {
		keys = append(keys, "mail.network")
	}
	if w.bySupport() {
		keys = append(keys, "mail.support")
	}
	w.say(keys...)
}

// advice is what the owner should know or do, by what happened.
func (w *letter) advice() {
	switch w.m.Kind {
	case MailCodeUsed:
		w.codesLeft()
	case MailWrongCodes:
		w.say("mail.wrongcodes.means")
	case MailFactorLocked:
		w.say("mail.factorlocked.do")
	case MailRecovery:
		if w.m.Link == "" {
			w.err = errors.New("it has no link")
		}
		w.link("newpassword.title", w.m.Link)
		w.say("mail.recovery.works")
		w.say("mail.recovery.step")
	case MailRecoveryOrg:
		w.say("mail.recoveryorg.do")
	case MailStepReset:
		w.say("mail.stepreset.do")
	case MailLocked:
		if w.m.Org != "" {
			w.say("mail.locked.org")
			return
		}
		w.say("mail.locked.do")
		w.link("newpassword.title", w.m.Link)
	}
}

// codesLeft says how many backup codes are left, and to get more in time.
func (w *letter) codesLeft() {
	switch {
	case w.m.Left == 0:
		w.say("backup.none")
	case w.m.Left <= 2:
		w.say("mail.codes.left", "mail.codes.low")
	default:
		w.say("mail.codes.left")
	}
}

// end says what to do if it was meant and if it was not, and whom to ask.
func (w *letter) end() {
	switch w.m.Kind {
	case MailRecovery, MailRecoveryOrg:
		w.say("mail.ignore")
		w.notMe("mail.notme.recovery")
	case MailLocked:
	default:
		ok, other, alone := "mail.ok", "mail.notme.if", "mail.else"
		if w.bySupport() {
			ok, other, alone = "mail.ok.support", "mail.notme.if.support", "mail.else.support"
		}
		if w.m.Kind != MailStepReset { // there is something to do
			w.say(ok)
		}
		if w.notMe(other); w.m.NotMe == "" {
			w.say(alone)
		}
		w.link("home.settings", w.m.Settings)
	}
	w.say("support.contact", "help.contact.never")
}

// notMe is the link for what was not meant, after the words that lead up to it.
func (w *letter) notMe(before string) {
	if w.m.NotMe == "" {
		return
	}
	w.say(before)
	w.link("mail.notme", w.m.NotMe)
}
