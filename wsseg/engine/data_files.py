"""The data's files that a stage reads, and which of them were replaced since the stage was made."""

from collections.abc import Callable, Iterator
from pathlib import Path

from wsseg.datasets import Dataset
from wsseg.stages import STAGES
from wsseg.supervision.contents import sections_of
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import with_given_masks

FURTHER_FILES: dict[str, Callable[[Splits], Dataset | None]] = {
    "given_masks": with_given_masks,
    "annotations": lambda splits: splits.train(masks=True) if splits.recipe.supervision.simulated else None,
    "corrected_masks": lambda splits: None,
}
"""Parts of the data that are not a split -> function that returns the records whose masks are read, or None.

Annotations from files and corrected masks need none, because their fingerprint covers the content.
"""


class DataFiles:
    """The images and masks that stages read, compared by content with what the stages have read.

    Args:
        splits: Splits of the dataset.
    """

    def __init__(self, splits: Splits):
        self.splits = splits
        self._of_part: dict[str, dict[str, dict[str, Path]]] = {}

    def changed_since(self, stage: str, revision: int | None) -> list[Path]:
        """Return the files of a stage's data with another content than at a revision.

        Args:
            stage: Name of the stage.
            revision: Revision of the data at which the stage was made; None if it is not known, as in runs from
                before the revisions. Nothing is compared then.
        """
        if revision is None:
            return []
        changed: dict[Path, None] = {}
        for section, files in self._sections(stage):
            changed |= dict.fromkeys(self.splits.contents.changed_since(section, files, revision))
        return list(changed)

    def why_changed(self, stage: str, revision: int | None) -> str:
        """Describe in one line which files changed; empty if none did. See `changed_since`."""
        changed = self.changed_since(stage, revision)
        if not changed:
            return ""
        if len(changed) == 1:
            return f"`{changed[0]}` was replaced since"
        return f"`{min(changed)}` and {len(changed) - 1} more files of the data were replaced since"

    def revision(self, stage: str) -> int:
        """Compare a stage's data with the known hashes, and return the revision of the data."""
        self.changed_since(stage, 0)
        self.splits.contents.save()
        return self.splits.contents.revision

    def hash_new(self, stage: str) -> None:
        """Hash the files of a stage's data that no check of the images has hashed."""
        for section, files in self._sections(stage):
            self.splits.contents.add(section, files)
        self.splits.contents.save()

    def _sections(self, stage: str) -> Iterator[tuple[str, dict[str, Path]]]:
        for part in STAGES[stage].data_of(self.splits.recipe):
            if part not in self._of_part:
                self._of_part[part] = self._files_of(part)
            yield from self._of_part[part].items()

    def _files_of(self, part: str) -> dict[str, dict[str, Path]]:
        if part in FURTHER_FILES:
            dataset, split, masks = FURTHER_FILES[part](self.splits), self.splits.recipe.dataset.train, True
        else:
            split, masks = self.splits.split_of(part)
            dataset = self.splits.open(split, masks)
        return {} if dataset is None else sections_of(dataset, split, masks)
