"""The pytest plugin: what every run of pytest in a project pays for it."""

import subprocess
import sys


def test_loading_the_plugin_imports_nothing_of_what_it_may_never_need() -> None:
    code = "import sys, logweir.testing.plugin; print(*sorted(n for n in sys.modules if n.startswith('logweir')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["logweir", "logweir.testing", "logweir.testing.plugin"]
