#!/bin/bash
# setup.sh DIR: build VictoriaLogs (Apache-2.0) as DIR/bin/victoria-logs from its Go module (a minute on two cores, 16 MB).
set -euo pipefail
DIR=$(realpath -m "$1"); cd "$(dirname "$0")"
[ ! -x "$DIR/bin/victoria-logs" ] || exit 0
mkdir -p "$DIR/bin"
GOFLAGS=-mod=readonly GOTOOLCHAIN=auto go build -o "$DIR/bin/victoria-logs.new" -ldflags '-s -w' \
  github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs
mv "$DIR/bin/victoria-logs.new" "$DIR/bin/victoria-logs"
