"""``deploy models``: the networks that come with the toolkit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

models_app = typer.Typer(
    help="List, build, train and feed the networks that come with deploy.", no_args_is_help=True
)

_Name = Annotated[str, typer.Argument(help="Name of the model, as `deploy models list` shows it.")]
_Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the network, e.g. alpha=0.5; repeatable."),
]


@models_app.command("list")
def list_models() -> None:
    """Show the models: name, parameters, what they are."""
    from deploy import zoo

    for project in zoo.projects():
        print(f"{project.name}  {project.parameters:,} parameters  {project.summary}")
        for item in project.pretrained:
            print(f"    trained weights: {item.what}")


@models_app.command("build")
def build_model(
    name: _Name,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=".keras file to write; default: build/NAME.keras.")
    ] = None,
    settings: _Set = None,
    untrained: Annotated[bool, typer.Option("--untrained", help="Random weights.")] = False,
    weights: Annotated[Path | None, typer.Option(help="Load these weights (.weights.h5).")] = None,
) -> None:
    """Write a model as a .keras file, with its trained weights unless told otherwise.

    An unknown KEY in --set makes the message list all of them.
    """
    from deploy import zoo
    from deploy.chatter import silenced
    from deploy.errors import BadInputError
    from deploy.files import write_bytes

    project = zoo.find(name)
    target = output or Path("build") / f"{project.name}.keras"
    if target.suffix != ".keras":
        raise BadInputError(f"{target}: the name of the file must end in .keras")
    with silenced():
        model = zoo.build(name, settings or (), trained=not untrained, weights=weights)
        content = zoo.keras_file(model)
    write_bytes(target, content)
    print(f"{target}: {project.name}, {model.count_params():,} parameters")


@models_app.command("train")
def train_model(
    name: _Name,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=".weights.h5 file to write; default: build/NAME.weights.h5."),
    ] = None,
    settings: _Set = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training data.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights, order and augmentation.")] = None,
) -> None:
    """Train a model on its real data and write the weights; one line an epoch."""
    from deploy import zoo
    from deploy.cli.console import progress

    project = zoo.find(name)
    target = output or Path("build") / f"{project.name}.weights.h5"
    with progress("training") as bar:
        zoo.train(
            name,
            target,
            settings or (),
            epochs=epochs,
            seed=seed,
            log=lambda line: print(line, flush=True),
            advance=bar.advance,
        )
    print(f"{target}: written; `deploy models build {project.name} --weights {target}` uses it")


@models_app.command("data")
def write_data(
    name: _Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = Path("build"),
    count: Annotated[int, typer.Option(min=1, help="How many test inputs.")] = 200,
) -> None:
    """Write real data for a model: calibration.npz, test.npz and labels.json."""
    from deploy import zoo

    for file in zoo.write_data(name, output, count=count):
        print(file)
