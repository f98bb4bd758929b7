"""Garbage in a process of our own."""

import subprocess
import sys

PROGRAM = """
import gc
from logweir.process.garbage import keep_what_is_there

class Knot:
    def __init__(self):
        self.me = self

collected = []
gc.callbacks.append(lambda phase, info: collected.append(info["collected"]))
old = Knot()
Knot()
keep_what_is_there()
assert sum(collected), "what nobody needs is gone before"
assert gc.get_freeze_count() > 1000
assert not any(each is old for each in gc.get_objects()), "and what is there is not looked through again"
del collected[:]
for _ in range(20_000):
    Knot()
assert sum(collected) > 10_000, "what comes later is collected"
"""


def test_what_a_start_left_is_looked_through_no_more_and_later_garbage_is_collected() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
