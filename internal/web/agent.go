package web

import (
	"strings"
	"sync"

	"github.com/medama-io/go-useragent"
	"github.com/medama-io/go-useragent/agents"
)

// maxAgent is how much of a User-Agent is read, in bytes. Those of browsers
// stay below 300.
const maxAgent = 512

// Agent shortens a User-Agent to what a person recognises, such as "Firefox on
// Linux". It is for the owner's eyes only and decides nothing. Whatever was
// sent, the answer is made of the names below and nothing else.
//
// An iPad that asks for desktop pages says it is a Mac, and Brave that it is
// Chrome: neither can be told apart.
func Agent(ua string) string {
	ua = ua[:min(len(ua), maxAgent)]
	browser, system := recognise(ua, func(ua string) useragent.UserAgent { return agentParser().Parse(ua) })
	for _, o := range otherAgents {
		if strings.Contains(ua, o.mark) {
			browser = o.name
			break
		}
	}
	switch {
	case browser == "" && system == "":
		return "Unknown browser"
	case system == "":
		return browser
	case browser == "":
		return system
	}
	return browser + " on " + system
}

// otherAgents are those that the library takes for the browser they are built
// from, or does not know.
var otherAgents = []struct{ mark, name string }{
	{" DuckDuckGo/", "DuckDuckGo"},
	{" Ddg/", "DuckDuckGo"},
	{" OPT/", "Opera"}, // on an iPhone
	{"curl/", "curl"},
}

// browserNames are browsers as they call themselves. A name that is not here,
// of a later release of the library, is not shown before somebody looked at it.
var browserNames = map[agents.Browser]string{
	agents.BrowserAndroid:   "Android Browser",
	agents.BrowserChrome:    "Chrome",
	agents.BrowserEdge:      "Edge",
	agents.BrowserFalkon:    "Falkon",
	agents.BrowserFirefox:   "Firefox",
	agents.BrowserHuawei:    "Huawei Browser",
	agents.BrowserIE:        "Internet Explorer",
	agents.BrowserNintendo:  "Nintendo Browser",
	agents.BrowserOpera:     "Opera",
	agents.BrowserOperaMini: "Opera Mini",
	agents.BrowserSafari:    "Safari",
	agents.BrowserSamsung:   "Samsung Internet",
	agents.BrowserSilk:      "Amazon Silk",
	agents.BrowserVivaldi:   "Vivaldi",
	agents.BrowserYandex:    "Yandex Browser",
}

var systemNames = map[agents.OS]string{
	agents.OSAndroid:  "Android",
	agents.OSChromeOS: "ChromeOS",
	agents.OSFreeBSD:  "FreeBSD",
	agents.OSIOS:      "iPhone",
	agents.OSLinux:    "Linux",
	agents.OSMacOS:    "macOS",
	agents.OSOpenBSD:  "OpenBSD",
	agents.OSWindows:  "Windows",
}

// agentParser is made when the first browser is to be remembered: 5 MiB, in a
// fortieth of a second.
var agentParser = sync.OnceValue(useragent.NewParser)

// recognise asks the library, which is other people's code over what anybody
// sends: when it panics the browser is unknown, and the request goes on.
func recognise(ua string, parse func(string) useragent.UserAgent) (browser, system string) {
	defer func() {
		if recover() != nil {
			browser, system = "", ""
		}
	}()
	found := parse(ua)
	browser, system = browserNames[found.Browser()], systemNames[found.OS()]
	if found.OS() == agents.OSIOS && found.Device() == agents.DeviceTablet {
		system = "iPad"
	}
	return browser, system
}
