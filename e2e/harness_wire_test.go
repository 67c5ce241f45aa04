package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A wireRequest is what is sent, byte for byte: no client library would let
// most of it through.
type wireRequest struct {
	Fields   []string // name, value, name, value …; over HTTP/2 and 3 with the pseudo-header fields
	Body     string
	Trailers []string // as Fields
}

// wireAnswer is what comes back.
type wireAnswer struct {
	Status int    // 0: the stream or the connection was ended without one
	Text   string // header fields, a line each, and the body
}

// protocols are the three versions of HTTP that a gateway speaks.
var protocols = []string{"HTTP/1.1", "HTTP/2", "HTTP/3"}

// sendOver sends a request for a host over one of them. Over HTTP/2 and 3 names
// are in lower case, as they have to be.
func sendOver(t testing.TB, g *gateway, protocol, host, method, path string, r wireRequest) wireAnswer {
	t.Helper()
	authority := strings.TrimPrefix(g.URL(host, ""), "https://")
	if protocol == "HTTP/1.1" {
		return sendH1(t, g, host, method+" "+path+" HTTP/1.1\r\nHost: "+authority+"\r\n", r)
	}
	r.Fields = append([]string{":method", method, ":scheme", "https", ":authority", authority, ":path", path}, lowered(r.Fields)...)
	r.Trailers = lowered(r.Trailers)
	if protocol == "HTTP/2" {
		return sendH2(t, g, host, r)
	}
	return sendH3(t, g, host, r)
}

func lowered(fields []string) []string {
	low := slices.Clone(fields)
	for i := 0; i < len(low); i += 2 {
		low[i] = strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}, low[i])
	}
	return low
}

// sendH1 sends a request whose first lines are start. With trailers the body is
// sent in chunks.
func sendH1(t testing.TB, g *gateway, sni, start string, r wireRequest) (a wireAnswer) {
	t.Helper()
	var b strings.Builder
	b.WriteString(start)
	lines := func(fields []string) {
		for i := 0; i+1 < len(fields); i += 2 {
			b.WriteString(fields[i] + ": " + fields[i+1] + "\r\n")
		}
	}
	lines(r.Fields)
	switch {
	case r.Trailers != nil:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n", len(r.Body), r.Body)
		lines(r.Trailers)
		b.WriteString("\r\n")
	case r.Body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.Body), r.Body)
	default:
		b.WriteString("\r\n")
	}
	c := g.connect(t, sni)
	defer c.Close()
	if _, err := io.WriteString(c, b.String()); err != nil {
		return a
	}
	method, _, _ := strings.Cut(start, " ")
	in := bufio.NewReader(c)
	for {
		response, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return a
		}
		if response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		defer response.Body.Close()
		var text strings.Builder
		_ = response.Header.Write(&text)
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		return wireAnswer{response.StatusCode, text.String() + string(body)}
	}
}

// sendH2 sends one request over HTTP/2.
func sendH2(t testing.TB, g *gateway, sni string, r wireRequest) (a wireAnswer) {
	t.Helper()
	c := g.connect(t, sni, "h2")
	defer c.Close()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	encode := func(fields []string) []byte {
		block.Reset()
		for i := 0; i+1 < len(fields); i += 2 {
			_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return block.Bytes()
	}
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		return a
	}
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	err := f.WriteSettings()
	last := r.Body == "" && r.Trailers == nil
	err = errors.Join(err, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(r.Fields), EndStream: last, EndHeaders: true}))
	if !last {
		err = errors.Join(err, f.WriteData(1, r.Trailers == nil, []byte(r.Body)))
	}
	if r.Trailers != nil {
		err = errors.Join(err, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(r.Trailers), EndStream: true, EndHeaders: true}))
	}
	if err != nil {
		return a
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return a
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			a.Status, _ = strconv.Atoi(frame.PseudoValue("status"))
			for _, field := range frame.RegularFields() {
				a.Text += field.Name + ": " + field.Value + "\n"
			}
		case *http2.DataFrame:
			a.Text += string(frame.Data())
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return a
		}
		if h := frame.Header(); h.StreamID == 1 && h.Flags.Has(http2.FlagDataEndStream) {
			return a
		}
	}
}

// Frame types of HTTP/3 (RFC 9114, section 7.2).
const (
	h3Data     = 0x0
	h3Headers  = 0x1
	h3Settings = 0x4
)

// sendH3 sends one request over HTTP/3.
func sendH3(t testing.TB, g *gateway, sni string, r wireRequest) (a wireAnswer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, err := quic.DialAddr(ctx, net.JoinHostPort(g.IP, strconv.Itoa(g.Port)),
		&tls.Config{ServerName: sni, RootCAs: g.roots(), NextProtos: []string{"h3"}}, nil)
	if err != nil {
		t.Fatalf("HTTP/3: %v", err)
	}
	defer func() { _ = c.CloseWithError(0, "") }()
	control, err := c.OpenUniStream()
	if err == nil {
		_, err = control.Write([]byte{0, h3Settings, 0}) // a control stream with default settings
	}
	if err != nil {
		t.Fatalf("HTTP/3: %v", err)
	}
	stream, err := c.OpenStreamSync(ctx)
	if err != nil {
		t.Fatalf("HTTP/3: %v", err)
	}
	_ = stream.SetDeadline(time.Now().Add(5 * time.Second))
	send := func(typ uint64, payload []byte) {
		_, _ = stream.Write(append(quicvarint.Append(quicvarint.Append(nil, typ), uint64(len(payload))), payload...))
	}
	encode := func(fields []string) []byte {
		var block bytes.Buffer
		e := qpack.NewEncoder(&block)
		for i := 0; i+1 < len(fields); i += 2 {
			_ = e.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return block.Bytes()
	}
	send(h3Headers, encode(r.Fields))
	if r.Body != "" {
		send(h3Data, []byte(r.Body))
	}
	if r.Trailers != nil {
		send(h3Headers, encode(r.Trailers))
	}
	_ = stream.Close()
	for in := quicvarint.NewReader(stream); ; {
		typ, err := quicvarint.Read(in)
		if err != nil {
			return a
		}
		n, err := quicvarint.Read(in)
		if err != nil || n > 1<<20 {
			return a
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(in, payload); err != nil {
			return a
		}
		switch typ {
		case h3Data:
			a.Text += string(payload)
		case h3Headers:
			for next := qpack.NewDecoder().Decode(payload); ; {
				field, err := next()
				if err != nil {
					break
				}
				if field.Name == ":status" {
					a.Status, _ = strconv.Atoi(field.Value)
				} else {
					a.Text += field.Name + ": " + field.Value + "\n"
				}
			}
		}
	}
}
