"""A server with the sample mail, for clients that are not ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import CONFIG, Live, import_mail, serving

SAMPLES = Path(__file__).parent.parent.parent / "examples" / "quickstart-mail"


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    config = tmp_path_factory.mktemp("live") / "config.toml"
    config.write_text(CONFIG)
    import_mail(config, "eml", SAMPLES)
    with serving(config) as live:
        yield live
