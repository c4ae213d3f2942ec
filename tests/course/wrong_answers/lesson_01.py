"""Lesson 01 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

WRONG = {
    "pixel_accuracy": written(
        "pixel_accuracy(labels, predictions)",
        "return (labels == predictions).sum() / (labels > 0).sum()",  # > 0 is true for void, too
        "return (labels[labels < 255] == predictions[predictions < 255][: (labels < 255).sum()]).mean()",
        "return ((labels == predictions) & (labels != 0)).sum() / (labels != 255).sum()",
        "return round((labels == predictions)[labels != 255].mean(), 1)",
        "return (labels == predictions)[labels != 255].mean(axis=0) * 2",
        "return (labels == predictions)[labels != 255].tolist()",
        "return (labels == predictions)[predictions != 0].mean()",
        """
        right = 0
        for row in range(labels.shape[0] - 1):
            for column in range(labels.shape[1] - 1):
                right += labels[row, column] == predictions[row, column]
        return right / (labels != 255).sum()
        """,
        "return ((labels == predictions).sum() - (labels == 255).sum()) / (labels != 255).sum()",
    ),
    "class_counts": written(
        "class_counts(labels, num_classes)",
        "return np.bincount(labels.ravel(), minlength=num_classes)",  # 256 numbers, but only where there is void
        "return np.array([(labels == c).sum() for c in range(num_classes + 1)])",
        "return np.array([(labels == c).any() for c in range(num_classes)])",
        "return np.array([(labels == c).sum() for c in range(num_classes - 1)])",
        "return np.array([(labels >= c).sum() for c in range(num_classes)])",
        "return np.array([(labels == c).sum(axis=0) for c in range(num_classes)])",
        "return np.histogram(labels, bins=num_classes)[0]",  # bins reach up to the largest label, which may be void
        "return np.histogram(labels, bins=num_classes, range=(0, num_classes - 1))[0][::-1]",
        "return sorted((labels == c).sum() for c in range(num_classes))",
        "return {c: (labels == c).sum() for c in range(num_classes)}",
        "return np.array([(labels == c).sum() / (labels == c).any() for c in range(num_classes)])",
    ),
    "mean_iu": written(
        "mean_iu(labels, predictions, num_classes)",
        """
        ok = (labels != 255) & (predictions != 0)
        labels, predictions = labels[ok], predictions[ok]
        ious = []
        for c in range(num_classes):
            union = ((labels == c) | (predictions == c)).sum()
            if union:
                ious.append(((labels == c) & (predictions == c)).sum() / union)
        return np.mean(ious)
        """,
        """
        ious = []
        for c in range(num_classes):
            both = ((labels == c) & (predictions == c)).sum()
            union = ((labels == c) | (predictions == c)).sum()
            if both:
                ious.append(both / union)
        return np.mean(ious)
        """,
        """
        ok = labels != 255
        total = 0
        for c in range(num_classes):
            both = ((labels == c) & (predictions == c) & ok).sum()
            union = ((labels == c) | (predictions == c) & ok).sum()
            total += both / max(union, 1)
        return total / len(np.unique(labels))
        """,
        """
        ious = []
        for c in range(num_classes):
            l, p = (labels == c)[labels != 255], (predictions == c)[labels != 255]
            both = (l & p).sum()
            if l.sum() + p.sum():
                ious.append(both / (l.sum() + p.sum() + both))
        return np.mean(ious)
        """,
        """
        ok = labels != 255
        ious = [((labels == c) & (predictions == c) & ok).sum() / (((labels == c) | (predictions == c)) & ok).sum()
                for c in np.unique(labels[ok])]
        return [float(iou) for iou in ious]
        """,
        """
        ok = labels != 255
        ious = [((labels == c) & (predictions == c) & ok).sum() / max(1, (((labels == c) | (predictions == c)) & ok).sum())
                for c in range(num_classes)]
        return 100 * np.mean([iou for iou in ious if iou > 0])
        """,
        """
        ok = labels != 255
        ious = [((labels == c) & (predictions == c) & ok).sum() / max(1, (((labels == c) | (predictions == c)) & ok).sum())
                for c in range(num_classes)]
        return np.median(ious)
        """,
        """
        ok = labels != 255
        l, p = labels[ok], predictions[ok]
        total = 0
        for c in set(l) | set(p):
            total += ((l == c) & (p == c)).sum() / ((l == c) | (p == c)).sum()
        return total / (num_classes - 1)
        """,
    ),
    "best_constant": written(
        "best_constant(labels, num_classes)",
        "return np.bincount(labels[labels != 255]).argmax()",
        """
        counts = np.bincount(labels[labels != 255], minlength=num_classes)
        return counts.max() / counts.sum(), counts.argmax(), counts.max() / counts.sum() / (counts > 0).sum()
        """,
        """
        counts = np.bincount(labels[labels != 255], minlength=num_classes)
        return counts.argmax() + 1, counts.max() / counts.sum(), counts.max() / counts.sum() / (counts > 0).sum()
        """,
        """
        counts = np.bincount(labels[labels != 255], minlength=num_classes)
        return counts.argmax(), counts.max() / counts.sum()
        """,
        """
        counts = np.bincount(labels[labels != 255], minlength=num_classes)
        accuracy = 100 * counts.max() / counts.sum()
        return counts.argmax(), accuracy, accuracy / (counts > 0).sum()
        """,
        """
        counts = np.bincount(labels[labels != 255], minlength=num_classes)
        return counts.argmax(), counts.max() / counts.sum(), counts.max() / counts.sum() / ((counts > 0).sum() + 1)
        """,
        """
        counts = np.bincount(labels[labels != 255], minlength=num_classes)
        return {"class": counts.argmax(), "accuracy": counts.max() / counts.sum(), "iu": counts.max() / counts.sum() / 2}
        """,
    ),
}

RIGHT = {
    "pixel_accuracy": written(
        "pixel_accuracy(labels, predictions)",
        "return float(np.average(labels == predictions, weights=labels != 255))",
        """
        good = total = 0
        for truth, said in zip(labels.flat, predictions.flat):
            if truth == 255:
                continue
            total += 1
            if truth == said:
                good += 1
        return good / total
        """,
        "return 1 - np.count_nonzero(labels[labels < 255] - predictions[labels < 255]) / np.count_nonzero(labels < 255)",
    ),
    "class_counts": written(
        "class_counts(labels, num_classes)",
        "return [int((labels == c).sum()) for c in range(num_classes)]",
        "return np.bincount(labels.ravel(), minlength=256)[:num_classes].astype(np.float32)",
        "return (labels.reshape(-1, 1) == np.arange(num_classes)).sum(axis=0)",
        "return tuple(labels.tolist().__str__().replace('[', ' ').replace(']', ' ').replace(',', ' ').split().count(str(c)) "
        "for c in range(num_classes))",
    ),
    "mean_iu": written(
        "mean_iu(labels, predictions, num_classes)",
        """
        ok = labels.ravel() != 255
        counts = np.bincount(num_classes * labels.ravel()[ok].astype(int) + predictions.ravel()[ok],
                             minlength=num_classes ** 2).reshape(num_classes, num_classes)
        union = counts.sum(0) + counts.sum(1) - np.diag(counts)
        with np.errstate(all="ignore"):
            return np.nanmean(np.diag(counts) / union)
        """,
        """
        ok = labels != 255
        t = np.eye(256)[labels[ok]][:, :num_classes]
        p = np.eye(256)[predictions[ok]][:, :num_classes]
        both, either = np.minimum(t, p).sum(0), np.maximum(t, p).sum(0)
        return (both[either > 0] / either[either > 0]).mean(keepdims=False)
        """,
        """
        pairs = [(t, p) for t, p in zip(labels.flat, predictions.flat) if t != 255]
        seen = {c for pair in pairs for c in pair}
        return sum(pairs.count((c, c)) / sum(c in pair for pair in pairs) for c in seen) / len(seen)
        """,
    ),
    "best_constant": written(
        "best_constant(labels, num_classes)",
        """
        counts = np.bincount(labels[labels != 255], minlength=num_classes)
        share = counts.max() / counts.sum()
        return counts.argmax(), share, share / np.count_nonzero(counts)
        """,
        """
        kept = [c for c in labels.flat if c < 255]
        best = max(set(kept), key=kept.count)
        share = kept.count(best) / len(kept)
        return [best, share, share / len(set(kept))]
        """,
        """
        values, counts = np.unique(labels[labels != 255], return_counts=True)
        return np.array([values[counts.argmax()], counts.max() / counts.sum(), counts.max() / counts.sum() / len(values)])
        """,
    ),
}
