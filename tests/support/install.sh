#!/bin/sh
# Installs the servers and the browser that the full test suite runs against, and only what is missing.
#
#   tests/support/install.sh
#
# Debian and Ubuntu: packages through apt-get, as root or with sudo; no daemon is started. macOS: Homebrew.
# Anything already found (on PATH, in the usual folders, or named by HUTONG_TEST_…) is taken as it is.
# A browser is Chromium or Google Chrome, whichever is there; on Ubuntu, whose chromium package is only a door
# to the snap store, Playwright's own Chromium build is installed for the current user instead.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
missing=""   # what to install, as words: postgresql redis mariadb nginx chromium fonts

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# --- what is there ---------------------------------------------------------------------------------------------

# newest PATH…: prints the last of its arguments that exists and is executable; versioned folders sort upwards.
newest() {
    found=""
    for candidate in "$@"; do
        if [ -x "$candidate" ] && [ ! -d "$candidate" ]; then found=$candidate; fi
    done
    [ -n "$found" ] && printf '%s\n' "$found"
}

# named VALUE BINARY: what an environment variable points at, the program itself or its folder.
named() {
    [ -n "$1" ] || return 1
    newest "$1" "$1/$2"
}

on_path() {
    for program in "$@"; do
        if command -v "$program" 2>/dev/null; then return 0; fi
    done
    return 1
}

find_postgresql() {
    named "${HUTONG_TEST_POSTGRES_BIN:-}" initdb || on_path initdb || newest /usr/lib/postgresql/*/bin/initdb \
        /opt/homebrew/opt/postgresql@*/bin/initdb /usr/local/opt/postgresql@*/bin/initdb
}

find_redis() {
    named "${HUTONG_TEST_REDIS_BIN:-}" redis-server || on_path redis-server valkey-server || newest \
        /opt/homebrew/opt/redis/bin/redis-server /usr/local/opt/redis/bin/redis-server
}

# The server needs its helpers too: mariadb-install-db, which calls my_print_defaults, and a client.
find_mariadb() {
    if named "${HUTONG_TEST_MARIADB_BIN:-}" mariadbd; then return 0; fi
    for helper in mariadb-install-db my_print_defaults mariadb; do
        on_path "$helper" >/dev/null || newest /opt/homebrew/opt/mariadb/bin/$helper \
            /usr/local/opt/mariadb/bin/$helper >/dev/null || return 1
    done
    on_path mariadbd || newest /usr/sbin/mariadbd /usr/libexec/mariadbd \
        /opt/homebrew/opt/mariadb/bin/mariadbd /usr/local/opt/mariadb/bin/mariadbd
}

find_nginx() {
    named "${HUTONG_TEST_NGINX_BIN:-}" nginx || on_path nginx || newest /usr/sbin/nginx \
        /opt/homebrew/opt/nginx/bin/nginx /usr/local/opt/nginx/bin/nginx
}

find_chromium() {
    if named "${HUTONG_TEST_CHROMIUM:-}" chromium || on_path chromium google-chrome google-chrome-stable; then return 0; fi
    newest "/Applications/Chromium.app/Contents/MacOS/Chromium" \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
        "${PLAYWRIGHT_BROWSERS_PATH:-${HOME:-}/.cache/ms-playwright}"/chromium-*/chrome-linux*/chrome \
        "${HOME:-}"/Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*
}

# macOS ships Chinese fonts; elsewhere fontconfig knows, and without it the file says so.
find_fonts() {
    if [ "$(uname)" = Darwin ]; then say "macOS's own"; return 0; fi
    if command -v fc-list >/dev/null; then
        family=$(fc-list :lang=zh-cn family | head -n 1)
        if [ -n "$family" ]; then say "$family"; return 0; fi
    fi
    for font in /usr/share/fonts/*/noto*/NotoSansCJK-Regular.*; do
        if [ -f "$font" ]; then say "$font"; return 0; fi
    done
    return 1
}

look() { # look LABEL WORD
    if place=$("find_$2"); then
        say "$1: found $place"
    else
        missing="$missing $2"
        return 0
    fi
}

# --- Debian and Ubuntu -----------------------------------------------------------------------------------------

# candidate NAME…: the first package name that this release has.
candidate() {
    for name in "$@"; do
        if [ -n "$(apt-cache policy "$name" 2>/dev/null | grep 'Candidate: [^(]')" ]; then say "$name"; return 0; fi
    done
    return 1
}

# Ubuntu 22.04 puts the version into MariaDB's package names, later releases and Debian don't.
mariadb_package() { # mariadb_package server|client
    candidate "mariadb-$1-core" || candidate $(apt-cache pkgnames "mariadb-$1-core-" | sort -rV)
}

