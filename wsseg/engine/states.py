"""The state of each stage of a run: done, or why not."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsseg import __version__
from wsseg.artifacts import Manifest, read_json
from wsseg.engine.changed_results import changed_since
from wsseg.engine.data_files import DataFiles
from wsseg.engine.definitions import Definitions, differ_in_data_alone, why_stale
from wsseg.engine.made_files import NOT_MADE, Damage, MadeFiles
from wsseg.engine.run_folder import locked
from wsseg.errors import InputError
from wsseg.file_names import DEFINITION, MADE_FILES, MANIFEST
from wsseg.stages import STAGES, inputs_of, plan

INPUTS_MADE = "inputs_made"
"""Key of `definition.json`, and field of the manifest: digests of the files that a stage read."""

DATA_REVISION = "data_revision"
"""Key of `definition.json`, and field of the manifest: revision of the data's contents that a stage read."""

BESIDE = (INPUTS_MADE, DATA_REVISION, NOT_MADE)
"""Keys of `definition.json` that are no part of the definition."""

RESUMES = "begun, will resume"
"""Why a stage that is next or waiting will not start from nothing."""

NONE = Damage()


@dataclass(frozen=True)
class State:
    """Status of a stage.

    Attributes:
        stage: Name of the stage.
        status: Status: done, stale, next (its inputs are done) or waiting.
        why: Reason why the stage is stale, whether a begun stage will resume, or which other version made one that is
            done.
        damage: Damaged files, if they are the only reason; the other files can then be kept.
        only_waits: Whether a stale stage only waits for inputs, and stands if these come out as before.
        updates: Whether the only reason are parts of the data that concern single files (`Stage.updates`).
    """

    stage: str
    status: str
    why: str = ""
    damage: Damage = NONE
    only_waits: bool = False
    updates: bool = False


