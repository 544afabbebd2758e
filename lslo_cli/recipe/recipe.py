"""The recipe: everything an experiment depends on, and the values derived from it."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, model_validator

from lslo_cli.errors import UsageError
from lslo_cli.method.adapters import AdapterSettings
from lslo_cli.method.codes import model_code
from lslo_cli.method.languages import (
    LANGUAGE_SETS,
    LANGUAGES,
    Language,
    Resource,
    language_names,
    resolve_languages,
    resource_classes,
    sample_directions,
)
from lslo_cli.method.ranks import PAPER_RANKS, RankMap, parse_ranks, shared_rank
from lslo_cli.method.relations import FAMILY_OF
from lslo_cli.method.schedule import GradualPruning
from lslo_cli.method.sites import SiteSet
from lslo_cli.recipe.base import BaseSection
from lslo_cli.recipe.flare import FlareSection
from lslo_cli.recipe.reproduce import ReproduceSection
from lslo_cli.recipe.section import FolderName, Section, Seed
from lslo_cli.recipe.sections import (
    PAPER_GPS,
    AdaptersSection,
    CardSection,
    Classes,
    DataSection,
    EstimateSubspaceSection,
    EvaluateSection,
    FitSection,
    LanguageEntry,
    Method,
    ModelSection,
    RunSection,
    TrainSection,
    WeightLearnSection,
)
from lslo_cli.recipe.slurm import SlurmSection
from lslo_cli.world import NEWCOMERS, WORLD, world

NAME_LENGTH = 100
"""Most characters of codes in a folder's name; file systems allow 255 bytes, suffixes included."""

LORA_RANK = "8"
"""The default rank of one LoRA for all languages."""

QUICK_PARTNERS = 2
"""The number of other languages that each is trained with in a quick subspace estimate.

The cheapest estimate in ``results/ranks/quick.md`` that agrees with the full one as well as the full one of
another seed does.
"""

NewCode = Annotated[str, Field(pattern="^[a-z]{2,3}(_[A-Z][a-z]{3})?$")]


