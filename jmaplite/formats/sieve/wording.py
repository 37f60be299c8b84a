"""Actions in words, for whoever tries a script."""

from __future__ import annotations

from jmaplite.formats.sieve.actions import Action, Discard, Fcc, FileInto, Keep, Notify, Redirect, Reject, Vacation

_LONGEST = 200


def in_words(action: Action) -> str:
    """What an action does, in one line."""
    match action:
        case Keep():
            why = " (nothing else was done with it)" if action.is_implicit else ""
            return f"keep it in the inbox{why}{_flags(action.flags)}{_changed(action.message is not None)}"
        case FileInto():
            copy = "a copy of it" if action.is_copy else "it"
            return f"file {copy} into {_place(action)}{_flags(action.flags)}{_changed(action.message is not None)}"
        case Redirect():
            copy = "a copy of it" if action.is_copy else "it"
            return f"send {copy} on to {action.address}{_changed(action.message is not None)}"
        case Discard():
            return "throw it away"
        case Reject():
            return f"refuse it: {_short(action.reason)}"
        case Vacation():
            again = f"again after {action.period} seconds" if action.period else "every time"
            return f"answer the sender, {again}: {_short(action.reason)}{_copied(action.fcc)}"
        case Notify():
            return f"notify {action.method}: {_short(action.message or '')}{_copied(action.fcc)}"


def _place(place: FileInto | Fcc) -> str:
    words = f'"{place.mailbox}"'
    if place.mailbox_id is not None:
        words = f"the mailbox {place.mailbox_id}, else {words}"
    if place.special_use is not None:
        words = f"the mailbox for {place.special_use}, else {words}"
    return f"{words} (made if it is missing)" if place.create else words


def _flags(flags: tuple[str, ...]) -> str:
    return f", with {' '.join(flags)}" if flags else ""


def _changed(is_changed: bool) -> str:
    return ", as the script has changed it" if is_changed else ""


def _copied(fcc: Fcc | None) -> str:
    return "" if fcc is None else f", a copy into {_place(fcc)}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
