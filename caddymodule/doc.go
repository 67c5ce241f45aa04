// Package caddymodule is Sallyport as Caddy knows it: the app that owns what
// guards and portal share, the two handlers, their Caddyfile grammar, the
// commands and the admin endpoint. It is the only package, with cmd, that
// knows Caddy. What a sign-in is it leaves to internal/login, what people see
// to internal/web.
package caddymodule
