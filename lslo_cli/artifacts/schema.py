"""The envelope of every artifact: a result and its provenance.

An artifact is read in the ``version`` of its result alone, so any change but one raises it: a field that is
added has a default, with which older artifacts stay readable.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic import FiniteFloat as Number

from lslo_cli.method.languages import Language, Resource
from lslo_cli.method.shapes import ModelShape
from lslo_cli.wording import Command


class Document(BaseModel):
    """Base of everything in an artifact: immutable and strict."""

    # NaN stays NaN, which the store then refuses; pydantic's default would write null.
    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="constants", use_attribute_docstrings=True
    )


class Input(Document):
    """A file this artifact was made from, and the digest of the content read."""

    role: str
    path: str
    digest: str


class LanguageRecord(Document):
    """A language as the run saw it."""

    code: str
    resource: Resource
    family: str = ""
    bitext: int | None = None

    @classmethod
    def of(cls, language: Language) -> LanguageRecord:
        return cls(
            code=language.code, resource=language.resource, family=language.family, bitext=language.bitext
        )

    def language(self) -> Language:
        return Language(self.code, self.resource, self.family, self.bitext)


class DataIdentity(Document):
    """The text that was read: path as given, split, rows, and sha256 over languages and lines.

    ``limit`` is the number of rows of each section that was asked for, None for all. ``hold_out`` is the
    number of rows of each section that were held out of the training text, None if it was not divided.
    """

    path: str
    split: str
    rows: int
    examples: int
    digest: str
    limit: int | None = None
    hold_out: int | None = None


class ModelIdentity(Document):
    """The base model used: ``name`` as given by the user, ``digest``, which decides, and its shape.

    ``revision`` is the hub's commit, None for a folder. ``digest`` is the sha256 over weights and vocabulary,
    empty for a model that was never saved or has no weights; that of a task model is over weights alone, and
    its ``settings`` have its tokenizer's digest. ``learned_positions`` are the rows of each table of
    positions; the other sizes are those of :class:`ModelShape`. ``settings`` change what it computes and not
    its weights; they are empty where they were not recorded.
    """

    name: str
    revision: str | None
    digest: str
    encoder_layers: int
    decoder_layers: int
    d_model: int
    ffn_dim: int
    vocab_size: int
    parameters: int
    learned_positions: int = 0
    attention_dim: int | None = None
    decoder_ffn_dim: int | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    def other_settings(self, now: ModelIdentity) -> list[str]:
        """The settings that both record with different values."""
        return [name for name, value in self.settings.items() if now.settings.get(name, value) != value]

    def is_the_same(self, now: ModelIdentity) -> bool:
        """Whether both are one model, wherever it lies: the same weights, used in the same way."""
        return self.digest == now.digest and not self.other_settings(now)

    @property
    def shape(self) -> ModelShape:
        return ModelShape(**{size.name: getattr(self, size.name) for size in fields(ModelShape)})


class Made(Document):
    """How an artifact was made. The only part that may differ when a run is repeated."""

    version: str
    commit: str | None
    dirty: bool | None
    packages: dict[str, str]
    python: str
    device: str
    command: str
    started: str
    seconds: Number
    peak_memory_mib: Number | None = None


class Result(Document):
    """Base of the results: ``kind`` names the schema, ``version`` its revision, ``command`` makes one.

    ``sections`` are those of a recipe that it depends on, in addition to seed, languages and arithmetic.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    command: ClassVar[Command]
    sections: ClassVar[tuple[str, ...]] = ()

    def settings(self, recipe: Any) -> list[Any]:
        """The settings of a recipe that determine the result."""
        return [getattr(recipe, section) for section in self.sections]

    def has_all_of(self, recipe: Any) -> bool:
        """Whether nothing is to be added to it, such as the scores of a metric that the recipe names."""
        return True


R = TypeVar("R", bound=Result)


class Artifact(Document, Generic[R]):
    """A result and its provenance. ``digest`` is the sha256 of the result alone, as canonical JSON."""

    schema_id: str
    version: int
    experiment: str
    seed: int
    languages: list[LanguageRecord]
    recipe: dict[str, Any]
    inputs: list[Input]
    data: list[DataIdentity]
    model: ModelIdentity
    result: R
    digest: str
    made: Made

    def input_digest(self, role: str) -> str | None:
        """The digest of the input with this role, or None if there was none."""
        return next((item.digest for item in self.inputs if item.role == role), None)


@cache
def artifact_of(result_type: type[R]) -> type[Artifact[R]]:
    """``Artifact[result_type]``, for a type known only at run time; kept, since building it takes a while."""
    return cast("type[Artifact[R]]", Artifact.__class_getitem__(result_type))
