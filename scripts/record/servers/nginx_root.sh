# Creates nginx's folder: nginx_root DIR makes DIR/www, a certificate and the configuration.
nginx_root() {
  mkdir -p "$1/www/data" "$1/tmp"
  cp "$RECORD/servers/nginx.conf" "$1/nginx.conf"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=shop.test -keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null
  printf '<!doctype html><title>Shop</title><h1>Welcome</h1>\n' >"$1/www/index.html"
  python3 - "$1/www" <<'PY'
import gzip, json, pathlib, sys, zlib, struct
www = pathlib.Path(sys.argv[1])
rows = [{'id': i, 'name': f'item {i}', 'price': i * 3 % 97} for i in range(60)]
(www / 'data/small.json').write_text('{"ok":true}')
(www / 'data/list.json').write_text(json.dumps(rows))
(www / 'data/fly.json').write_text(json.dumps(rows[:30]))
(www / 'data/list.json.gz').write_bytes(gzip.compress((www / 'data/list.json').read_bytes(), mtime=0))
(www / 'data/text.txt').write_text('line of text\n' * 200)
(www / 'data/big.bin').write_bytes(b'0123456789abcdef' * 90000)
(www / 'data/empty.txt').write_text('')
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
raw = b''.join(b'\0' + bytes((x * y) % 256 for x in range(64)) for y in range(64))
(www / 'logo.png').write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 64, 64, 8, 0, 0, 0, 0))
    + chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b''))
for n in range(40):
    (www / f'data/n{n}.json').write_text(json.dumps({'n': n}))
PY
  chmod -R a+rX "$1"; chmod 777 "$1" "$1/tmp"
}