class Recipe(Section):
    """Everything an experiment depends on.

    ``new_languages`` are languages that the base model does not know, each with the known language from whose
    token embedding its own starts. They come after ``langs``.
    """

    name: FolderName | None = None
    """The experiment's folder in --results; default: the recipe's name or the languages."""
    description: str = ""
    """A line about the recipe."""
    seed: Seed = 2
    """Seed of everything random."""
    langs: str | tuple[str, ...] = "lang12"
    """lang12, lang30, world12, or codes: en,fr,wo."""
    languages: dict[str, LanguageEntry] = Field(default_factory=dict)
    """Languages outside the paper's tables, or other facts about those: languages.tr.resource."""
    classes: Classes = Classes.GIVEN
    """Classes of languages without a given one: unlabelled, or by the size of the text."""
    new_languages: dict[NewCode, str] = Field(default_factory=dict)
    """Languages that the model does not know, each with a known relative: new-languages.tyv."""
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    fit: FitSection = FitSection()
    adapters: AdaptersSection = AdaptersSection()
    weight_learn: WeightLearnSection = WeightLearnSection()
    estimate_subspace: EstimateSubspaceSection = EstimateSubspaceSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    base: BaseSection = BaseSection()
    flare: FlareSection = FlareSection()
    card: CardSection = CardSection()
    run: RunSection = RunSection()
    reproduce: ReproduceSection = ReproduceSection()
    slurm: SlurmSection = SlurmSection()
    _folder: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _with_choices(self) -> Recipe:
        """Replace a ``train.gps`` that is not set, or ``auto``, by the number that it stands for.

        Without ranks the run is the paper's, 2;2;8+GPS(0.9), or has the ranks of the estimate that it names.
        Adapters for new languages alone are not pruned: those languages are very low in resources. ``auto``
        prunes as much as the paper does, in the languages that the estimate chooses.
        """
        train = self.train
        is_papers = train.method is Method.LSLO and train.ranks is None and not self.new_languages
        chosen: dict[str, Any] = {}
        if train.gps == "auto":
            chosen = {"gps": PAPER_GPS, "gps_classes": "auto"}
        elif train.gps is None:
            chosen = {"gps": PAPER_GPS if is_papers else 0.0}
        if train.subspace and train.ranks is None and train.method is Method.LSLO:
            chosen["ranks"] = "auto"
        vars(self)["train"] = train.model_copy(update=chosen)  # the recipe is frozen for everyone else
        return self

    @property
    def experiment(self) -> str:
        """The name of the experiment's folder: the recipe's name, the language set, or the codes.

        The codes of new languages follow, since they make another experiment. A name too long for a folder
        becomes a count with a digest: ``100-languages-1f2e3d4c``. A folder that is there keeps its name.
        """
        if self._folder is not None:
            return self._folder
        names = (self.langs,) if self.langs in self.language_sets() else self.language_names()
        codes = [model_code(name) for name in names]
        name = "-".join((self.name or "-".join(codes), *self.new_languages))
        if self.name or len(name) <= NAME_LENGTH:
            return name
        digest = sha256(name.encode()).hexdigest()[:8]
        return f"{len(codes) + len(self.new_languages)}-languages-{digest}"

    def in_folder(self, name: str) -> Recipe:
        """The recipe of the experiment that is in a folder of this name."""
        recipe = self.model_copy()
        recipe._folder = name
        return recipe

    @property
    def is_flares(self) -> bool:
        """Whether it changes any setting of FLARE."""
        return self.flare != FlareSection()

    def named_for_flare(self) -> Recipe:
        """The recipe of a FLARE experiment, named after its task if it has no name."""
        return self if self.name else self.model_copy(update={"name": f"flare-{self.flare.task}"})

    def known_languages(self) -> dict[str, Language]:
        """The paper's languages, the built-in world's, those this recipe describes, and those it adds.

        The base model has no bitext of a new language, so its class is very-low unless this recipe describes
        it. If its family is unknown, it is its relative's. What this recipe does not say of a language that
        is known without it stays.
        """
        known = {**LANGUAGES, **world(self.data.world), **NEWCOMERS}
        families = {**FAMILY_OF, **{code: language.family for code, language in known.items()}}
        added = {
            code: Language(code, Resource.VERY_LOW, families.get(code) or families.get(relative, ""))
            for code, relative in self.new_languages.items()
        }
        known |= added
        described = {model_code(name): entry for name, entry in self.languages.items()}
        return known | {code: _described(code, entry, known.get(code)) for code, entry in described.items()}

    def language_names(self) -> tuple[str, ...]:
        """The languages of the experiment as given, without new ones."""
        return language_names(self.langs, self.language_sets())

    def selected_languages(self) -> tuple[Language, ...]:
        """The languages of the experiment.

        Raises UsageError for an unknown code, or with the built-in world's text for one that it lacks.
        """
        languages = resolve_languages(
            self.langs, self.known_languages(), self.language_sets(), added=self.new_languages
        )
        spoken = {*WORLD, *NEWCOMERS, *self.new_languages}
        strangers = [each.code for each in languages if each.code not in spoken]
        if self.data.path == "world" and strangers:
            raise UsageError(
                f"the text is the built-in world's, whose synthetic languages do not include {strangers[0]}",
                "add --langs world12; for real languages give --data, and no demo recipe (unset LSLO_RECIPE)",
            )
        return languages

    @staticmethod
    def language_sets() -> dict[str, tuple[str, ...]]:
        """The named sets of languages that ``langs`` takes."""
        return {**LANGUAGE_SETS, "world12": tuple(WORLD)}

    def estimation_schedule(self) -> GradualPruning:
        """Eq. 4 with the settings of subspace estimation."""
        stage = self.estimate_subspace
        epochs = stage.epochs or self.fit.epochs
        flags = ("--target-ratio", "--start-epoch")
        return GradualPruning(stage.target_ratio, stage.start_epoch, stage.duration, epochs, *flags)

    def estimation_budget(self) -> int:
        """The ranks of the estimated map, summed over languages. Raises UsageError if there is none."""
        mean, languages = self.estimate_subspace.mean_rank, len(self.selected_languages())
        budget = round(mean * languages)
        if budget < 1:
            raise UsageError(
                f"--mean-rank {mean:g} gives {languages} languages no rank", "raise it, as --mean-rank 4"
            )
        return budget

    def for_estimation(self) -> Recipe:
        """The recipe of subspace estimation; with ``quick`` it trains on a sample of the directions.

        Raises UsageError if directions are given already, and if the budget of ranks is 0.
        """
        self.estimation_budget()
        if not self.estimate_subspace.quick:
            return self
        if self.data.directions:
            raise UsageError(
                "'estimate_subspace.quick' draws directions to train on, and 'data.directions' names some",
                "leave out one of the two",
            )
        sample = sample_directions(self.selected_languages(), QUICK_PARTNERS, self.seed)
        named = self.data.model_copy(update={"directions": tuple(map(str, sample))})
        return self.model_copy(update={"data": named})

    def adapter_settings(self, sites: SiteSet) -> AdapterSettings:
        """The settings of a stage's adapters, which sit on ``sites``."""
        section = self.adapters
        return AdapterSettings(sites, self.run.adapter_kernel, section.initialisation, section.span)

    def wanted_ranks(self) -> str:
        """The ranks of the final run as a user would give them: by class, by name, or ``auto``.

        By default the paper's, 2 for high and medium and 8 for the rest; if languages are added to the base
        model, only these get ranks.
        """
        languages, new = self.selected_languages(), self.new_languages
        if self.train.ranks is not None:
            return self.train.ranks
        if self.train.method is Method.LORA:
            return LORA_RANK
        if new:
            added = (each for each in languages if each.code in new)
            return ",".join(f"{each.code}={PAPER_RANKS[each.resource]}" for each in added)
        return ",".join(str(PAPER_RANKS[resource]) for resource in resource_classes(languages))

    def given_ranks(self) -> RankMap | None:
        """The ranks of the final run; None for full fine-tuning, and where an estimate gives them.

        Raises UsageError for ranks that do not fit the languages.
        """
        wanted = self.wanted_ranks()
        if self.train.method is Method.LORA:
            return shared_rank(wanted)
        if self.train.method is Method.FULL or wanted == "auto":
            return None
        return parse_ranks(wanted, self.selected_languages(), required=self.new_languages or None)

    def training_schedule(self) -> GradualPruning:
        """Eq. 4 with the settings of the final fine-tuning run; a ratio of 0 if it prunes nobody."""
        section = self.train
        ratio = section.ratio if self.may_prune() else 0.0
        return GradualPruning(ratio, section.gps_start, section.gps_duration, self.fit.epochs)

    def may_prune(self) -> bool:
        """Whether there is a language to prune by its class, or an estimate may name one."""
        section = self.train
        return section.ratio > 0 and (section.gps_classes == "auto" or bool(self.of_pruned_classes()))

    def of_pruned_classes(self) -> list[str]:
        """Codes of the languages in ``gps_classes``; none where an estimate decides."""
        classes = () if self.train.gps_classes == "auto" else self.train.gps_classes
        return [each.code for each in self.selected_languages() if each.resource in classes]


def _described(code: str, entry: LanguageEntry, known: Language | None) -> Language:
    """A language with the facts of its entry in a recipe; those not given there are as they are ``known``.

    A bitext of None is one not given: a recipe that was recorded has every key.
    """
    known = known or Language(code, entry.resource, FAMILY_OF.get(code, ""))
    bitext = known.bitext if entry.bitext is None else entry.bitext
    return Language(code, entry.resource, entry.family or known.family, bitext)
