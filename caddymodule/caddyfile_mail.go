package caddymodule

const mailUsage = "mail outbox [<dir>]` or `mail smtp[s]://host[:port] { … }"

// mailOption is the grammar of
//
//	mail outbox [<dir>]
//	mail smtp://host[:port] | smtps://host[:port] {
//	    from     <address>
//	    username <text>
//	    password <secret>
//	    starttls required|off
//	    timeout  <duration>
//	}
func mailOption(m *Mail) option {
	return option{
		name: "mail", usage: mailUsage, min: 1, max: 2,
		set: func(v *values) { setMail(v, m) },
		noBlock: func(args []string) string {
			if args[0] == "outbox" {
				return "only a mail server has a block; write `mail smtp://mail.example.com { … }`"
			}
			return ""
		},
		block: []option{
			{name: "from", usage: "from <address>", min: 1, max: 1, set: text(&m.From, checkMailFrom)},
			{name: "username", usage: "username <text>", min: 1, max: 1, set: text(&m.Username, nil)},
			{name: "password", usage: "password {file./run/secrets/mail}", min: 1, max: 1, set: text(&m.Password, nil)},
			{name: "starttls", usage: "starttls required|off", min: 1, max: 1, set: word(&m.StartTLS, startTLSRequired, startTLSOff)},
			{name: "timeout", usage: "timeout <duration>", min: 1, max: 1, set: duration(&m.Timeout)},
		},
		gaps: m.gaps,
	}
}

func setMail(v *values, m *Mail) {
	if v.args[0] == "outbox" {
		if len(v.args) > 1 {
			m.Outbox = v.args[1]
			if m.Outbox == "" {
				v.fault("is empty; write a value or leave the line out")
			}
		}
		return
	}
	m.Server = v.args[0]
	switch {
	case len(v.args) > 1:
		v.fault("a mail server is one address; write `mail smtp://mail.example.com { … }`")
	case m.Server == "":
		v.fault("is empty; write `mail smtp://mail.example.com { … }`, or `mail outbox`")
	default:
		v.check(m.Server, checkMailServer)
		if len(v.entry.blocks) == 0 {
			v.fault("needs a block that says whom e-mails are from; write `mail smtp://mail.example.com { from it@example.com }`")
		}
	}
}
