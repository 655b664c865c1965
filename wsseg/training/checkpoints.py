"""Checkpoints of a training: two files alternate, and a state names the complete ones with their hashes.

A checkpoint that is damaged or missing is noticed before it is loaded. The training then goes on from the one before,
or from the start, and says so.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras

from wsseg.artifacts import read_json, to_disk, write_json
from wsseg.errors import InputError
from wsseg.file_names import CHECKPOINT, TRAINING_STATE
from wsseg.training.model_files import require_space

NAMES = ("checkpoint", "best")
"""Keys of a state that name weights files."""


class Checkpoints:
    """The checkpoints in a stage's folder.

    The state is a dictionary: `history` (one dictionary per complete epoch), `checkpoint` and, if an epoch is chosen,
    `best` (names of weights files), `sha256` (name -> hash), `ended` (why the training ended early), and `before` (the
    same of the epoch before, without its own `before`).

    Args:
        folder: Folder of the stage.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def state(self) -> dict[str, Any]:
        """Return the state of the last complete epoch; {} before the first."""
        path = self.folder / TRAINING_STATE
        return read_json(path) if path.exists() else {}

    def mend(self) -> str:
        """Check the files that the state names; if one is damaged, go back to the epoch before, or to the start.

        Returns:
            What was found, in one line; empty if all is whole.
        """
        try:
            state = self.state()
            self._check_form(state)
        except InputError as error:
            self._forget()
            return f"{error}; the training starts again"
        damaged = self._damaged(state)
        if not damaged:
            return ""
        path = self.folder / damaged
        before = state.get("before", {})
        if before and not self._damaged(before):
            write_json(self.folder / TRAINING_STATE, before)
            return f"checkpoint {path} is damaged or missing; the training goes on after epoch {len(before['history'])}"
        self._forget()
        return f"checkpoint {path} is damaged or missing, and the one before too; the training starts again"

    def save_best(self, model: keras.Model, state: dict[str, Any], epoch: int) -> None:
        """Write the weights of the best epoch so far, and name them in the state, which is not written yet.

        Args:
            model: Model after the epoch.
            state: State, changed in place.
            epoch: Number of the epoch, from 1.
        """
        state["best"] = self._write(model, state, f"best_{epoch}_{CHECKPOINT}")

    def save(self, model: keras.Model, state: dict[str, Any], before: Mapping[str, Any]) -> None:
        """Write the weights and the optimizer's state after an epoch, then the state that names the file.

        Args:
            model: Model after the epoch.
            state: State with the history up to this epoch, changed in place.
            before: State of the epoch before; {} after the first.
        """
        number = (len(state["history"]) - 1) % 2
        state["checkpoint"] = self._write(model, state, f"{number}_{CHECKPOINT}")
        kept = {key: value for key, value in before.items() if key != "before"}
        used = {side[key] for side in (state, kept) for key in NAMES if key in side}
        state["sha256"] = {name: value for name, value in state["sha256"].items() if name in used}
        write_json(self.folder / TRAINING_STATE, state | ({"before": kept} if kept else {}))
        for path in self.folder.glob(f"best_*_{CHECKPOINT}"):
            if path.name not in used:
                path.unlink()

    def remove(self) -> None:
        """Delete the files that only resuming needs, once the model itself is saved."""
        for path in [*self.folder.glob(f"*_{CHECKPOINT}"), self.folder / TRAINING_STATE]:
            path.unlink(missing_ok=True)

    def load(self, model: keras.Model, name: str) -> None:
        """Load a weights file that the state names.

        Raises:
            InputError: The file does not fit the model.
        """
        try:
            model.load_weights(self.folder / name)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"checkpoint {self.folder / name} cannot be loaded ({error}); delete it, and the same command goes on "
                "from the epoch before"
            ) from error

    def _write(self, model: keras.Model, state: dict[str, Any], name: str) -> str:
        path = self.folder / name
        require_space(path, [*model.variables, *model.optimizer.variables])
        model.save_weights(path)
        to_disk(path)
        state["sha256"] = dict(state.get("sha256", {})) | {name: _hash(path)}
        return name

    def _check_form(self, state: Any) -> None:
        """Raise an error unless a state, and the one before, have the form that `save` writes."""
        sides = [state, state["before"]] if isinstance(state, dict) and "before" in state else [state]
        if state != {} and not all(_well_formed(side) for side in sides):
            raise InputError(f"{self.folder / TRAINING_STATE} is not the state of a training")

    def _damaged(self, state: Mapping[str, Any]) -> str:
        """Return the name of the first file of a state that is not as it was written; empty if all are."""
        for name in (state[key] for key in NAMES if key in state):
            try:
                known = state.get("sha256", {}).get(name)
                if known is None:  # written by an earlier version
                    h5py.File(self.folder / name).close()
                elif _hash(self.folder / name) != known:
                    return name
            except OSError:
                return name
        return ""

    def _forget(self) -> None:
        """Remove the state, and then the weights; a copy that cannot be loaded is of no use."""
        (self.folder / TRAINING_STATE).unlink(missing_ok=True)
        self.remove()


def _well_formed(state: Any) -> bool:
    return (
        isinstance(state, dict)
        and isinstance(state.get("history"), list)
        and all(isinstance(row, dict) for row in state["history"])
        and isinstance(state.get("checkpoint"), str)
        and isinstance(state.get("best", ""), str)
        and isinstance(state.get("sha256", {}), dict)
        and all(Path(state[key]).name == state[key] for key in NAMES if key in state)
    )


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
