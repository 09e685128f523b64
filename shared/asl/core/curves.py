"""A training's epochs as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from asl.core.fitting import EpochMetrics
from asl.core.palette import BLUE, GREY, VERMILION


def write_curves(metrics: Sequence[EpochMetrics], best_epoch: int, path: Path) -> None:
    """Draw accuracy and loss of training and validation over the epochs, and mark the best epoch.

    Args:
        metrics: At least one epoch.
        best_epoch: Which epoch's weights were kept.
        path: The PNG file to write.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    epochs = [entry.epoch for entry in metrics]
    for axes, name in ((accuracy, "accuracy"), (loss, "loss")):
        # One epoch alone would be an invisible line.
        marker = "o" if len(metrics) == 1 else ""
        sides = (("train", VERMILION), ("val", BLUE)) if metrics[0].val_loss is not None else (("train", VERMILION),)
        for side, colour in sides:
            values = [getattr(entry, f"{side}_{name}") for entry in metrics]
            axes.plot(
                epochs, values, color=colour, marker=marker, label="training" if side == "train" else "validation"
            )
        _dress(axes, name, best_epoch)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.savefig(path, dpi=150)


def _dress(axes: Axes, name: str, best_epoch: int) -> None:
    axes.axvline(best_epoch, color=GREY, linestyle=":", label=f"best: epoch {best_epoch}")
    axes.set_xlabel("epoch")
    axes.set_title(name.capitalize(), loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
