#!/bin/bash
# setup.sh DIR: an OpenSearch node (server, HTTP, painless, reindex with delete-by-query, analysis; 50 MB) from its
# Maven packages. Needs mvn and a JDK of 17 or newer.
set -euo pipefail
DIR=$(realpath -m "$1"); cd "$(dirname "$0")"
. ../java.sh
if [ ! -e "$DIR/.done" ]; then
  mkdir -p "$DIR"/lib "$DIR"/home/config
  mvn -q -B -f pom.xml dependency:copy-dependencies -DoutputDirectory="$DIR/lib"
  log_to_the_console "$DIR/home/config/log4j2.properties"
  touch "$DIR/.done"
fi
compile "$DIR" OsServer
