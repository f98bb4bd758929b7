"""How large a run is: from a few minutes without a server to a night."""

from __future__ import annotations

from dataclasses import dataclass, replace

from logweir.errors import LogweirError

__all__ = ["PROFILES", "Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """The sizes of a run.

    Attributes:
        name: Of the profile.
        volumes: Events in the store at each point of the growth curve.
        matrix_events: Events in one cell of the ingest matrix.
        workers: The workers of the matrix.
        batches: The batch sizes of the matrix.
        repeats: How often a cell of the matrix, and the freshness, are repeated.
        each: Questions of each class at each volume.
        step_seconds: How long one step may take.
        growth: Whether stores are only filled, in doublings, and asked cold and warm at each; without matrix,
            freshness and recovery, which do not need such volumes.
    """

    name: str
    volumes: tuple[int, ...]
    matrix_events: int
    workers: tuple[int, ...] = (1, 2, 4)
    batches: tuple[int, ...] = (100, 1000)
    repeats: int = 3
    each: int = 5
    step_seconds: float = 600.0
    growth: bool = False

    def up_to(self, events: int) -> Profile:
        """The same that ends at its largest volume up to so many events.

        Raises:
            LogweirError: It has none so small.
        """
        volumes = tuple(volume for volume in self.volumes if volume <= events)
        if not volumes:
            raise LogweirError(
                f"profile {self.name!r} begins at {self.volumes[0]:,} events, beyond {events:,}"
            )
        return replace(self, volumes=volumes)


def _doublings(end: int, steps: int) -> tuple[int, ...]:
    """Volumes up to ``end``, each twice the one before."""
    return tuple(end >> step for step in reversed(range(steps)))


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("tiny", (200, 400), 200, (1, 2), (50,), repeats=1, each=1, step_seconds=60.0),
        Profile("small", (2_000, 10_000, 50_000), 4_000),
        Profile("medium", (10_000, 50_000, 200_000), 20_000, each=10, step_seconds=1_800.0),
        Profile("sprout", _doublings(8_000, 3), 0, each=1, step_seconds=60.0, growth=True),
        Profile("large", _doublings(1_000_000, 6), 0, each=3, step_seconds=3_600.0, growth=True),
        Profile("huge", _doublings(10_000_000, 7), 0, each=3, step_seconds=36_000.0, growth=True),
    )
}
