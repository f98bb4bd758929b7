#!/bin/bash
# setup.sh DIR: an Apache Kafka broker (KRaft, 45 jars, 43 MB) from its Maven packages. Needs mvn and a JRE of 17 or newer.
set -euo pipefail
DIR=$(realpath -m "$1"); cd "$(dirname "$0")"
if ! cmp -s pom.xml "$DIR/.done"; then   # missing, or a changed recipe
  rm -rf "$DIR/lib" "$DIR/lib.new"
  mvn -q -B -f pom.xml dependency:copy-dependencies -DoutputDirectory="$DIR/lib.new"
  mv "$DIR/lib.new" "$DIR/lib"
  cp pom.xml "$DIR/.done"
fi
