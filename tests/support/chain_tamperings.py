"""What somebody does to three chains of five rows in a table of SQLite, past logweir."""

COLUMNS = (
    "time_us, time_ns, kind, level, action, service, env, trace_id, span_id, user_id, status, resource,"
    " error_type, duration_ms, extra_info"
)
#: The last writer's rows end the table, those of the first begin it.
FIRST, LAST = "(SELECT min(chain_writer) FROM TABLE_)", "(SELECT max(chain_writer) FROM TABLE_)"


def _copy(link: str, event_id: str = "inserted") -> str:
    return (
        f"INSERT INTO TABLE_ (id, {COLUMNS}, chain_writer, chain_seq, chain_prev, chain_hash)"
        f" SELECT '{event_id}', {COLUMNS}, {link} FROM TABLE_ WHERE chain_seq = 4 AND chain_writer = {FIRST}"
    )


#: Statements by what they do; ``TABLE_`` stands for the table.
TAMPERINGS: dict[str, list[str]] = {
    "nothing": [],
    "each writer's last row changed": ["UPDATE TABLE_ SET status = 'failed' WHERE chain_seq = 5"],
    "each writer's first row changed": ["UPDATE TABLE_ SET status = 'failed' WHERE chain_seq = 1"],
    "a row in the middle is gone": ["DELETE FROM TABLE_ WHERE chain_seq = 3"],
    "the ends are gone": ["DELETE FROM TABLE_ WHERE chain_seq > 3"],
    "the beginnings are gone": ["DELETE FROM TABLE_ WHERE chain_seq < 3"],
    "all rows of the last writer are gone": [f"DELETE FROM TABLE_ WHERE chain_writer = {LAST}"],
    "all rows of the first writer are gone": [f"DELETE FROM TABLE_ WHERE chain_writer = {FIRST}"],
    "a row behind the first writer's end": [_copy(f"{FIRST}, 6, chain_hash, chain_prev")],
    "a row behind the last writer's end": [_copy(f"{LAST}, 6, chain_hash, chain_prev")],
    "rows far behind an end": [
        _copy(f"{FIRST}, 7, chain_hash, chain_prev"),
        _copy(f"{FIRST}, 8, chain_hash, chain_prev", "another"),
    ],
    "rows of nobody": [
        _copy("'~nobody', 1, chain_prev, chain_hash"),
        _copy("'~nobody', 2, chain_prev, chain_hash", "another"),
        _copy("'~somebody', 1, chain_prev, chain_hash", "a third"),
    ],
    "a number that is none": [_copy(f"{FIRST}, 'x', chain_prev, chain_hash")],
    "two rows of one number": [
        _copy(f"{FIRST}, 2, chain_prev, chain_hash"),
        _copy(f"{FIRST}, 5, chain_prev, chain_hash", "another"),
    ],
    "rows without a link": [_copy("NULL, NULL, NULL, NULL", f"inserted {number}") for number in range(4)],
    "rows with half a link": [_copy(f"NULL, {number}, chain_prev, chain_hash", f"i {number}") for number in range(4)],
    "swapped rows": [
        "UPDATE TABLE_ SET chain_seq = 1000 WHERE chain_seq = 2",
        "UPDATE TABLE_ SET chain_seq = 2 WHERE chain_seq = 4",
        "UPDATE TABLE_ SET chain_seq = 4 WHERE chain_seq = 1000",
    ],
    "the heads are gone": ["DELETE FROM TABLE__chain"],
    "the first head is rolled back": [f"UPDATE TABLE__chain SET seq = 3, hash = 'x' WHERE writer = {FIRST}"],
}  # fmt: skip
