#!/usr/bin/env bash
# mod_xsendfile 0.12 (Debian's libapache2-mod-xsendfile 0.12-2+b1, Apache 2.4.71): the path in `X-Sendfile` is taken as it is.
# Guessed: it is decoded first, so that a path of any characters can be sent percent-encoded: the module's page says that the name is taken
#   for URL-encoded (https://sdaylor.github.io/mod_xsendfile). That is a later version than the one that distributions have, which does not
#   know the directive XSendFileUnescape either.
# Seen: 404 for the encoded path, 200 for the bytes of the path in UTF-8, sent as they are.
# Downloads the two packages with apt-get, and unpacks them into a temporary folder. Needs Debian or a relative of it, curl and node. Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
chmod 755 "$directory"
trap 'kill $(cat "$directory"/*.pid 2>/dev/null) 2>/dev/null || true; rm -rf "$directory"' EXIT
cd "$directory"
apt-get download -qq apache2-bin libapache2-mod-xsendfile=0.12-2+b1 >/dev/null 2>&1
for package in ./*.deb; do dpkg-deb -x "$package" unpacked; done
modules="$directory/unpacked/usr/lib/apache2/modules"
mkdir -p "files/a b"
printf 'hello' >"files/a b/ü.txt"
cat >backend.mjs <<'JS'
import { createServer } from 'node:http';
const path = `${process.cwd()}/files/a b/ü.txt`;
const paths = {
  '/encoded': path.split('/').map(encodeURIComponent).join('/'),
  '/bytes': Buffer.from(path).toString('latin1'),
};
const server = createServer(({ url }, response) => response.writeHead(200, { 'X-Sendfile': paths[url] }).end());
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
JS
node backend.mjs >port &
echo $! >backend.pid
until [ -s port ]; do sleep 0.1; done
listen=$(node -e "const s = require('node:net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })")
{
  printf 'ServerName localhost\nListen 127.0.0.1:%s\nPidFile %s/httpd.pid\nErrorLog %s/error.log\n' "$listen" "$directory" "$directory"
  [ "$(id -u)" != 0 ] || printf 'User nobody\nGroup nogroup\n'
  for name in mpm_event authz_core proxy proxy_http xsendfile; do printf 'LoadModule %s_module %s/mod_%s.so\n' $name "$modules" $name; done
  printf 'ProxyPass / http://127.0.0.1:%s/\nXSendFile On\nXSendFilePath %s/files\n' "$(cat port)" "$directory"
} >httpd.conf
"$directory/unpacked/usr/sbin/apache2" -f "$directory/httpd.conf" -D FOREGROUND &
echo $! >apache.pid
until [ -s httpd.pid ]; do sleep 0.1; done
status() { curl -s -o answer -w '%{http_code}' --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$listen/$1"; }
seen="encoded $(status encoded), bytes $(status bytes) $(cat answer)"
echo "mod_xsendfile $(dpkg-deb -f ./libapache2-mod-xsendfile*.deb Version), Apache $(dpkg-deb -f ./apache2-bin*.deb Version): $seen"
[ "$seen" = 'encoded 404, bytes 200 hello' ] || { echo 'This has changed.'; exit 1; }
