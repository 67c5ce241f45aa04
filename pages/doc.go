// Package pages is everything that people see: templates, the style sheet, the
// script, and every sentence in every language.
//
// A handler fills one of the view structs and calls Set.Write, which finds the
// template by the view's type, renders it into a buffer and sends it with the
// headers that every page carries. Nothing is sent when rendering fails. What
// goes out by telephone or e-mail is worded here too (Set.CodeText, Set.Mail).
//
// It does not know accounts, sessions, stores, limits or routes: it is told
// what to say and says it. It never decides whether somebody may do something.
package pages
