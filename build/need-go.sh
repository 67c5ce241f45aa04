#!/usr/bin/env bash
# Says whether Go is here and new enough, and where to get it otherwise.
set -euo pipefail

need_major=1 need_minor=26
where="Get Go $need_major.$need_minor or newer from https://go.dev/dl/ and put its bin folder on PATH."

if ! command -v go >/dev/null; then
	echo "Go is not installed (no 'go' on PATH). $where" >&2
	exit 1
fi
# Go 1.21 and newer fetch the version that go.mod asks for by themselves,
# unless GOTOOLCHAIN=local forbids it; then this fails or tells the old one.
if ! have=$(go env GOVERSION); then
	echo "The Go on PATH cannot build this. $where" >&2
	exit 1
fi
numbers=${have#go}
major=${numbers%%.*}
rest=${numbers#*.}
minor=${rest%%[!0-9]*}
if [ "$major" -lt "$need_major" ] || { [ "$major" -eq "$need_major" ] && [ "$minor" -lt "$need_minor" ]; }; then
	echo "This is Go $numbers, which is too old. $where" >&2
	exit 1
fi
