"""The data types of the server, a slice for each specification."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from jmaplite.core.catalog import CORE, Capability, Catalog
from jmaplite.core.schema import CORE_TABLES
from jmaplite.datatypes.blob import COPY, blob
from jmaplite.datatypes.mail import MailSettings, mail
from jmaplite.datatypes.mdn import mdn
from jmaplite.datatypes.quota import quota
from jmaplite.datatypes.sieve import SieveSettings, sieve
from jmaplite.datatypes.submission import SubmissionSettings, submission
from jmaplite.datatypes.vacation import vacation
from jmaplite.store import Schema, Table


def capabilities(
    mail_settings: MailSettings | None = None,
    submission_settings: SubmissionSettings | None = None,
    sieve_settings: SieveSettings | None = None,
    *,
    without: Collection[str] = (),
) -> tuple[Capability, ...]:
    """Every capability that there is, the core first. None of them knows the types of those in `without`."""
    core = replace(CORE, account=lambda limits, access: {}, methods=(*CORE.methods, COPY))
    slices = (
        mail(mail_settings or MailSettings()),
        submission(submission_settings or SubmissionSettings()),
        vacation(),
        sieve(sieve_settings or SieveSettings()),
        mdn(),
    )
    types = [data_type for one in slices if one.urn not in without for data_type in one.types]
    return (core, *slices, blob(types), quota(types))


def schema(catalog: Catalog, more: tuple[Table, ...] = ()) -> Schema:
    """What a store has to hold for the types of a catalog, and for others (`more`, the blobs' own tables)."""
    types = [data_type for capability in catalog.capabilities for data_type in capability.types]
    tables = [table for data_type in types for table in data_type.tables()]
    texts = [text for capability in catalog.capabilities for text in capability.texts]
    return Schema((*CORE_TABLES, *tables, *more), tuple(texts))
