"""What every driver of the store's port must find in a text index."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jmaplite.store import Account, Store, Words
from tests.store.contract import StoreContract, found, nothing

SCRIPTS = "aZéßñžøÅŐ09абвЁ日本語한국어ไทยαΩאבجدहि"


def put(account: Account, key: int, subject: str, body: str = "") -> None:
    account.write(lambda tx: tx.text_put("note_text", key, (subject, body)))


def search(account: Account, *phrases: str, columns: tuple[str, ...] = ()) -> list[int]:
    with account.read() as tx:
        return found(tx, *phrases, columns=columns)


class TextTruths(StoreContract):
    @pytest.mark.parametrize(
        ("text", "phrase"),
        [
            ("Hello World", "hello"),
            ("hello", "HELLO"),
            ("Привет", "ПРИВЕТ"),
            ("Café crème", "cafe"),
            ("cafe", "CAFÉ"),
            (unicodedata.normalize("NFD", "Café Việt"), "viet"),
            ("Ｆｕｌｌ ｗｉｄｔｈ", "full width"),
            ("ﬁne", "fine"),
            ("jane.doe@mail.example.org", "jane.doe@mail.example.org"),
            ("Jane <jane.doe@mail.example.org>", "doe"),
            ("jane_doe@example.org", "jane"),
            ("re: [list] invoice#4711", "4711"),
            ("it's", "it's"),
            ("co\u00adope\u00adra\u00adtion", "cooperation"),
            ("हिन्दी भाषा", "हिन्दी"),
            ("كِتاب", "كتاب"),
            ("これは日本語のテストです", "日本語"),
            ("これは日本語のテストです", "テスト"),
            ("中文邮件搜索", "邮件"),
            ("ｱﾒﾘｶ", "アメリカ"),
            ("한국어를 배웁니다", "한국"),
            ("ภาษาไทยง่าย", "ไทย"),
            ("Mix日本mix", "日本"),
            ("nul\0separated", "separated"),
            ("\ud800 lone", "lone"),
        ],
    )
    def test_text_is_found(self, account: Account, text: str, phrase: str) -> None:
        put(account, 1, text)
        assert search(account, phrase) == [1]

    @pytest.mark.parametrize(
        ("text", "phrase"),
        [
            ("business", "bus"),
            ("hello big world", "hello world"),
            ("日本語", "本日"),
            ("हिन्दी", "हन"),
            ("हिन्दी", "ह"),
            ("one two", "two one"),
            ("", "anything"),
        ],
    )
    def test_text_is_not_found(self, account: Account, text: str, phrase: str) -> None:
        put(account, 1, text)
        assert search(account, phrase) == []

    def test_every_phrase_must_occur_in_any_order(self, account: Account) -> None:
        put(account, 1, "red green", "blue")
        assert search(account, "blue", "red") == [1]
        assert search(account, "blue", "yellow") == []

    def test_a_phrase_does_not_run_from_one_column_into_the_next(self, account: Account) -> None:
        put(account, 1, "red", "green")
        assert search(account, "red green") == []

    def test_words_may_be_limited_to_columns(self, account: Account) -> None:
        put(account, 1, "red", "green")
        assert search(account, "red", columns=("subject",)) == [1]
        assert search(account, "red", columns=("body",)) == []
        assert search(account, "red", "green", columns=("subject",)) == []
        assert search(account, "red", "green", columns=("subject", "body")) == [1]

    def test_an_unknown_column_is_refused(self, account: Account) -> None:
        with account.read() as tx, pytest.raises(ValueError, match="nonsense"):
            tx.match("note_text", Words((("red",),), ("nonsense",)))

    def test_the_newest_come_first(self, account: Account) -> None:
        for key in (5, 9, 1):
            put(account, key, "word")
        assert search(account, "word") == [9, 5, 1]

    def test_what_is_taken_out_is_not_found(self, account: Account) -> None:
        put(account, 1, "word")
        put(account, 2, "word")
        account.write(lambda tx: tx.text_remove("note_text", 1))
        account.write(lambda tx: tx.text_remove("note_text", 77))
        assert search(account, "word") == [2]

    def test_what_is_put_again_is_found_by_its_new_words_only(self, account: Account) -> None:
        put(account, 1, "old")
        put(account, 1, "new")
        assert (search(account, "old"), search(account, "new")) == ([], [1])

    def test_a_phrase_without_letters_or_digits_is_ignored(self, account: Account) -> None:
        put(account, 1, "salt & pepper")
        assert search(account, "salt", "&", "pepper") == [1]
        assert search(account, "salt", "&", columns=("subject",)) == [1]

    @pytest.mark.parametrize("phrases", [(), ("&",), ("&", '"'), ("",)])
    def test_nothing_to_look_for_finds_nothing(self, account: Account, phrases: tuple[str, ...]) -> None:
        put(account, 1, "salt & pepper")
        assert search(account, *phrases) == []
        assert search(account, *phrases, columns=("subject",)) == []

    @pytest.mark.parametrize(
        "phrase",
        [
            *('"', "'", '""', "\\", "%", "?", "&\0", "\ud800", "(", "*", "^", "-", "+", "{}", ":"),
            *('"salt', "salt*", "NEAR(salt pepper)", "subject:salt", "{subject}: salt", "-salt", "salt OR"),
            *(
                "(salt",
                "^salt",
                "salt + pepper",
                "salt\0",
                "$1",
                ":x",
                "salt\nAND",
                "pepper* salt",
                '" OR "pepper',
            ),
        ],
    )
    def test_nothing_in_a_word_is_syntax(self, account: Account, phrase: str) -> None:
        put(account, 1, "pepper")
        assert search(account, phrase) == []
        ignored = not any(character.isalnum() for character in phrase)
        for columns in (), ("subject", "body"):
            assert search(account, "pepper", phrase, columns=columns) == ([1] if ignored else [])

    def test_absurdly_many_words_are_answered(self, account: Account) -> None:
        put(account, 1, " ".join(f"w{number}" for number in range(256)))
        assert search(account, *(f"w{number % 256}" for number in range(20_000))) == [1]
        assert search(account, "w1 " * 100_000) == []

    @settings(max_examples=20)
    @given(st.lists(st.lists(st.text(min_size=1), min_size=1, max_size=3), max_size=5))
    def test_no_query_raises(self, phrases: list[list[str]]) -> None:
        with self.opened() as store, _account(store).read() as tx:
            match = tx.match("note_text", Words(tuple(map(tuple, phrases))))
            sql = f"SELECT {match.key} FROM {match.source} WHERE {match.where}"
            assert tx.rows(sql, *match.parameters) == []

    @settings(max_examples=30)
    @given(st.lists(st.text(SCRIPTS, min_size=1, max_size=6), min_size=1, max_size=6), st.data())
    def test_every_run_of_words_that_was_put_in_is_found(self, words: list[str], data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(words) - 1))
        end = data.draw(st.integers(start + 1, len(words)))
        with self.opened() as store:
            account = _account(store)
            put(account, 3, "", " ".join(words))
            assert search(account, " ".join(words[start:end])) == [3]


def _account(store: Store) -> Account:
    return store.account(store.create_account("ann", nothing))
