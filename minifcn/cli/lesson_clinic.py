"""``minifcn lesson clinic``: charts of networks that train and are wrong, diagnoses, cures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from minifcn.course.clinic.procedure import Chart


def clinic(
    number: Annotated[int | None, typer.Argument(help="One of the ten patients.", metavar="[N]", min=1)] = None,
    name: Annotated[str | None, typer.Option(help="Your diagnosis, a name from the list (without N: the list).")] = None,
    seed: Annotated[int | None, typer.Option(help="A new patient, drawn with this seed and trained now.", min=0)] = None,
    cure: Annotated[
        Path | None,
        typer.Option(help="Your file with lesson 18's cures: the patient is trained and examined again.", exists=True),
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for the chart's picture [default: a temporary one].")] = None,
) -> None:
    """Read the chart of a network that trains and is wrong, and name its illness. Example: minifcn lesson clinic 3

    A wrong name is answered by the measurement that speaks against it; status 1.
    """
    from minifcn.cli.screen import console
    from minifcn.course.clinic import charts
    from minifcn.course.clinic.illnesses import NAMES

    if number is not None and seed is not None:
        raise ValueError("give a patient's number or a seed for a new one, not both")
    if number is None and seed is None:
        if name or cure or pictures:
            raise ValueError(f"say which patient: 1 to {len(charts.PATIENTS)}, or --seed for a new one")
        console.print(f"{len(charts.PATIENTS)} patients; read a chart by: minifcn lesson clinic 1")
        console.print('Name an illness by: minifcn lesson clinic 1 --name "rate too small". The list:')
        for one in NAMES:
            console.print(f"  {one}")
        return
    if name is not None and name not in NAMES:
        raise ValueError(f"there is no illness {name!r} in the list; choose one of {', '.join(NAMES)}")
    if cure is not None and number not in charts.CURES:
        raise ValueError(f"lesson 18 asks for cures of the patients {', '.join(map(str, charts.CURES))}; give one of them")
    if number is not None:
        illness, chart = charts.PATIENTS.get(number, ""), charts.chart(number)
    else:
        assert seed is not None
        illness, chart = charts.drawn(seed)
    if cure is not None and number is not None:
        _treat(number, cure, chart)
    elif name is None:
        _show(chart, pictures, f"patient_{number if number is not None else f'of_seed_{seed}'}", seed)
    else:
        _judge(name, illness, chart)


def _show(chart: Chart, folder: Path | None, name: str, seed: int | None) -> None:
    """The chart as a table and a picture."""
    import tempfile

    from minifcn.cli.screen import console
    from minifcn.course.clinic.charts import seed_of
    from minifcn.course.clinic.pictures import draw_chart, table
    from minifcn.visualize.showing import write

    console.print(table(chart), markup=False)
    folder = folder or Path(tempfile.mkdtemp(prefix="minifcn-clinic-"))
    console.print(f"picture {write(draw_chart(chart, seed_of(seed)), folder, name)}")


def _judge(name: str, illness: str, chart: Chart) -> None:
    from minifcn.cli.screen import console
    from minifcn.course.clinic.illnesses import ILLNESSES, against

    if name == illness:
        console.print(f"Yes, {name}. To heal it: {ILLNESSES[name].cure}.")
        return
    console.print(against(name, chart) or f"No; the signs of {name} are all there, but it is another illness.")
    raise typer.Exit(1)


def _treat(number: int, file: Path, before: Chart) -> None:
    """Trains and examines the patient with the reader's function."""
    from minifcn.cli.screen import console
    from minifcn.course import source
    from minifcn.course.clinic.charts import CURES, HEALED, treated

    name, _ = CURES[number]
    try:
        function = getattr(source.load(file), name, None)
        if function is None:
            raise ValueError(f"{file} defines no {name}, which is to heal patient {number}")
        after = treated(number, function)
    except (Exception, SystemExit) as error:
        if not source.frames_in(file, error) and not isinstance(error, SyntaxError):
            raise
        raise ValueError(f"{file}: {source.said(error, file)}") from error
    healed = after.reported >= HEALED
    console.print(f"mean IU {before.reported:.3f} -> {after.reported:.3f}: {'healed' if healed else 'not healed yet'}")
    if not healed:
        raise typer.Exit(1)