apt_packages() {
    for word in $missing; do
        case $word in
            postgresql) label=PostgreSQL names=$(candidate postgresql) ;;
            redis) label=Redis names=$(candidate redis-server valkey-server) ;;
            mariadb) label=MariaDB names=$(mariadb_package server && mariadb_package client) ;;
            nginx) label=Nginx names=$(candidate nginx-light nginx-core nginx) ;;
            chromium) label=Chromium names=$(candidate chromium) ;;
            fonts) label="Chinese fonts" names=$(candidate fonts-noto-cjk) ;;
        esac || fail "$label: this release has no package for it; install it by hand, or name it in HUTONG_TEST_…"
        packages="$packages $(echo $names)"
        say "$label: installing $(echo $names)" # unquoted on purpose: joins the lines
    done
}

find_sudo() {
    if [ "$(id -u)" = 0 ]; then sudo=""; return 0; fi
    if sudo -n true 2>/dev/null; then sudo="sudo -n"; return 0; fi
    if command -v sudo >/dev/null && [ -t 0 ]; then sudo=sudo; return 0; fi
    return 1
}

# Debian asks this file whether a package may start its daemon; the suite starts its own, so: no.
forbid_daemons() {
    [ -e /usr/sbin/policy-rc.d ] && return 0
    trap '$sudo rm -f /usr/sbin/policy-rc.d' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null
    $sudo chmod 755 /usr/sbin/policy-rc.d
}

apt_get() {
    $sudo env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq -o DPkg::Lock::Timeout=120 \
        -o Dpkg::Use-Pty=0 "$@"
}

# The lists may name versions that the mirror has since replaced, so a failure is tried again with fresh ones.
apt_install() {
    apt_get install -y --no-install-recommends $packages >"$log" 2>&1 && return 0
    say "Trying again with fresh package lists"
    apt_get update >>"$log" 2>&1 && apt_get install -y --no-install-recommends $packages >>"$log" 2>&1
}

with_apt() {
    if ! find_sudo; then
        fail "Missing:$missing. Neither root nor sudo is to be had; run this once:  su -c '$here/tests/support/install.sh'"
    fi
    log=$(mktemp)
    # An image without package lists knows no candidate at all.
    candidate bash >/dev/null && apt-cache show fonts-noto-cjk >/dev/null 2>&1 || apt_get update >"$log" 2>&1 || true
    packages=""
    if [ "$system" = ubuntu ]; then ubuntu_browser; fi
    apt_packages
    [ -n "$packages" ] || return 0
    forbid_daemons
    apt_install || { tail -n 20 "$log" >&2; fail "apt-get failed; by hand:  sudo apt-get install$packages"; }
    rm -f "$log"
}

ubuntu_browser() {
    case $missing in *chromium*) ;; *) return 0 ;; esac
    [ -x "$here/.venv/bin/playwright" ] || fail "Chromium: missing; install Google Chrome, or run:  make setup-dev"
    say "Chromium: installing Playwright's build"
    $sudo "$here/.venv/bin/playwright" install-deps chromium >"$log" 2>&1 &&
        "$here/.venv/bin/playwright" install chromium >>"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; fail "Chromium: that failed; install Google Chrome instead"; }
    missing=$(echo "$missing" | sed 's/chromium//')
}

# --- macOS -----------------------------------------------------------------------------------------------------

with_homebrew() {
    command -v brew >/dev/null || fail "Missing:$missing. Install Homebrew first, then run this again"
    for word in $missing; do
        case $word in
            postgresql) label=PostgreSQL formula="postgresql@17" ;;
            chromium) label=Chromium formula="--cask google-chrome" ;;
            *) label=$word formula=$word ;;
        esac
        say "$label: installing $formula"
        HOMEBREW_NO_AUTO_UPDATE=1 brew install --quiet $formula >/dev/null || fail "by hand:  brew install $formula"
    done
}

# --- all of it -------------------------------------------------------------------------------------------------

look PostgreSQL postgresql
look Redis redis
look MariaDB mariadb
look Nginx nginx
look Chromium chromium
look "Chinese fonts" fonts
[ -n "$missing" ] || exit 0

system=$(uname)
if [ -r /etc/os-release ]; then system=$(. /etc/os-release && echo "$ID"); fi
case $system in
    Darwin) with_homebrew ;;
    *) command -v apt-get >/dev/null || fail "Missing:$missing. Install them with this system's package manager"
       with_apt ;;
esac

for word in $missing; do
    "find_$word" >/dev/null || fail "$word: installed, and still not found"
done
