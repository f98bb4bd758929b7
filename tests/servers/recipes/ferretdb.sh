#!/bin/bash
# ferretdb.sh DIR: FerretDB (a Go program) over PostgreSQL 18 with the DocumentDB extension, which is
# packaged in Debian forky: PostgreSQL lives in a chroot of its own.
set -euo pipefail
DIR=$(realpath -m "$1")
"$(dirname "$0")/chroot.sh" "$DIR" forky postgresql-18-documentdb
[ -x "$DIR/bin/ferretdb" ] ||
  GOPROXY=$(go env GOPROXY | cut -d, -f1) GOTOOLCHAIN=auto GOBIN=$DIR/bin go install github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v2.7.0
