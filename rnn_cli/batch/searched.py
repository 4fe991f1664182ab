"""What a search is of, written down in its folder: a plan that has changed is told."""

import json
from dataclasses import asdict
from pathlib import Path

from rnn_cli.batch.plan import Plan, SearchPlan
from rnn_cli.batch.record import Digests, Record, changes_told
from rnn_cli.batch.study import told
from rnn_cli.config.nodes import dotted_keys
from rnn_cli.errors import UsageError
from rnn_cli.files import write_text

SEARCH = "search.json"


def check_what_is_searched(plan: Plan, search: SearchPlan, path: Path, digests: Digests) -> None:
    """Write down what is searched, or see that it is the same as before.

    Raises:
        UsageError: it is not.
    """
    records = {run.source: Record.of(run.config, digests) for run in search.references}
    now = {
        "metric": plan.metric,
        "after": {name: " ".join(words) for name, words in plan.after.items()},
        "sample": search.space.described(),
    }
    try:
        before = json.loads((path / SEARCH).read_text(encoding="utf-8"))
        configs = {source: Record(**stored) for source, stored in before.pop("configs").items()}
    except FileNotFoundError:
        configs_now = {source: asdict(record) for source, record in records.items()}
        write_text(path / SEARCH, json.dumps(now | {"configs": configs_now}, indent=2) + "\n")
        return
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(f"{path / SEARCH} is damaged. Choose another folder with --run-dir.") from None
    changes = changes_told(dotted_keys(before), dotted_keys(json.loads(json.dumps(now))))
    if configs.keys() != records.keys():
        changes.append(f"the configs were {', '.join(configs)} and are {', '.join(records)}")
    for source in configs.keys() & records.keys():
        changes += configs[source].changes(records[source])
    if changes:
        raise UsageError(
            f"{path} was searched otherwise: {told(changes)}.\n"
            "What is searched stays the same through a search (trials, minutes, sampler and pruner may change). "
            "Choose another folder with --run-dir."
        )
