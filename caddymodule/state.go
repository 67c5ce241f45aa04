package caddymodule

// What a module holds at run time, beside its settings: filled by Provision,
// never part of the JSON.
type (
	appState    = appRuntime
	guardState  = guardRuntime
	portalState = portalRuntime
)
