"""What stands in messages: one line, bounded, and nothing of what was logged."""

from logweir.sinks.shared.wording import encoding_fault, in_one_line


def test_a_text_is_one_line_and_a_cut_shows() -> None:
    assert in_one_line(" a\n b\t c ", 5) == "a b c"
    assert in_one_line("abcdef", 5) == "abcde…"


def test_the_fault_of_a_text_does_not_quote_it() -> None:
    try:
        "card 4111\ud800".encode()
    except UnicodeEncodeError as error:
        assert encoding_fault(error) == "surrogates not allowed"
    assert encoding_fault(TypeError("set is no type of JSON")) == "set is no type of JSON"
