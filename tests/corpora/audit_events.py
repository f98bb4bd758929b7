"""Several hundred harmless events with the fields that vendors document: nothing in them should be masked."""

from __future__ import annotations

from corpora import audit_cloud, audit_identity, audit_systems
from corpora.cases import AuditCase

__all__ = ["audit_cases"]


def audit_cases() -> list[AuditCase]:
    """Return every harmless event; there are no exceptions: no field of them is a secret."""
    return [*audit_cloud.cases(), *audit_identity.cases(), *audit_systems.cases()]
