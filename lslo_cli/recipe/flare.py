"""The settings of cross-lingual transfer with FLARE (``lslo flare``)."""

from __future__ import annotations

from pydantic import Field, field_validator

from lslo_cli.method.flare import FlareRun, SourceNoise, SourceNorm, Translated
from lslo_cli.recipe.section import Count, NonNegative, Positive, Probability, Section

DEFAULT_RUNS = ("zero-shot", "translate-test", "lora", "input-fusion", "x-mixup", "flare", "flare-shuffled")


class FlareSection(Section):
    """A task, its model, and what is compared on it.

    ``task`` is nusax, xnli, tydiqa or world, ``data`` the folder of its files, ``model`` the task model: a
    folder, a hub id, or ``world``, the encoder of the built-in world's base. ``languages`` are targets,
    ``runs`` the methods by name: flare:PHI:OFFSET, flare-mt:NAME with NAME a key of ``translators``, a base
    model of lslo or, with the adapters of a run folder, BASE@RUN; it reads texts as ``translator_reads_as``,
    the nearest language that it knows.

    ``translated`` are the sides whose texts are machine translations in the folder ``translations``: train,
    test or both; none are where the texts are as published.

    ``source_noise`` is done to a share of the words of sources, as ``lslo_cli/flare/noise.py`` defines
    it: to ``train_noise`` of them in training and development, and in tests to each share of ``test_noise``.
    The first of these is the one that tables and controls are of.

    ``mask_padding`` false fuses the states of a source text's padding too, as the released code does.

    Encoders answer with a head; decoders in words, in question answering at most ``answer_tokens`` tokens.

    The defaults of optimisation are those of the released code: AdamW, a linear schedule with warm-up over
    a tenth of all updates, the best epoch on the development set. ``english_epochs`` and ``english_lr`` are
    those of tuning on the source language, None meaning the same.
    """

    task: str = "nusax"
    """nusax, xnli, tydiqa or world."""
    data: str = "data/nusax"
    """The task's files."""
    model: str = "FacebookAI/xlm-roberta-large"
    """The task model."""
    revision: str | None = None
    """Revision of the task model on the hub; without it the one that the cache has, or the newest."""
    translated: tuple[Translated, ...] = ()
    """Sides whose texts are machine translations: train, test or both; without it as published."""
    translations: str = "data/translations"
    """Folder of these translations."""
    languages: tuple[str, ...] = ("ace", "ban", "bjn", "id", "jv", "min", "su")
    """Target languages."""
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    """One experiment for each."""
    runs: tuple[str, ...] = DEFAULT_RUNS
    """Methods by name, of those also flare:PHI:OFFSET, flare-mt:NAME and flare-shuffled:PHI:OFFSET."""
    translators: dict[str, str] = Field(default_factory=dict)
    """Translation models by name, for flare-mt:NAME."""
    translator_reads_as: str = "id"
    """Language that they take a target text for, where they do not know its own."""
    rank: Count = 8
    """Rank of every adapter."""
    alpha: Positive = 16.0
    """Adapters are scaled by alpha / rank."""
    source_norm: SourceNorm = SourceNorm.NONE
    """Norm of the source's states before they are fused."""
    source_noise: SourceNoise = SourceNoise.REPLACE
    """Change to words of sources where they are given noise."""
    train_noise: Probability = 0.0
    """Share of a source's words that are changed in training and development."""
    test_noise: tuple[Probability, ...] = (0.0,)
    """Shares of a source's words that are changed in tests, each a test of its own."""
    mask_padding: bool = True
    """Whether the padding of a source text stays unfused; the released code fuses it."""
    elsewhere: bool = False
    """Whether every other linear map of a block carries a plain LoRA, too."""
    mixup_block: Count | None = None
    """Block after which X-Mixup mixes; without it the middle one."""
    max_length: Count = 128
    """Tokens of the longest text; longer ones are cut."""
    answer_tokens: Count = 32
    """Tokens of an answer that a decoder writes."""
    dropout: Probability | None = None
    """Dropout of the task model; without it its own."""
    train_rows: Count | None = None
    """Only the first rows of the training text; without it all."""
    epochs: Count = 3
    """Epochs by language."""
    lr: Positive = 2e-5
    """Peak learning rate."""
    english_epochs: Count | None = None
    """Epochs of tuning on the source language; without it those of flare.epochs."""
    english_lr: Positive | None = None
    """Peak learning rate of that tuning; without it flare.lr."""
    batch_size: Count = 32
    """Texts of a batch."""
    warmup: Probability = 0.1
    """Share of all updates over which the learning rate rises."""
    weight_decay: NonNegative = 0.01
    """Decay of weights in AdamW."""
    clip_norm: NonNegative = 1.0
    """Largest norm of the gradients of an update; 0 does not clip."""

    @field_validator("runs")
    @classmethod
    def _runs_are_known(cls, runs: tuple[str, ...]) -> tuple[str, ...]:
        for run in runs:
            FlareRun.parse(run)
        return runs

    @field_validator("test_noise")
    @classmethod
    def _there_is_a_test(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not shares or len(set(shares)) < len(shares):
            raise ValueError("name at least one share, and each once, as 0,0.2,0.4")
        return shares

    def parsed_runs(self) -> tuple[FlareRun, ...]:
        """The runs as values."""
        return tuple(map(FlareRun.parse, self.runs))
