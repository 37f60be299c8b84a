"""Mail made up from a seed."""

from __future__ import annotations

from jmaplite.dev.generator import Generator
from jmaplite.formats import mime

NOW = 1_750_000_000.0


def test_the_same_seed_makes_the_same_mail() -> None:
    first, again, other = (list(Generator(seed, "a@b.example").threads(20, NOW)) for seed in (1, 1, 2))
    assert first == again
    assert [made.octets for made in first] != [made.octets for made in other]


def test_there_are_as_many_threads_as_asked_for_and_some_have_replies() -> None:
    made = list(Generator(3, "a@b.example").threads(30, NOW))
    subjects = []
    for one in made:
        message = mime.parse(one.octets)
        fields = dict(mime.header_fields(one.octets, message.root.header_start, message.root.header_end))
        subjects.append(mime.text(fields["Subject"]))
        assert mime.received_at(list(fields.items())) == one.received
    assert sum(not subject.startswith("Re: ") for subject in subjects) == 30
    assert any(subject.startswith("Re: ") for subject in subjects)


def test_mail_comes_in_order_and_ends_before_now() -> None:
    received = [made.received for made in Generator(4, "a@b.example").threads(30, NOW)]
    assert received == sorted(received)
    assert NOW - 3600 < received[-1] <= NOW


def test_no_threads_are_no_mail() -> None:
    assert list(Generator(1, "a@b.example").threads(0, NOW)) == []


def test_some_of_it_has_html_and_some_has_files() -> None:
    messages = [mime.parse(made.octets) for made in Generator(5, "a@b.example").threads(40, NOW)]
    assert any(message.has_attachment for message in messages)
    assert any(part.type == "text/html" for message in messages for part in message.root.sub_parts or ())
