package login

// methodsOf are authentication contexts (SAML Authentication Context section
// 3.4, and two that are common) as RFC 8176 names methods.
var methodsOf = map[string][]string{
	"urn:oasis:names:tc:SAML:2.0:ac:classes:Password":                    {"pwd"},
	"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport":  {"pwd"},
	"urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos":                    {"wia"},
	"urn:oasis:names:tc:SAML:2.0:ac:classes:X509":                        {"swk"},
	"urn:oasis:names:tc:SAML:2.0:ac:classes:TLSClient":                   {"swk"},
	"urn:oasis:names:tc:SAML:2.0:ac:classes:Smartcard":                   {"sc"},
	"urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI":                {"sc"},
	"urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken":               {"otp"},
	"urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract":     {"mfa"},
	"urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered": {"mfa"},
	"https://refeds.org/profile/mfa":                                     {"mfa"},
	"http://schemas.microsoft.com/claims/multipleauthn":                  {"mfa"},
}

// MethodsOf says how somebody signed in at a provider: what it asserted, and no
// more (SPEC F5). A class that RFC 8176 has no word for stays as it is; none,
// or "unspecified", is no method.
func MethodsOf(class string) []string {
	if known, ok := methodsOf[class]; ok {
		return known
	}
	if class == "" || class == "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified" {
		return nil
	}
	return []string{class}
}
