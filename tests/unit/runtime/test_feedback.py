"""Feedback: what interrupts the delivery is not about it, and the decision waits for nobody."""

import threading
from collections.abc import Mapping

from logweir.process.reentry import registered
from logweir.runtime.feedback import Feedback
from logweir.telemetry.model import SinkMetrics
from logweir.testing.contract import make_event


def test_what_is_logged_inside_a_lock_of_the_delivery_is_taken_without_a_look_at_the_counts() -> None:
    """Who counts may wait for that lock, and has another one that a look would need."""

    def counts() -> Mapping[str, SinkMetrics]:
        raise AssertionError("the counts were looked at")

    feedback = Feedback(counts)
    with registered(threading.RLock()):
        assert not feedback.leaves_out(make_event(), from_library=True)
    assert feedback.left_out == 0
