"""Average precision by trying every threshold on every image."""


def average_precision(scores, truth):
    """Return sum over thresholds, from the highest down, of recall gained times precision."""
    pairs = list(zip([float(s) for s in scores], [bool(t) for t in truth]))
    positives = sum(t for _, t in pairs)
    area, reached = 0.0, 0.0
    for threshold in sorted({s for s, _ in pairs}, reverse=True):
        chosen = [t for s, t in pairs if s >= threshold]
        recall = sum(chosen) / positives
        area += (recall - reached) * sum(chosen) / len(chosen)
        reached = recall
    return area
