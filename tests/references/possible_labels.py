"""What annotations leave to a pixel, pixel by pixel."""


def possible(class_ids, size_hw, marks=None, boxes=()):
    """Return `[label][row][column]` booleans, background first; boxes are `(class id, left, top, right, bottom)`."""
    result = []
    for label in [0, *class_ids]:
        rows = []
        for y in range(size_hw[0]):
            row = []
            for x in range(size_hw[1]):
                if marks is not None:
                    row.append(marks[y][x] in (255, label))
                elif label == 0:
                    row.append(True)
                else:
                    row.append(
                        any(
                            c == label and left < x + 0.5 < right and top < y + 0.5 < bottom
                            for c, left, top, right, bottom in boxes
                        )
                    )
            rows.append(row)
        result.append(rows)
    return result
