"""The table of scores at the end of a run."""

from pathlib import Path

from wsseg.artifacts import read_json
from wsseg.file_names import INSTANCE_SCORES, SCORES
from wsseg.stages import STAGES
from wsseg.stages.evaluate.scores import share_of_ceiling, shown_scores


def print_table(run: Path) -> None:
    """Print the scores of a run folder."""
    from rich.console import Console
    from rich.table import Table

    scores = read_json(run / STAGES["evaluate"].folder / SCORES, dict, ("segmenter",))
    table = Table("", "split", "images", "mIoU", "oracle", "pixel acc.", "class acc.", "fw IoU", "level")
    for column in table.columns:
        column.no_wrap = True
    for title, row in shown_scores(scores).values():
        oracle, level = row.get("oracle"), row.get("threshold")
        table.add_row(
            title,
            row["split"],
            str(row["images"]),
            format_score(row["miou"]),
            f"{format_score(oracle['miou'])} at {oracle['threshold']:g}" if oracle else "",
            format_score(row["pixel_accuracy"]),
            format_score(row["mean_class_accuracy"]),
            format_score(row["frequency_weighted_iou"]),
            f"{level:.2f} ({row['rule']})" if level is not None else "",
        )
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)  # a log has no width
    objects = object_table(run)
    if objects:
        console.print(objects)
    if not table.rows and objects:
        return
    if not table.rows:
        print("No image has a mask, so there are no scores; the report shows the results.")
        return
    console.print(table)
    if (share := share_of_ceiling(scores)) is not None:
        print(f"The segmenter reaches {share:.2f} of its ceiling.")


def object_table(run: Path):
    """Return the table of COCO scores if the run trains a detector, else None."""
    from rich.table import Table

    path = run / STAGES["evaluate_detectors"].folder / INSTANCE_SCORES
    rows = read_json(path, dict) if path.exists() else {}
    table = Table("objects", "split", "images", "of", "AP", "AP50", "AP75", "AR100")
    for name, row in rows.items():
        for kind in ("masks", "boxes"):
            if kind in row:
                values = (format_score(row[kind][key]) for key in ("ap", "ap50", "ap75", "ar100"))
                table.add_row(name.replace("_", "-"), row["split"], str(row["images"]), kind, *values)
    return table if rows else None


def format_score(value: float | None) -> str:
    """Format a score; a missing score becomes a dash."""
    return "-" if value is None else f"{value:.3f}"
