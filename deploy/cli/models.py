"""``deploy models``: the networks that come with the toolkit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.settings import options
from deploy.settings.declared import Writes, option

if TYPE_CHECKING:
    from deploy.cli.answer_documents import ModelsListDocument
    from deploy.zoo.project import Project

models_app = typer.Typer(
    help="List, build, train and feed the networks that come with deploy, and show their cards.",
    no_args_is_help=True,
)

_Name = Annotated[str, typer.Argument(help="Name of the model, as `deploy models list` shows it.")]
_Set = Annotated[
    list[str] | None,
    option("--set", metavar="KEY=VALUE", help="An option of the network, e.g. alpha=0.5; repeatable."),
]


@models_app.command("list")
def list_models(json: options.Json) -> None:
    """Show the models: name, parameters and input with default options, what they are, trained weights."""
    from deploy import zoo
    from deploy.cli.call_documents import current

    projects = zoo.projects()
    current().answer(lambda: _listed(projects))
    for project in projects:
        size = f"  {project.input}" if project.input else ""
        print(f"{project.name}  {project.parameters:,} parameters{size}  {project.summary}")
        for item in project.pretrained:
            chosen = " ".join(zoo.assignments_of(item.options))
            licence = f"; licence of the data: {item.licence}" if item.licence else ""
            print(f"    trained weights: {item.what}{f' ({chosen})' if chosen else ''}{licence}")
        if not project.pretrained:
            trains = f": `deploy models train {project.name}` trains it" if "train" in project.functions else ""
            print(f"    random weights{trains}")


def _listed(projects: Sequence[Project]) -> ModelsListDocument:
    from deploy.cli.answer_documents import ListedModel, ModelsListDocument, TrainedWeights

    models = (
        ListedModel(
            name=project.name,
            summary=project.summary,
            parameters=project.parameters,
            input=project.input,
            trains="train" in project.functions,
            weights=tuple(
                TrainedWeights(what=item.what, licence=item.licence, options=dict(item.options))
                for item in project.pretrained
            ),
        )
        for project in projects
    )
    return ModelsListDocument(models=tuple(models))


@models_app.command("card")
def show_card(
    name: _Name,
    settings: _Set,
    measure: Annotated[
        bool,
        option("--measure", help="Run Vela for the chosen options and show its estimates instead.", default=False),
    ],
    npu: Annotated[
        list[str] | None,
        option("--npu", help="With --measure: for these NPUs only, e.g. U55-128; repeatable."),
    ],
    json: options.Json,
) -> None:
    """Show a model's card: what it is, how large, how fast, how accurate, and how it was measured."""
    from deploy.cli.progress import working

    bar = working("measuring", quiet=not measure)
    from deploy import zoo
    from deploy.cli.answer_documents import ModelsCardDocument
    from deploy.cli.call_documents import current
    from deploy.cli.console import print_markdown
    from deploy.errors import BadInputError
    from deploy.zoo import cards
    from deploy.zoo.card_results import npu_tables

    project = zoo.find(name)
    if not measure:
        if settings or npu:
            raise BadInputError(f"--{'set' if settings else 'npu'} goes with --measure: the card is as it is")
        card = cards.card(project)
        current().answer(lambda: ModelsCardDocument(model=project.name, card=card))
        print_markdown(card)
        return
    wanted = zoo.Measured(title=project.name, npus=tuple(npu or ()))
    results = cards.measure(project, (wanted,), assignments=settings or (), advance=bar.advance)
    bar.close()
    current().answer(lambda: ModelsCardDocument(model=project.name, measured=results))
    print_markdown(npu_tables(results))


@models_app.command("build")
def build_model(
    name: _Name,
    output: Annotated[
        Path | None,
        option("--output", "-o", help=".keras file to write; default: build/NAME.keras."),
        Writes("file"),
    ],
    settings: _Set,
    trained: Annotated[
        bool | None,
        option(
            "--trained/--untrained",
            help="Insist on the trained weights, or take random ones. Default: trained where the project brings "
            "them for these options.",
        ),
    ],
    weights: Annotated[Path | None, option(help="Load these weights (.weights.h5).")],
    json: options.Json,
) -> None:
    """Write a model as a .keras file; the last line says which weights it has.

    An unknown KEY in --set makes the message list all of them.
    """
    from deploy.cli.progress import working

    bar = working("building the network")
    from deploy import zoo
    from deploy.chatter import silenced
    from deploy.cli.answer_documents import ModelsBuildDocument
    from deploy.cli.call_documents import current
    from deploy.errors import BadInputError
    from deploy.files import write_bytes

    project = zoo.find(name)
    target = output or Path("build") / f"{project.name}.keras"
    if target.suffix != ".keras":
        raise BadInputError(f"{target}: the name of the file must end in .keras")
    with silenced():
        network = zoo.network(name, settings or (), trained=trained, weights=weights)
        content = zoo.keras_file(network.model)
    write_bytes(target, content)
    bar.close()
    what = f"trained on {network.trained}" if network.trained and weights is None else network.trained
    said = ModelsBuildDocument(
        model=project.name, file=str(target), parameters=network.model.count_params(), weights=what or "random"
    )
    current().answer(lambda: said, written=[target])
    print(f"{target}: {said.model}, {said.parameters:,} parameters, weights: {said.weights}")


