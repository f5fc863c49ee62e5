#!/usr/bin/env bash
# A real S3 server for tests: the gateway of Ceph on one machine, with its objects in memory, at 127.0.0.1 alone.
#
#   ceph.sh start DIRECTORY PORT MONITOR_PORT   starts it and prints its address; 22 ports from MONITOR_PORT on are Ceph's own
#   ceph.sh stop DIRECTORY                      stops what was started there, and removes the directory
#
# What is removed is freed after seconds, not after hours as by default, so that many runs fit into the 2 GiB that it may have, or
# into CEPH_BYTES. Where it is full, writes wait for ever.
#
# Path style, region us-east-1, access key "nestjs-files", secret "nestjs-files-secret". Needs, on Debian and Ubuntu:
#   RUNLEVEL=1 apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd ceph-common ceph-mgr
set -euo pipefail

usage() {
  sed -n '2,11s/^# \{0,1\}//p' "$0"
  exit 2
}

start() {
  local directory=$1 port=$2 monitor=$3 cluster osd
  local monitors="[v2:127.0.0.1:$monitor/0,v1:127.0.0.1:$((monitor + 1))/0]"
  mkdir -p "$directory"/{mon,osd,run}
  cluster=$(cat /proc/sys/kernel/random/uuid)
  osd=$(cat /proc/sys/kernel/random/uuid)
  cat >"$directory/ceph.conf" <<CONF
[global]
fsid = $cluster
mon host = $monitors
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind port min = $((monitor + 2))
ms bind port max = $((monitor + 21))
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
mon allow pool size one = true
mon data avail crit = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = ${CEPH_BYTES:-2147483648}
mon data = $directory/mon
osd data = $directory/osd
run dir = $directory/run
admin socket = $directory/run/\$name.asok
pid file = $directory/run/\$name.pid
log file = $directory/\$name.log
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:$port
rgw enable apis = s3
rgw run sync thread = false
rgw gc obj min wait = 1
rgw gc processor period = 5
CONF
  export CEPH_CONF=$directory/ceph.conf
  monmaptool --create --fsid "$cluster" --addv a "$monitors" "$directory/monmap"
  ceph-mon --mkfs -i a --monmap "$directory/monmap"
  ceph-mon -i a
  ceph osd new "$osd"
  ceph-osd -i 0 --mkfs --osd-uuid "$osd"
  ceph-osd -i 0
  until ceph osd stat | grep -q '1 up'; do sleep 0.1; done
  radosgw -n client.rgw.a
  until curl -sf -o /dev/null "http://127.0.0.1:$port/"; do sleep 0.1; done
  radosgw-admin user create --uid=tests --display-name=tests --access-key=nestjs-files --secret-key=nestjs-files-secret
}

# The gateway first: without its storage it would not end.
stop() {
  local directory=$1 name pid
  for name in client.rgw.a osd.0 mon.a; do
    [ -f "$directory/run/$name.pid" ] || continue
    pid=$(cat "$directory/run/$name.pid")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do
      kill -0 "$pid" 2>/dev/null || continue 2
      sleep 0.1
    done
    kill -KILL "$pid"
  done
  rm -rf "$directory"
}

case ${1:-} in
  start)
    [ $# = 4 ] || usage
    mkdir -p "$2"
    if ! (start "$2" "$3" "$4") >"$2/start.log" 2>&1; then
      tail -n 20 "$2/start.log" >&2
      exit 1
    fi
    echo "http://127.0.0.1:$3"
    ;;
  stop)
    [ $# = 2 ] || usage
    stop "$2"
    ;;
  *) usage ;;
esac
