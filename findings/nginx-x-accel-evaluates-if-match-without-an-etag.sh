#!/usr/bin/env bash
# nginx 1.22.1 (Debian's nginx 1.22.1-9+deb12u11): behind `X-Accel-Redirect`, an `If-Match` that the application found true is answered with 412.
# Guessed: the application has evaluated the condition, and nginx only sends the bytes, with the ETag that `add_header` gives them, as it
#   does for If-Range. (The conditions of a request count for the resource that was asked for: RFC 9110, 13.1.1.)
# With `etag off`, which keeps the file's own ETag from replacing the application's, nginx has no ETag when it evaluates the header again:
#   ngx_http_test_if_match() of src/http/modules/ngx_http_not_modified_filter_module.c fails then. `If-Unmodified-Since` is compared with the
#   time of the file, not with the application's Last-Modified.
# Seen: 200 without a condition, 412 for If-Match with the ETag that the 200 had, 206 for If-Range with the same one.
# Downloads the package with apt-get, and unpacks it into a temporary folder. Needs Debian or a relative of it, curl and node. Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
chmod 755 "$directory"
trap 'kill $(cat "$directory"/*.pid 2>/dev/null) 2>/dev/null || true; rm -rf "$directory"' EXIT
cd "$directory"
apt-get download -qq nginx=1.22.1-9+deb12u11 >/dev/null 2>&1
dpkg-deb -x ./nginx*.deb unpacked
mkdir files logs
printf 'hello world' >files/hello.txt
cat >backend.mjs <<'JS'
import { createServer } from 'node:http';
// The application finds the condition true, and says where the bytes are.
const server = createServer((_, response) =>
  response.writeHead(200, { 'X-Accel-Redirect': '/inside/hello.txt', ETag: '"of-the-application"' }).end(),
);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
JS
node backend.mjs >port &
echo $! >backend.pid
until [ -s port ]; do sleep 0.1; done
listen=$(node -e "const s = require('node:net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })")
cat >nginx.conf <<CONF
$([ "$(id -u)" != 0 ] || echo 'user nobody nogroup;')
pid $directory/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path $directory/logs;
  proxy_temp_path $directory/logs/proxy;
  fastcgi_temp_path $directory/logs/fastcgi;
  uwsgi_temp_path $directory/logs/uwsgi;
  scgi_temp_path $directory/logs/scgi;
  server {
    listen 127.0.0.1:$listen;
    location / { proxy_pass http://127.0.0.1:$(cat port); }
    location /inside/ {
      internal;
      alias $directory/files/;
      etag off;
      add_header ETag \$upstream_http_etag;
    }
  }
}
CONF
unpacked/usr/sbin/nginx -e "$directory/logs/error.log" -p "$directory" -c "$directory/nginx.conf"
status() { curl -s -o answer -w '%{http_code}' --retry 20 --retry-connrefused --retry-delay 1 "$@" "http://127.0.0.1:$listen/file"; }
etag='"of-the-application"'
[ "$(curl -sI "http://127.0.0.1:$listen/file" | grep -ci "^etag: $etag")" = 1 ] || { echo 'The ETag has changed.'; exit 1; }
seen="no condition $(status), If-Match $(status -H "If-Match: $etag"), If-Range $(status -H "If-Range: $etag" -H 'Range: bytes=6-') $(cat answer)"
echo "nginx $(dpkg-deb -f ./nginx*.deb Version): $seen"
[ "$seen" = 'no condition 200, If-Match 412, If-Range 206 world' ] || { echo 'This has changed.'; exit 1; }
