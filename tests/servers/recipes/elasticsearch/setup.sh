#!/bin/bash
# setup.sh DIR: an Elasticsearch node (server and HTTP transport alone, 40 MB) from its Maven packages.
# Needs mvn, a JDK of 17 or newer, unzip, libzstd1.
set -euo pipefail
DIR=$(realpath -m "$1"); cd "$(dirname "$0")"
. ../java.sh
if [ ! -e "$DIR/.done" ]; then
  mkdir -p "$DIR"/lib "$DIR"/home/{config,plugins,nativelibs,modules/transport-netty4}
  mvn -q -B -f pom.xml dependency:copy-dependencies -DoutputDirectory="$DIR/lib"
  M=$DIR/home/modules/transport-netty4
  unzip -qjo "$DIR"/lib/transport-netty4-*.jar 'META-INF/es-plugins/transport-netty4/*' -d "$M"
  sed -i 's/^modulename=.*/modulename=/' "$M/plugin-descriptor.properties"
  mv "$DIR"/lib/transport-netty4-*.jar "$DIR"/lib/netty-*.jar "$M/"
  ln -sf "$(ls /usr/lib/*-linux-gnu/libzstd.so.1 | head -1)" "$DIR/home/nativelibs/libzstd.so"
  log_to_the_console "$DIR/home/config/log4j2.properties"
  touch "$DIR/.done"
fi
compile "$DIR" EsServer
