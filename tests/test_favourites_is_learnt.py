"""What the README says of `configs/favourites.yaml`. Takes about a minute: `make test-long`."""

import json
from pathlib import Path

import pytest

from tests.conftest import Rnn

CONFIG = Path(__file__).parent.parent / "configs" / "favourites.yaml"


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_network_remembers_at_every_distance(rnn: Rnn, seed: int) -> None:
    result = rnn("train", str(CONFIG), "--run-dir", "run", "--set", f"training.seed={seed}", "--json")
    questions = json.loads(result.out)["questions"]
    bands = questions["unseen pairings"]["by_distance"]
    assert list(bands) == ["1-10", "11-20", "21-30", "31-40", "41-50", "51-60"]
    assert min(band["accuracy"] for band in bands.values()) >= 0.98
    assert questions["unseen wordings"]["accuracy"] >= 0.85
    answer = json.loads(
        rnn(
            "complete",
            "My favourite dish is sushi. So, my favourite cuisine is _____.",
            "-m",
            "run",
            "--why",
            "--json",
        ).out
    )
    assert answer["completions"][0]["words"] == ["Japanese"]
    assert answer["why"]["words"][0]["word"] == "sushi"
