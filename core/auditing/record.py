"""The audit record: what every audit event says, typed, and extensible for each action.

::

    class FundTransfer(AuditRecord, action="fund.transfer"):
        amount: Decimal
        currency: str

From then on every audit event of that action must have an amount and a currency. The action may be a
glob such as ``permission.*``; an exact action wins over globs, a longer glob over a shorter one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, TypeGuard

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from logweir.encoding.values import clean_text
from logweir.errors import AuditError
from logweir.settings.described import Described

__all__ = ["AuditRecord", "as_declared", "make_record", "record_for"]

_GLOB_CHARACTERS = frozenset("*?[")
_registry: dict[str, type[AuditRecord]] = {}


def _as_identifier(value: Any) -> Any:
    """Ids of other types (UUID, ObjectId, …) are kept as text."""
    return value if value is None or issubclass(type(value), int | str) else str(value)


Identifier = Annotated[int | str | None, BeforeValidator(_as_identifier)]


class AuditRecord(Described):
    """Who did what to what, and how it ended; other keyword arguments are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    #: The action, or glob of actions, that the class was declared for.
    registered_action: ClassVar[str | None] = None

    action: str = Field(min_length=1)
    """What was done, dotted, such as `fund.transfer`; the event's name."""
    user_id: Identifier = None
    """Who did it."""
    status: str = Field(default="success", min_length=1)
    """How it ended, by `success`, `failed` or a word of your own."""
    resource: Identifier = None
    """What it was done to."""
    duration_ms: float | None = None
    """How long it took."""
    error_type: str | None = None
    """The class of the error, if it failed."""
    call_id: str | None = None
    """The same in both records of a call that is recorded before it begins and when it has ended."""
    extra_info: dict[str, Any] = Field(default_factory=dict)
    """Fields of names that are no keyword here, such as `timeout`; each becomes a field of the event. What
    the class declares may be given here, too, and is checked just so."""

    def __init_subclass__(cls, *, action: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(cls, *, action: str | None = None, **kwargs: Any) -> None:
        """Register the class for its action.

        Raises:
            ValueError: Another class has that action.
        """
        super().__pydantic_init_subclass__(**kwargs)
        cls.registered_action = action
        if action is not None:
            _register(action, cls)

    @model_validator(mode="before")
    @classmethod
    def _knows_its_action(cls, values: Any) -> Any:
        """A class that was declared for exactly one action need not be given it again."""
        known = cls.registered_action
        if known is None or _is_glob(known) or not isinstance(values, Mapping):
            return values
        return {"action": known, **values}

    @model_validator(mode="before")
    @classmethod
    def _checks_extra_info(cls, values: Any) -> Any:
        """Take what the class declares out of ``extra_info``; all of it, where it allows nothing else."""
        info = values.get("extra_info") if isinstance(values, Mapping) else None
        if not _is_mapping(info) or not _has_usual_info(cls):
            return values
        taken = _found_inside(cls, values, info)
        rest = {name: value for name, value in info.items() if name not in taken}
        return {**values, **{name: info[name] for name in taken}, "extra_info": rest}

    def to_fields(self) -> dict[str, Any]:
        """The event's fields: all that is set, but the action, which is the event's name.

        What is in ``extra_info`` is a field like any other, so that SQL finds it in the column of that name;
        only what would take the place of another field stays inside.
        """
        values = {name: value for name, value in self.__dict__.items() if value is not None}
        del values["action"]
        info = dict(values.pop("extra_info", ()))  # of a model that a class has declared for it, too
        values.update(self.model_extra or {})  # None too: the caller has said it
        if not info:
            return values
        taken = {*type(self).model_fields, *values}
        values.update({name: value for name, value in info.items() if name not in taken})
        if inside := {name: value for name, value in info.items() if name in taken}:
            values["extra_info"] = inside
        return values


def record_for(action: str) -> type[AuditRecord]:
    """The class that is registered for an action; :class:`AuditRecord` itself if none is."""
    exact = _registry.get(action)
    if exact is not None:
        return exact
    fitting = [pattern for pattern in _registry if _is_glob(pattern) and fnmatchcase(action, pattern)]
    return _registry[max(fitting, key=len)] if fitting else AuditRecord


def as_declared(action: str, name: str, value: Any) -> Any:
    """Return a user or a resource as its record keeps it: as text, unless the class declares it otherwise.

    Raises:
        Exception: Whatever making the text raises.
    """
    declared, usual = (kind.model_fields[name].annotation for kind in (record_for(action), AuditRecord))
    return _as_identifier(value) if declared == usual else value


def make_record(action: str, values: Mapping[str, Any]) -> AuditRecord:
    """Validate what is to be audited.

    Raises:
        AuditError: A value is missing or wrong; the message names it, and never holds it.
    """
    record_class = record_for(action)
    try:
        return record_class.model_validate(_cleaned({**values, "action": action}))
    except ValidationError as error:
        inside = _found_inside(record_class, values, values.get("extra_info"))
        problems = "; ".join(
            _describe(problem, inside) for problem in error.errors(include_url=False, include_context=False)
        )
    except Exception as error:  # noqa: BLE001 - a validator of the application that raises something else
        problems = f"a validator raised {type(error).__qualname__}"
    raise AuditError(f"audit record of {action!r} does not fit {record_class.__name__}: {problems}")


def _cleaned(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write lone surrogates, such as those of a file's name, as they are stored: pydantic refuses them."""
    texts = {
        name if name.isascii() else clean_text(name): clean_text(value) if type(value) is str else value
        for name, value in values.items()
    }
    info = texts.get("extra_info")
    if type(info) is dict:
        texts["extra_info"] = {clean_text(k) if type(k) is str else k: v for k, v in info.items()}
    return texts


def _register(action: str, record: type[AuditRecord]) -> None:
    earlier = _registry.get(action)
    # Silently replacing it would make the checks of one module depend on which is imported last.
    if earlier is not None and _identity(earlier) != _identity(record):
        raise ValueError(
            f"action {action!r} has the record {'.'.join(_identity(earlier))} already; "
            f"give {record.__qualname__} another action, or derive it without one"
        )
    _registry[action] = record


def _identity(record: type[AuditRecord]) -> tuple[str, str]:
    """The same class, executed again by a module's reload, is not another one."""
    return record.__module__, record.__qualname__


def _is_glob(action: str) -> bool:
    return not _GLOB_CHARACTERS.isdisjoint(action)


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    """By the real class: ``isinstance`` would ask the value, which may raise."""
    return issubclass(type(value), Mapping)


def _has_usual_info(record: type[AuditRecord]) -> bool:
    """Whether ``extra_info`` is what it is here, and no model of the class's own."""
    return record.model_fields["extra_info"].annotation == AuditRecord.model_fields["extra_info"].annotation


def _found_inside(record: type[AuditRecord], values: Mapping[Any, Any], info: Any) -> set[Any]:
    """The names in ``extra_info`` that are fields of the class's own, and not given beside it."""
    if not _is_mapping(info) or not _has_usual_info(record):
        return set()
    usual = AuditRecord.model_fields.keys()
    names: set[Any] = set()
    for name, field in record.model_fields.items():
        if name not in usual:
            names |= {name, field.alias, field.validation_alias}
    if record.model_config.get("extra") == "forbid":
        names = {*info} - usual
    return names & {*info} - values.keys()


def _describe(problem: Any, inside: Collection[Any]) -> str:
    parts = (
        ["extra_info", *problem["loc"]]
        if problem["loc"][:1] and problem["loc"][0] in inside
        else problem["loc"]
    )
    place = ".".join(str(part) for part in parts) or "record"
    message = problem["msg"]
    if _holds_a_value(message, problem["input"]):
        message = "refused by its validator, whose message is withheld because it holds the value"
    return f"{place}: {message}"


def _holds_a_value(message: str, given: Any) -> bool:
    values = given.values() if _is_mapping(given) else [given]
    return any(_is_in(value, message) for value in values)


def _is_in(value: Any, message: str) -> bool:
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - a value that has no text cannot be in the message
        return False
    return bool(text) and text in message
