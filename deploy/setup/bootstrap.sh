#!/bin/sh
# Makes .venv and keeps it up to date; the Makefile calls it.
#
#   deploy/setup/bootstrap.sh run     what running Hutong needs (requirements.lock)
#   deploy/setup/bootstrap.sh dev     what working on it needs as well (requirements-dev.lock)
#   deploy/setup/bootstrap.sh lock    recreate the lock files from pyproject.toml and benchmarks/peers/*.in, every
#                                     package at its newest
#
# A stamp inside .venv names the lock it was made from, so a run with nothing to do takes a moment.
# pip needs minutes to install these packages; uv needs seconds. So pip installs just uv, whose hash the lock holds,
# and uv the rest. A uv that is already on PATH saves that step. Where uv fails, pip does it all, slowly.
set -eu

cd "$(dirname "$0")/../.."
home=$(pwd)
venv=.venv
python=$venv/bin/python

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# --- prerequisites ---------------------------------------------------------------------------------------------

on_mac() { [ "$(uname)" = Darwin ]; }

is_new_enough() { # is_new_enough PYTHON
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# A name on PATH may be a shim of a version manager that has no such version, so each one is tried.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11 or newer."
        say "$PYTHON"
        return 0
    fi
    for name in python3.13 python3.12 python3.11 python3; do
        if is_new_enough "$name"; then say "$name"; return 0; fi
    done
    if on_mac; then hint="brew install python@3.13"; else hint="sudo apt-get install python3 python3-venv"; fi
    fail "Python 3.11 or newer is missing. Install it:  $hint    (or name one:  make setup PYTHON=/path/to/python3)"
}

need_git() {
    command -v git >/dev/null && return 0
    if on_mac; then fail "git is missing. Install it:  xcode-select --install"; fi
    fail "git is missing. Install it:  sudo apt-get install git"
}

need_venv() { # need_venv PYTHON
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return 0
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if on_mac; then fail "$1 cannot make virtual environments. Install one that can:  brew install python@3.13"; fi
    fail "$1 cannot make virtual environments. Install the module:  sudo apt-get install python$version-venv"
}

# --- the environment -------------------------------------------------------------------------------------------

# A checkout that was moved has scripts that point to the old place.
is_sound() {
    is_new_enough "$home/$python" && grep -qF "$home/$venv/bin/" "$venv/bin/pip" 2>/dev/null
}

make_venv() {
    is_sound && return 0
    base=$(find_python) || exit 1
    need_venv "$base"
    say "Making $venv with $("$base" --version)"
    rm -rf "$venv"
    "$base" -m venv "$venv"
}

# --- installing ------------------------------------------------------------------------------------------------

with_pip() {
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-compile "$@"
}

setting() { # setting NAME: what pip is configured with
    "$python" -m pip config --quiet get "global.$1" 2>/dev/null || true
}

# uv reads none of pip's settings; a machine that reaches packages only through its own index or certificate keeps
# working if uv is told about both.
tell_uv() {
    index=${PIP_INDEX_URL:-$(setting index-url)}
    certificate=${PIP_CERT:-$(setting cert)}
    if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}" ]; then export UV_DEFAULT_INDEX="$index"; fi
    if [ -n "$certificate" ] && [ -z "${SSL_CERT_FILE:-}" ]; then export SSL_CERT_FILE="$certificate"; fi
    if [ ! -w "${HOME:-/nonexistent}" ]; then export UV_NO_CACHE=1; fi
}

find_uv() { # find_uv LOCK
    if [ -x "$venv/bin/uv" ]; then say "$venv/bin/uv"; return 0; fi
    if command -v uv; then return 0; fi
    awk '/^[^ ]/ { wanted = /^uv==/ } wanted' "$1" >"$venv/.uv.lock"
    with_pip --require-hashes -r "$venv/.uv.lock" >&2 && say "$venv/bin/uv"
}

with_uv() { # with_uv LOCK
    tell_uv
    uv=$(find_uv "$1") || return 1
    "$uv" pip install --quiet --no-config --python "$python" --compile-bytecode --no-deps --require-hashes -r "$1" &&
        "$uv" pip install --quiet --no-config --python "$python" --no-deps --no-build-isolation -e .
}

install_all() { # install_all LOCK
    say "Installing $(grep -c '^[a-z]' "$1") packages from $1"
    if with_uv "$1"; then return 0; fi
    say "uv could not; pip will, which takes a few minutes"
    with_pip --only-binary :all: --require-hashes -r "$1"
    with_pip --no-build-isolation -e .
}

stamp_of() { # stamp_of LOCK: its content, and what the editable install was made from
    say "$venv/.made-from-$1-$(cat "$1" pyproject.toml | cksum | tr ' ' '-')"
}

bring_up_to_date() { # bring_up_to_date LOCK
    stamp=$(stamp_of "$1")
    if [ -e "$stamp" ] && is_sound; then return 0; fi
    need_git
    make_venv
    install_all "$1"
    "$python" -m compileall -q src || true # starts are slow where Python may not write its caches itself
    rm -f "$venv/.made-from-$1-"*
    : >"$stamp"
    say "Ready: $venv/bin/hutong"
}

# --- locking ---------------------------------------------------------------------------------------------------

compile() { # compile LOCK SOURCE…
    target=$1
    shift
    "$uv" pip compile --quiet --upgrade --universal --generate-hashes --no-annotate --no-header \
        --python-version 3.11 "$@" -o "$target"
}

compile_own() { # compile_own GROUP LOCK
    compile "$2" --extra vision --extra oss --extra s3 --group "$1" pyproject.toml
}

lock() {
    make_venv
    tell_uv
    uv=$(find_uv requirements.lock)
    compile_own setup requirements.lock
    compile_own dev requirements-dev.lock
    for peer in benchmarks/peers/*.in; do compile "${peer%.in}.lock" "$peer"; done
    if grep -n '://' requirements.lock requirements-dev.lock benchmarks/peers/*.lock; then fail "A lock file must name no host."; fi
    say "Locked; look at the changes, then:  make setup-dev test"
}

case ${1:-run} in
    run) bring_up_to_date requirements.lock ;;
    dev) bring_up_to_date requirements-dev.lock ;;
    lock) lock ;;
    *) fail "usage: $0 run|dev|lock" ;;
esac
