# A browser engine: a page with its style sheet, script and image, then fetches of JSON, forms and multipart.
pair_up
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture s eth0 chromium
on c timeout 30 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$WORK/chromium" --disable-background-networking --virtual-time-budget=8000 --dump-dom http://10.77.0.1:8080/ >"$WORK/dom" 2>/dev/null || true
capture_end
expected chromium
describe chromium 'headless Chromium loads a page with a style sheet, a script and an image, then fetches JSON, forms and multipart' "$(chromium --version 2>/dev/null | cut -d' ' -f1,2)" "Node $(node -v)"
