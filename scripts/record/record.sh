#!/usr/bin/env bash
# Records the golden captures anew: scripts/record/record.sh [CASE...]   (as root; first run scripts/record/setup.sh)
# Without a case it runs all of scripts/record/cases. KEEP=1 leaves the working folder, OUT=… writes elsewhere.
set -euo pipefail
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- $(cd cases && ls *.sh | sed 's/\.sh$//')
for name; do
  echo "== $name"
  (
    set -euo pipefail
    . ./lib.sh
    trap tidy EXIT
    . "./cases/$name.sh"
  )
done
echo 'now: npm run generate, which lists the captures in test/fixtures/README.md'
