package factor

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"

	"github.com/sallyport-auth/sallyport/internal/secret"
)

// Enrolment is what an authenticator app needs. All of it is secret.
type Enrolment struct {
	// URI is the otpauth:// link, which also opens an app on the same phone.
	URI secret.Text
	// Key is the secret in groups of four, for typing.
	Key secret.Text
	// PNG is the QR code of URI: black on white with a quiet zone of four
	// modules, at least 240 pixels wide.
	PNG secret.Bytes
}

const (
	minQRPixels = 240
	quietZone   = 4 // modules, ISO/IEC 18004
)

// NewEnrolment makes the three forms of a secret. Issuer and account are shown
// in the app's list; see OTPAuthURI.
func NewEnrolment(key secret.Text, issuer, account string) (Enrolment, error) {
	uri, err := OTPAuthURI(key, issuer, account)
	if err != nil {
		return Enrolment{}, err
	}
	picture, err := QRCode(uri)
	if err != nil {
		return Enrolment{}, err
	}
	grouped, err := GroupKey(key)
	if err != nil {
		return Enrolment{}, err
	}
	return Enrolment{URI: uri, Key: grouped, PNG: secret.NewBytes(picture)}, nil
}

// OTPAuthURI makes the link of Google Authenticator's Key Uri Format. The colon
// separates issuer and account there and may be in neither, not even escaped:
// it becomes a space, as do control characters. Everything else is
// percent-encoded, spaces as %20: apps show a + as it is.
func OTPAuthURI(key secret.Text, issuer, account string) (secret.Text, error) {
	canonical, err := canonicalSecret(key)
	if err != nil {
		return secret.Text{}, err
	}
	issuer, account = label(issuer), label(account)
	if issuer == "" || account == "" {
		return secret.Text{}, errors.New("otpauth link: issuer and account must not be empty")
	}
	uri := "otpauth://totp/" + escape(issuer) + ":" + escape(account) +
		"?secret=" + canonical + "&issuer=" + escape(issuer) +
		"&algorithm=SHA1&digits=" + strconv.Itoa(TOTPDigits) +
		"&period=" + strconv.Itoa(int(TOTPPeriod/time.Second))
	parsed, err := otp.NewKeyFromURL(uri)
	if err != nil || parsed.Secret() != canonical || parsed.Issuer() != issuer || parsed.AccountName() != account {
		// The error could hold the link.
		return secret.Text{}, errors.New("otpauth link: issuer or account cannot be written in one")
	}
	return secret.New(uri), nil
}

// QRCode draws a link as PNG with error correction level M.
func QRCode(uri secret.Text) ([]byte, error) {
	code, err := qr.Encode(uri.Reveal(), qr.M, qr.Auto)
	if err != nil {
		return nil, errors.New("QR code: the link is too long")
	}
	modules := code.Bounds().Dx()
	side := modules + 2*quietZone
	scale := (minQRPixels + side - 1) / side
	picture := image.NewPaletted(image.Rect(0, 0, side*scale, side*scale), color.Palette{color.White, color.Black})
	for y := range modules * scale {
		for x := range modules * scale {
			if luminance, _, _, _ := code.At(x/scale, y/scale).RGBA(); luminance == 0 {
				picture.SetColorIndex(x+quietZone*scale, y+quietZone*scale, 1)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	return out.Bytes(), nil
}

// GroupKey gives the secret in groups of four characters with spaces between.
func GroupKey(key secret.Text) (secret.Text, error) {
	canonical, err := canonicalSecret(key)
	if err != nil {
		return secret.Text{}, err
	}
	var out strings.Builder
	for i, c := range canonical {
		if i > 0 && i%4 == 0 {
			out.WriteByte(' ')
		}
		out.WriteRune(c)
	}
	return secret.New(out.String()), nil
}

func label(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == ':' || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	return strings.Join(strings.Fields(text), " ")
}

func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
