#!/usr/bin/env bash
# Installs the system packages of tools/deps.txt that are missing, and does nothing, without network, where none is.
# usage: tools/setup.sh [--with-lint] [--with-fuzz]   (also what tools/lint.py --format, or tools/fuzz.sh, needs)
set -euo pipefail

fail() {  # fail CODE WHAT: one line, as the commands print it
  printf 'error: tools/setup.sh: %s\n' "$2" >&2
  exit "$1"
}

# has_probe PROBE: true where the command, header or Python module of a deps.txt line is there.
has_probe() {
  case "$1" in
    command:*) command -v "${1#command:}" >/dev/null ;;
    header:*)
      local condition="__has_include(<${1#header:}>)" source
      printf -v source '#if !(%s)\n#error\n#endif' "${condition//|/>) || __has_include(<}"
      c++ -E -x c++ - <<<"$source" >/dev/null 2>&1 ;;
    python:*) python3 -c "import ${1#python:}" 2>/dev/null ;;
    *) fail 70 "unknown probe | expected: command:NAME, header:NAME or python:NAME in tools/deps.txt | got: $1" ;;
  esac
}

deps="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/deps.txt"
with_lint=0 with_fuzz=0
for argument in "$@"; do
  case "$argument" in
    --with-lint) with_lint=1 ;;
    --with-fuzz) with_fuzz=1 ;;
    -h | --help) sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) fail 64 "unknown argument | expected: --with-lint, --with-fuzz or nothing | got: $argument" ;;
  esac
done

packages=() probes=()
while read -r package probe purpose; do
  case "$package" in '' | '#'*) continue ;; esac
  case "$purpose" in
    lint:*) [ "$with_lint" = 1 ] || continue ;;
    fuzz:*) [ "$with_fuzz" = 1 ] || continue ;;
  esac
  packages+=("$package")
  probes+=("$probe")
done <"$deps"

missing=()
if command -v dpkg-query >/dev/null; then
  # dpkg-query exits 1 when it does not know a package: that is an answer, not a failure.
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
  for package in "${packages[@]}"; do
    grep -qxF "$package installed" <<<"$installed" || missing+=("$package")
  done
else
  for i in "${!packages[@]}"; do
    has_probe "${probes[$i]}" || missing+=("${packages[$i]}")
  done
fi

if [ ${#missing[@]} = 0 ]; then
  echo "setup: all ${#packages[@]} system packages are there"
  exit 0
fi

echo "setup: missing system packages: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  fail 69 "cannot install packages here | expected: apt-get (Debian, Ubuntu) | got: none on PATH | hint: install\
 what these Debian packages hold with your own package manager: ${missing[*]}"
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    fail 69 "installing needs root | expected: root or sudo | got: user $(id -un) without sudo | hint: run as root:\
 apt-get install ${missing[*]}"
  fi
  echo "setup: using sudo for apt-get (installing system packages needs root)"
  as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)

# A package source that cannot be reached need not hold what is missing, so only the installation decides.
"${apt[@]}" update >&2 || echo "setup: warning: apt-get update failed; trying with the package lists there are" >&2
if ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2; then
  fail 69 "apt-get install failed | expected: ${missing[*]} installed | got: the messages above | hint: check the\
 network and /etc/apt/sources.list, or install them by hand and run this again"
fi
echo "setup: installed ${missing[*]}"
