"""The splits of a recipe's dataset, opened once for all stages, and without masks unless a stage requests them."""

import re
from collections.abc import Container, Iterable
from pathlib import Path

import numpy as np

from wsseg import datasets
from wsseg.artifacts import digest, write_json
from wsseg.datasets import Dataset
from wsseg.datasets.shared_images import shared_images
from wsseg.errors import InputError
from wsseg.file_names import CORRECTED_MASKS, DATA_CONTENTS
from wsseg.image_files import HasImage, check_images
from wsseg.progress import bar
from wsseg.recipe import Recipe
from wsseg.remembered import remembered
from wsseg.supervision.contents import Contents, sections_of


class Splits:
    """The splits of a recipe's dataset. Each is opened once, and each image decoded once to check it.

    Args:
        recipe: Recipe that names the dataset.
        folder: The run's `data` folder, which keeps the list of unusable images; None if `checked` is not called.
    """

    def __init__(self, recipe: Recipe, folder: Path | None = None):
        self.recipe = recipe
        self.folder = folder
        self._opened: dict[tuple[str, bool], Dataset] = {}
        self._contents: Contents | None = None

    def of(self, recipe: Recipe) -> "Splits":
        """Return the splits of a recipe with the same dataset, without opening them again."""
        other = Splits(recipe, self.folder)
        other._opened = self._opened
        return other

    @property
    def corrected(self) -> Path | None:
        """Folder of the run's corrected masks, which may not exist; None without a run."""
        return None if self.folder is None else self.folder.with_name(CORRECTED_MASKS)

    @property
    def contents(self) -> Contents:
        """Hashes of the data's files, which `folder` keeps."""
        if self._contents is None:
            self._contents = Contents(self.folder / DATA_CONTENTS)
        return self._contents

    def open(self, split: str, masks: bool = False) -> Dataset:
        """Open one split.

        Args:
            split: Name of the split.
            masks: Whether the records have their masks. For the training split, only full supervision, scores, the
                report and given or simulated supervision may request them (see CONTRIBUTING.md).

        Raises:
            InputError: The dataset is not at the recipe's path, or is empty.
        """
        config = self.recipe.dataset
        if (split, True) not in self._opened:
            dataset = datasets.create(
                config.name, split=split, root=config.root, classes=config.classes, **config.options
            )
            if not len(dataset):
                reasons = "".join(f"; {id}: {reason}" for id, reason in list(dataset.set_aside.items())[:3])
                raise InputError(f"dataset `{config.name}` has no usable image in split `{split}`{reasons}")
            self._opened[split, True] = dataset
            self._opened[split, False] = dataset.without_masks()
        return self._opened[split, masks]

    def train(self, masks: bool = False) -> Dataset:
        """Open the training split; see `open`."""
        return self.open(self.recipe.dataset.train, masks)

    def checked(self, split: str, masks: bool = False) -> tuple[Dataset, dict[str, str]]:
        """Open a split without its unusable images. Every file is decoded once, and the result is kept in `folder`.

        With masks, an image whose mask is broken or has another size is also set aside.

        Args:
            split: Name of the split.
            masks: See `open`.

        Returns:
            The usable images, and the images set aside, `id -> reason`.

        Raises:
            InputError: No image is usable.
        """
        dataset = self.open(split, masks)
        identity = identity_of(dataset)
        name = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', split)}{'_masks' if masks else ''}.json"
        path = self.folder / name
        known = remembered(path, dict, lambda content: isinstance(content["set_aside"], dict)) or {}
        sections = sections_of(dataset, split, masks)
        if known.get("fingerprint") != identity or any(
            self.contents.changed_since(section, files, known["revision"])
            for section, files in sections.items()
            if "revision" in known
        ):
            with bar(f"checking {split} {'masks' if masks else 'images'}", len(dataset)) as advance:

                def checked(record: HasImage) -> None:
                    self.contents.add_one(f"{split} images", record.id, record.image)
                    advance()

                _, broken = check_images(list(dataset), progress=checked)
            broken |= _broken_masks(dataset, broken) if masks else {}
            for section, files in sections.items():
                self.contents.add(section, files)
            self.contents.save()
            known = {
                "fingerprint": identity,
                "revision": self.contents.revision,
                "split": split,
                "images": len(dataset),
                "set_aside": broken,
            }
            write_json(path, known)
        broken = known["set_aside"]
        kept = [record.id for record in dataset if record.id not in broken]
        if not kept:
            first, reason = next(iter(broken.items()))
            raise InputError(f"no image of split `{split}` can be used; the first, `{first}`: {reason}")
        return dataset.subset(kept), dataset.set_aside | broken

    def fingerprint(self, part: str) -> str:
        """Return a short hash of a part of the dataset, by which a stage notices changed data.

        Args:
            part: Name of the part: `train`, `val` or `calibration`, each also with `_masks`.
        """
        return identity_of(self.open(*self.split_of(part)))

    def split_of(self, part: str) -> tuple[str, bool]:
        """Return the split of a part of the dataset, and whether its masks belong to the part; see `fingerprint`."""
        name, _, masks = part.partition("_")
        if name == "calibration":
            return self.recipe.label.threshold.split, bool(masks)
        return getattr(self.recipe.dataset, name), bool(masks)

    def notes(self, parts: Iterable[str]) -> list[str]:
        """Return one line for each kind of annotation that parts of the dataset do not read as they are written.

        Args:
            parts: Names of parts, see `fingerprint`; parts that are no split are skipped.
        """
        lines = []
        names = [part.partition("_")[0] for part in parts]
        splits = [self.split_of(name)[0] for name in names if name in ("train", "val", "calibration")]
        for split in dict.fromkeys(splits):
            dataset = self.open(split)
            for what, found in (
                (
                    "without a usable outline or box: labels are kept, their region is ignored",
                    dataset.ignored,
                ),
                ("left out", dataset.left_out),
                ("read otherwise than they are written", dataset.remarks),
            ):
                if found:
                    first, why = next(iter(found.items()))
                    count = f"{len(found)} object{'s' if len(found) > 1 else ''}"
                    lines.append(
                        f"split `{split}`: {count} {what}; the first: {first}: {why} (see `wsseg datasets check`)"
                    )
        return lines

    def check_scored(self) -> None:
        """Raise an error if an image that is scored is also trained on, or if the classes differ between the splits.

        Raises:
            InputError: The validation split shares an image with the training split, the same file or one of the same
                content, or has other classes; the message names both splits.
        """
        config = self.recipe.dataset
        train, val = self.train(), self.open(config.val)
        if shared := shared_images(val, train):
            one, other = shared[0]
            copied = one.image.resolve() != other.image.resolve()
            same = f"equal to {other.image}" if copied else "the same file"
            given = config.options.get("annotations")
            hint = (
                f"; `annotations: {given}` is read for both: give each split its file, such as "
                "`annotations: '{split}/_annotations.coco.json'`"
                if config.name == "coco" and isinstance(given, str) and "{split}" not in given
                else "; remove one of each pair, which `wsseg datasets check` lists"
                if copied
                else "; give the splits different images, or name others as `dataset.train` and `dataset.val`"
            )
            raise InputError(
                f"{len(shared)} of the {len(val)} images of the validation split `{config.val}` are also in the "
                f"training split `{config.train}`, such as {one.image} ({same}); they would be scored and trained "
                f"on{hint}"
            )
        if train.classes != val.classes:
            differ = sorted(set(train.classes) ^ set(val.classes)) or ["their order"]
            raise InputError(
                f"the classes of the splits `{config.train}` and `{config.val}` differ ({', '.join(differ[:5])}); name "
                "the classes of both as `dataset.classes`"
            )

    def check_calibration(self) -> None:
        """Raise an error if the background level would be chosen on training images, or without any mask.

        Raises:
            InputError: `label.threshold.split` shares images with the training split, or has no masks.
        """
        name = self.recipe.label.threshold.split
        calibration = self.open(name, masks=True)
        if shared := shared_images(calibration, self.train()):
            raise InputError(
                f"`label.threshold.split`: `{name}` shares {len(shared)} images with the training split "
                f"`{self.recipe.dataset.train}`, such as {shared[0][0].image}; the level must be chosen on other images"
            )
        if all(record.mask is None for record in calibration):
            raise InputError(
                f"`label.threshold.split`: no image of `{name}` has a mask to calibrate the level on; "
                "use `label.threshold.rule: otsu` or fixed"
            )

    def calibration(self, masks: bool = False) -> Dataset:
        """Open the images on which the background level is chosen: the same images with and without masks.

        Returns:
            `label.threshold.images` records of `label.threshold.split` with masks, drawn by the recipe's seed.

        Raises:
            InputError: No image of the split has a usable mask.
        """
        name = self.recipe.label.threshold.split
        dataset, _ = self.checked(name, masks=True)
        ids = [record.id for record in dataset if record.mask is not None]
        if not ids:
            raise InputError(
                f"`label.threshold.split`: no image of `{name}` has a mask to calibrate the level on"
            )
        count = min(self.recipe.label.threshold.images, len(ids))
        drawn = np.random.default_rng(self.recipe.seed).choice(len(ids), count, replace=False)
        dataset = dataset.subset(ids[int(index)] for index in drawn)
        return dataset if masks else dataset.without_masks()


def _broken_masks(dataset: Dataset, skip: Container[str]) -> dict[str, str]:
    broken = {}
    for record in dataset:
        if record.mask is not None and record.id not in skip:
            try:
                dataset.read_mask(record)
            except InputError as error:
                broken[record.id] = f"not scored, as its mask cannot be used: {error}"
    return broken


def identity_of(dataset: Dataset) -> str:
    """Return a hash of a dataset and of the sizes of its mask and instance files, to notice corrected masks."""
    sizes = []
    for record in dataset:
        for path in (record.mask, record.instances):
            if path is not None:
                try:
                    sizes.append(path.stat().st_size)
                except OSError:
                    sizes.append(
                        None
                    )  # the file is missing; `checked` sets the image aside and gives the reason
    return digest([dataset.fingerprint(), sizes]) if sizes else dataset.fingerprint()
