#!/usr/bin/env bash
# Installs the programs that the tests run, where they are missing and where
# that needs no more than apt-get. The tests start servers of their own on
# loopback ports; the services that come along (Apache among them, which
# simplesamlphp brings in) are not used and not started. Debian does start them
# when the machine starts again.
set -euo pipefail

# program:Debian package
tools=(
	redis-server:redis-server
	initdb:postgresql
	chromium:chromium
	oathtool:oathtool
	zbarimg:zbar-tools
	certutil:libnss3-tools
	npm:npm          # fetches the accessibility checker, an identity provider, a library
	node:nodejs      # runs that provider, and a program of docs/assertion.md
	php:php-cli      # runs the other one, SimpleSAMLphp
	php-dom:php-xml  # which does not ask for its extensions itself
	php-mbstring:php-mbstring
	simplesamlphp:simplesamlphp
	wrk:wrk          # these two make load
	h2load:nghttp2-client
	openssl:openssl
	argon2:argon2    # these two make the hashes of other systems
	htpasswd:apache2-utils
	python3:python3  # runs the receiver of docs/webhook.md
	python3-jwt:python3-jwt # and with these two a program of docs/assertion.md
	python3-cryptography:python3-cryptography
	prometheus:prometheus             # these three are apps behind the gateway
	jupyter-notebook:jupyter-notebook
	ipykernel:python3-ipykernel       # what Jupyter runs
	radicale:radicale
	gcc:gcc          # the race detector needs a C compiler
	fc-list:fontconfig
)

# family:Debian package. Pages are looked at in Arabic and Japanese too.
fonts=(
	DejaVu:fonts-dejavu-core
	IPAGothic:fonts-ipafont-gothic
)

have() {
	case $1 in
		initdb) command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' ;;
		chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
		php-*) php -r "exit(extension_loaded('${1#php-}') ? 0 : 1);" 2>&1 ;;
		python3-*) /usr/bin/python3 -c "import ${1#python3-}" 2>&1 ;; # Debian's own
		ipykernel) compgen -G /usr/share/jupyter/kernels/python3/kernel.json ;;
		simplesamlphp) compgen -G /usr/share/simplesamlphp/www/index.php ;;
		*) command -v "$1" ;;
	esac >/dev/null
}

missing=()
for tool in "${tools[@]}"; do
	have "${tool%%:*}" || missing+=("${tool#*:}")
done
families=$(fc-list : family 2>/dev/null || true)
for font in "${fonts[@]}"; do
	[[ $families == *"${font%%:*}"* ]] || missing+=("${font#*:}")
done
if [ "${#missing[@]}" -eq 0 ]; then
	exit 0
fi

by_hand() {
	echo "The tests need programs that are not installed here: ${missing[*]} (Debian's names)." >&2
	echo "On Debian or Ubuntu: sudo apt-get install ${missing[*]}" >&2
	echo "'make test-short' needs none of them." >&2
	exit 1
}

command -v apt-get >/dev/null || by_hand
become=()
if [ "$(id -u)" -ne 0 ]; then
	# Ask for a password only where there is somebody to type it.
	if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
		become=(sudo)
	else
		by_hand
	fi
fi

echo "Installing for the tests: ${missing[*]}"
policy=/usr/sbin/policy-rc.d # says whether to start what is installed: 101 is no
if [ ! -e $policy ]; then
	trap '"${become[@]}" rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${become[@]}" install -m 755 /dev/stdin $policy
fi
"${become[@]}" apt-get update -qq
"${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" || by_hand
