# Sourced by the recipes of servers that are written in Java: what they have in common.

log_to_the_console() {  # FILE: log4j's settings; warnings and worse
  cat > "$1" <<'C'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1.} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
C
}

compile() {  # DIR CLASS: our own main class, against the server's packages, if the recipe has changed it
  mkdir -p "$1/classes"
  if ! cmp -s "$2.java" "$1/classes/$2.java" || [ ! -e "$1/$2.jar" ]; then
    javac -nowarn -d "$1/classes" -cp "$1/lib/*" "$2.java"
    jar cf "$1/$2.jar" -C "$1/classes" .   # Java keeps no archive of classes where they are files of their own
    cp "$2.java" "$1/classes/"
  fi
}