class States:
    """States of a run's stages. Each is computed once, until a stage is forgotten.

    Args:
        definitions: Definitions of the recipe's stages.
        run: Run folder; it may not exist yet.
    """

    def __init__(self, definitions: Definitions, run: Path):
        self.definitions = definitions
        self.run = run
        self.data = DataFiles(definitions.splits)
        self._files: dict[str, MadeFiles] = {}
        self._states: dict[str, State] = {}

    def of(self, name: str) -> State:
        """Return the state of a stage."""
        if name not in self._states:
            self._states[name] = self._of(name)
        return self._states[name]

    def all(self) -> list[State]:
        """Return the state of each stage, in order."""
        return [self.of(name) for name in plan(self.definitions.recipe)]

    def done(self, name: str) -> bool:
        """Return whether a stage and its inputs are complete, unchanged, and of the recipe's definition."""
        return self.of(name).status == "done"

    def folder(self, name: str) -> Path:
        """Return the folder of a stage."""
        return self.run / STAGES[name].folder

    def inputs(self, name: str) -> list[str]:
        """Return the names of a stage's input stages."""
        return inputs_of(self.definitions.recipe, name)

    def inputs_made(self, name: str) -> dict[str, str]:
        """Return the digests of the files in the input stages of a stage, without inputs that have no list."""
        digests = {other: self.files(other).digest for other in self.inputs(name)}
        return {other: made for other, made in digests.items() if made is not None}

    def files(self, name: str) -> MadeFiles:
        """Return the list of a stage's files."""
        if name not in self._files:
            self._files[name] = MadeFiles(self.folder(name))
        return self._files[name]

    def forget(self, name: str) -> None:
        """Forget the state of a stage that was made again, and what follows from it for other stages."""
        self._files.pop(name, None)
        self._states.clear()

    def remember_times(self) -> None:
        """See `MadeFiles.remember_times`; the caller holds the lock of the run folder."""
        for files in self._files.values():
            files.remember_times()
        self.definitions.splits.contents.save_times()

    def remember_times_if_free(self) -> None:
        """Remember the times unless another process works in the run folder, or it cannot be written."""
        differ = self.definitions.splits.contents.only_times_differ
        if differ or any(files.touched for files in self._files.values()):
            with contextlib.suppress(InputError), locked(self.run):
                self.remember_times()

    def why_unfit(self, begun: Mapping[str, Any], name: str) -> str:
        """Return why the files of a stopped stage cannot be kept; empty if they can.

        Args:
            begun: What `begun_with` returns.
            name: Name of the stage.
        """
        kept = {key: value for key, value in begun.items() if key not in BESIDE}
        if kept != (new := self.definitions.of(name)):
            return why_stale(kept, new) if kept else "it is not known how they were made"
        why = self.data.why_changed(name, begun.get(DATA_REVISION))
        return why or self._changed_inputs(begun.get(INPUTS_MADE, {}), name)

    @staticmethod
    def _damaged_record(name: str, file: str) -> str:
        folder = STAGES[name].folder
        return f"`{folder}/{file}` is damaged; all is made again, and the folder is kept beside it"

    def distrust_inputs(self, name: str) -> dict[str, int]:
        """Hash all files that the input stages of a stage made, and forget the states of those with damaged files.

        Returns:
            Input stage -> number of damaged files, for those that have any.
        """
        found = {other: len(MadeFiles(self.folder(other)).distrust()) for other in self.inputs(name)}
        damaged = {other: count for other, count in found.items() if count}
        for other in damaged:
            self.forget(other)
        return damaged

    def _changed_inputs(self, made: Mapping[str, str], name: str) -> str:
        """Name the inputs with other files than before. An input that has, or had, no list is not compared."""
        now = self.inputs_made(name)
        changed = [other for other in made if other in now and made[other] != now[other]]
        return f"its input changed: {', '.join(f'`{other}`' for other in changed)}" if changed else ""

    def _of(self, name: str) -> State:
        waits_for = [other for other in self.inputs(name) if not self.done(other)]
        try:
            manifest = Manifest.load(self.folder(name))
        except InputError:
            return State(name, "stale", self._damaged_record(name, MANIFEST))
        if self.files(name).broken:
            return State(name, "stale", self._damaged_record(name, MADE_FILES))
        if manifest is None:
            begun = begun_with(self.folder(name).with_name(f"{STAGES[name].folder}.partial"))
            why = ""
            if begun is not None:
                again = self.why_unfit(begun, name)
                why = "begun with other options or data, will start again" if again else RESUMES
            return State(name, "waiting" if waits_for else "next", why)
        damage, reason, only_waits, updates = self.files(name).damage(), "", False, False
        if manifest.definition != (new := self.definitions.of(name)):
            reason = why_stale(manifest.definition, new)
            updates = (
                differ_in_data_alone(manifest.definition, new, STAGES[name].updates)
                and not waits_for
                and not self.data.why_changed(name, manifest.data_revision)
                and not self._changed_inputs(manifest.inputs_made, name)
            )
            damage = Damage(changed=damage.changed)  # all is made again: a missing file is no news
        elif replaced := self.data.why_changed(name, manifest.data_revision):
            reason = replaced
        elif waits_for:
            names, one = ", ".join(f"`{other}`" for other in waits_for), len(waits_for) == 1
            reason = f"its input {names} is not done" if one else f"its inputs {names} are not done"
            only_waits = not damage
        elif changed := self._changed_inputs(manifest.inputs_made, name):
            reason = changed
        elif version := changed_since(made_by := manifest.versions.get("wsseg", ""), name):
            reason = f"wsseg {version} gives other results than {made_by or 'the version'}, which made it"
        why = "; ".join(filter(None, (reason, damage and damage.describe(STAGES[name].folder, self.run))))
        if not why:
            other = manifest.versions.get("wsseg", __version__) != __version__
            return State(
                name, "done", f"made by wsseg {manifest.versions['wsseg']}, still done" if other else ""
            )
        return State(name, "stale", why, NONE if reason else damage, only_waits, updates)


def begun_with(partial: Path) -> dict[str, Any] | None:
    """Return what a stopped stage was begun with: its definition, its inputs and its data.

    Returns:
        {} if it had not been written yet or is damaged, None if no stage was begun.
    """
    if not partial.is_dir():
        return None
    try:
        finished = Manifest.load(partial)
        if finished is not None:
            return finished.definition | {
                INPUTS_MADE: finished.inputs_made,
                DATA_REVISION: finished.data_revision,
            }
        begun = read_json(partial / DEFINITION) if (partial / DEFINITION).exists() else {}
    except InputError:
        return {}
    return begun if isinstance(begun, dict) else {}
