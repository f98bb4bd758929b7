#!/bin/bash
# setup.sh DIR: an OpenSearch node (server, HTTP, painless, reindex with delete-by-query, analysis; 50 MB) from its
# Maven packages. Needs mvn and a JDK of 17 or newer.
set -euo pipefail
DIR=$(realpath -m "$1"); cd "$(dirname "$0")"
if [ ! -e "$DIR/.done" ]; then
  mkdir -p "$DIR"/lib "$DIR"/home/config
  mvn -q -B -f pom.xml dependency:copy-dependencies -DoutputDirectory="$DIR/lib"
  cat > "$DIR/home/config/log4j2.properties" <<'C'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1.} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
C
  touch "$DIR/.done"
fi
mkdir -p "$DIR/classes"
if ! cmp -s OsServer.java "$DIR/classes/OsServer.java"; then   # a changed recipe
  javac -nowarn -d "$DIR/classes" -cp "$DIR/lib/*" OsServer.java
  cp OsServer.java "$DIR/classes/"
fi