@models_app.command("train")
def train_model(
    name: _Name,
    output: Annotated[
        Path | None,
        option("--output", "-o", help=".weights.h5 file to write; default: build/NAME.weights.h5."),
        Writes("file"),
    ],
    settings: _Set,
    epochs: Annotated[int | None, option(help="Passes over the training data.", min=1)],
    seed: Annotated[int | None, option(help="Of weights, order and augmentation.", min=0)],
    images: Annotated[int | None, option(help="Only the first so many training images: a trial run.", min=1)],
    augment: Annotated[
        str | None,
        option(
            metavar="SET:SHARE,...",
            help="Augmentation sets and how often images are drawn from each: shift, crop, mixup.",
        ),
    ],
    teacher: Annotated[
        str | None,
        option(
            metavar="MODEL",
            help="Learn from this network's logits: models:NAME, .keras, .h5 or FILE.py:function with the same "
            "input and outputs.",
        ),
        options.MODEL_PATH,
    ],
    teacher_set: Annotated[
        list[str] | None,
        option(metavar="KEY=VALUE", help="An option of the teacher, e.g. alpha=0.5; repeatable."),
    ],
    teacher_weights: Annotated[
        Path | None,
        option(help="Weights of a teacher models:NAME (.weights.h5); default: those that the project brings."),
    ],
    temperature: Annotated[
        float | None, option(help="That all logits are divided by before they are compared; default: 1.")
    ],
    soft: Annotated[
        float | None,
        option(help="Share of the teacher in the loss, the rest is the labels'; default: 1."),
    ],
    json: options.Json,
) -> None:
    """Train a model on its real data, from the labels or from a teacher, and write the weights; one line an epoch.

    deploy models train multihead-mobilenetv3 --teacher models:multihead-mobilenetv3 --teacher-set alpha=0.5
    """
    from deploy.cli.progress import working

    bar = working("training")
    from deploy import zoo
    from deploy.cli.answer_documents import ModelsTrainDocument
    from deploy.cli.call_documents import current
    from deploy.errors import BadInputError
    from deploy.zoo import training

    project = zoo.find(name)
    choice = None
    if teacher is not None:
        choice = training.TeacherChoice(teacher, tuple(teacher_set or ()), teacher_weights, temperature, soft)
    else:
        terms = {
            "--teacher-set": teacher_set,
            "--teacher-weights": teacher_weights,
            "--temperature": temperature,
            "--soft": soft,
        }
        for option, value in terms.items():
            if value is not None and value != []:
                raise BadInputError(f"{option} goes with --teacher")
    target = output or Path("build") / f"{project.name}.weights.h5"
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    training.train(
        name,
        target,
        settings or (),
        epochs=epochs,
        seed=seed,
        images=images,
        augment=augment,
        teacher=choice,
        log=log,
        advance=bar.advance,
    )
    bar.close()
    current().answer(
        lambda: ModelsTrainDocument(model=project.name, file=str(target), log=tuple(lines)), written=[target]
    )
    print(f"{target}: written; `deploy models build {project.name} --weights {target}` uses it")


@models_app.command("data")
def write_data(
    name: _Name,
    output: Annotated[
        Path,
        option("--output", "-o", help="Folder to write to; default build.", default=Path("build")),
        Writes("folder"),
    ],
    count: Annotated[int, option(help="How many test inputs; default 200.", min=1, default=200)],
    json: options.Json,
) -> None:
    """Write real data for a model: calibration.npz, test.npz and labels.json."""
    from deploy.cli.progress import working

    bar = working("writing data")
    from deploy import zoo
    from deploy.cli.answer_documents import ModelsDataDocument
    from deploy.cli.call_documents import current

    files = zoo.write_data(name, output, count=count)
    bar.close()
    current().answer(
        lambda: ModelsDataDocument(model=zoo.find(name).name, files=tuple(map(str, files))), written=files
    )
    for file in files:
        print(file)
