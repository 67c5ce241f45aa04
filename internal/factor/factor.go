// Package factor holds the proofs that a person gives: a password, a code of an
// authenticator app, a code by text or call, a backup code. All raw
// cryptography of signing in is here.
//
// It does no input or output and has no clock: times are arguments, and the
// time step or hash that is to be spent is a result. It does not know accounts,
// stores, limits or pages. That a code works once is for the caller, in the
// transaction that accepts it; this package says which step or code that is.
package factor
