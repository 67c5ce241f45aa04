package pages

// asker is a page with buttons that ask for a code.
type asker interface {
	View
	sends() (canText, canCall bool, sentBy, first string)
	askPath(channel string) string
	askChannel(channel string) string
}

// ask is one such button, in a form of its own.
type ask struct {
	// Action is where it posts, Channel its hidden field, "" for none.
	Action, Channel string
	// Main marks the one thing to do on a page without a field.
	Main bool
	Text string
}

// asks are the buttons of the page. The first repeats what was done last, or
// does what the page is about.
func (l *language) asks(v asker) ([]ask, error) {
	canText, canCall, sentBy, begin := v.sends()
	if sentBy != "" {
		begin = sentBy
	}
	order := []string{MethodText, MethodCall}
	if begin == MethodCall {
		order = []string{MethodCall, MethodText}
	}
	var list []ask
	for _, channel := range order {
		if channel == MethodText && !canText || channel == MethodCall && !canCall {
			continue
		}
		text, err := l.plain(askKey(channel, sentBy), nil)
		if err != nil {
			return nil, err
		}
		list = append(list, ask{
			Action: href(v, v.askPath(channel)), Channel: v.askChannel(channel),
			Main: sentBy == "" && len(list) == 0, Text: text,
		})
	}
	return list, nil
}

// askKey names what a button says, by its channel and by that of the last code.
func askKey(channel, sentBy string) string {
	switch {
	case sentBy == "" && channel == MethodText:
		return "phone.textme"
	case sentBy == "":
		return "phone.callme"
	case sentBy == MethodText && channel == MethodText:
		return "phone.again.text"
	case sentBy == MethodCall && channel == MethodCall:
		return "phone.again.call"
	case channel == MethodText:
		return "phone.instead.text"
	}
	return "phone.instead.call"
}

// channels are the ways to reach a new number, the chosen one marked. When only
// one can be used it is chosen.
func channels(v SetUpPhone) []Choice {
	var list []Choice
	if v.CanText {
		list = append(list, Choice{Method: MethodText, Checked: v.Channel != MethodCall || !v.CanCall})
	}
	if v.CanCall {
		list = append(list, Choice{Method: MethodCall, Checked: v.Channel == MethodCall || !v.CanText})
	}
	return list
}

// minutes is a lifetime as it is told: nobody is told of none.
func minutes(n int) int { return max(1, n) }
