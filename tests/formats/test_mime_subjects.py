"""Subjects without what replies, forwards and lists add."""

import pytest

from jmaplite.formats import mime


class TestBaseSubject:
    """RFC 5256 §2.1."""

    @pytest.mark.parametrize(
        ("subject", "expected"),
        [
            ("", ""),
            ("Hello  \t World", "Hello World"),
            ("Re: Hello", "Hello"),
            ("RE : FW: Fwd : Hello", "Hello"),
            ("Re[2]: Hello", "Hello"),
            ("Re [x] : Hello", "Hello"),
            ("[List] Hello", "Hello"),
            ("[a] [b]Re: [c] Hello", "Hello"),
            ("[a] Re: [b] Re: Hello", "Hello"),
            ("Hello (fwd) (FWD) ", "Hello"),
            ("Re: Hello (fwd)", "Hello"),
            ("[fwd: Hello]", "Hello"),
            ("[Fwd: Re: [x] Hello (fwd)] (fwd)", "Hello"),
            ("[fwd: [fwd: Hello]]", "Hello"),
            ("[fwd: Hello] more", "more"),
            ("[fwd: [x] Hello] more", "[fwd: [x] Hello] more"),
            ("[a]", "[a]"),
            ("[a] [b]", "[b]"),
            ("Re: [a]", "[a]"),
            ("Re:", ""),
            ("[a] Re:", ""),
            ("Re: Re:Re:  ", ""),
            ("Regards", "Regards"),
            ("Aw: Hello", "Aw: Hello"),
            ("Hello [x]", "Hello [x]"),
            ("[unclosed Re: x", "[unclosed Re: x"),
            ("(fwd)", ""),
            ("[fwd:]", ""),
        ],
    )
    def test_artifacts_are_removed_until_none_is_left(self, subject: str, expected: str) -> None:
        assert mime.base_subject(subject) == expected


class TestThreadSubject:
    """RFC 8621 §3."""

    @pytest.mark.parametrize(
        "subject",
        [
            "Hello World",
            "hello   world ",
            "Re: Hello World",
            "Re[2]: Hello World",
            "Re(3): Hello World",
            "RE^2: Hello World",
            "Aw: Hello World",
            "AW: WG: Hello World",
            "Sv: Hello World",
            "Antw: Hello World",
            "Vs: Hello World",
            "Odp: Hello World",
            "Rif: Hello World",
            "Réf : Hello World",
            "回复：Hello World",
            "[Tag] Hello World",
            "Re: [tag] Re: Hello World",
            "[tag] Aw: [other] Fwd: Hello\tWorld (fwd)",
            "[Fwd: Hello World]",
        ],
    )
    def test_replies_in_many_languages_share_it(self, subject: str) -> None:
        assert mime.thread_subject(subject) == "helloworld"

    @pytest.mark.parametrize(
        ("subject", "expected"),
        [("Re: ", ""), ("[tag]", "[tag]"), ("Straße", "strasse"), ("Vs the world", "vstheworld"), ("re", "re")],
    )
    def test_what_only_looks_like_a_prefix_stays(self, subject: str, expected: str) -> None:
        assert mime.thread_subject(subject) == expected


@pytest.mark.parametrize(
    "unit", ["re:", "[a]", "[a] ", "[", "]", "[fwd:", "(fwd)", " ", "re[", "re ", "re[a]", "[a]re:", "x"]
)
@pytest.mark.parametrize("end", ["", "x", "]"])
def test_hostile_subjects_take_linear_time(unit: str, end: str) -> None:
    subject = unit * (400_000 // len(unit)) + end + "]" * 100_000

    mime.base_subject(subject)
    mime.thread_subject(subject)
