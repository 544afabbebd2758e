"""The files of a base model: find, check, read and replace them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import torch
from transformers import BitsAndBytesConfig, GenerationConfig, PreTrainedConfig, PreTrainedModel

from lslo_cli.architectures import TRANSLATION
from lslo_cli.architectures.translation import UNTIED
from lslo_cli.artifacts.lock import locked
from lslo_cli.artifacts.writing import OUT, beside, put_in_place, settle
from lslo_cli.errors import InputError, RunError, UsageError, is_out_of_memory
from lslo_cli.method.families import FAMILIES
from lslo_cli.method.shapes import ModelShape
from lslo_cli.models.piece_tokenizer import PieceTokenizer
from lslo_cli.models.places import CONFIG, OTHER_MODELS, ModelPlace, find_model
from lslo_cli.models.pretrained import pretrained, quiet_transformers
from lslo_cli.models.segmentation import HUB_TOKENIZER
from lslo_cli.models.stock_files import HUB_SETTINGS, OWN_FAMILY
from lslo_cli.models.tokenizer import Tokenizer
from lslo_cli.models.tokenizer_files import DICTIONARY, read_family
from lslo_cli.nn.files import first_not_finite, unreadable_reason
from lslo_cli.parsing import parse_json

GENERATION = "generation_config.json"
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
COMPUTED = ("embed_positions.weights", "coder.version", "embed_positions._float_tensor")
"""Suffixes of computed positions and version marks that older transformers and fairseq stored as weights."""

_COPY_AGAIN = "copy or download the model again"


class Checkpoint(ModelPlace):
    """A base model's files, to be read; weights of the hub are only downloaded by ``load_weights``."""

    def config(self) -> dict[str, Any]:
        """The content of config.json.

        Raises InputError if that file is missing or damaged, or describes a model that cannot be adapted.
        """
        try:
            config = parse_json((self.folder / CONFIG).read_bytes())
            model_type = config["model_type"]
            for name in TRANSLATION[model_type].sizes if model_type in TRANSLATION else ():
                int(config[name])
        except FileNotFoundError:
            present = ", ".join(sorted(path.name for path in self.folder.iterdir())) or "nothing"
            raise InputError(
                f"no base model in {self.folder}: no {CONFIG}; it holds {present}", OTHER_MODELS
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(error) from error
        if model_type not in TRANSLATION:
            raise InputError(
                f"the base model in {self.folder} is of type '{model_type}', "
                f"not {' or '.join(map(repr, TRANSLATION))}",
                f"use a model of {', '.join(family.name for family in FAMILIES.values())}, or one made by "
                "`lslo base train`",
            )
        if reason := TRANSLATION[model_type].unsupported(config):
            raise self._unsupported(reason)
        return config

    def outline(self) -> PreTrainedModel:
        """The model that config.json describes, without weights; raises InputError as :meth:`config` does."""
        network, config = self._network()
        try:
            with torch.device("meta"):
                return network(config)
        except Exception as error:  # transformers raises several types for invalid values
            raise self._damaged(error) from error

    def _network(self) -> tuple[type[PreTrainedModel], PreTrainedConfig]:
        """transformers' class of the model and its config, with lslo's settings. Raises as :meth:`config`."""
        config = self.config()
        architecture = TRANSLATION[config["model_type"]]
        config_class = cast(type[PreTrainedConfig], architecture.network.config_class)
        try:
            return architecture.network, config_class.from_dict(config, **architecture.settings)
        except Exception as error:  # transformers raises several types for invalid values
            raise self._damaged(error) from error

    def shape(self) -> ModelShape:
        """The shape that config.json describes; raises InputError as :meth:`config` does."""
        network = self.outline()
        return TRANSLATION[self.config()["model_type"]].shape(network.config, network.num_parameters())

    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the folder. Raises InputError if a file is missing or damaged."""
        config = self.config()
        family = read_family(self.folder)
        if family.sentencepiece_ids:
            return PieceTokenizer.read(self.folder, family, config)
        return Tokenizer.load(self.folder, rows=int(config["vocab_size"]))

    def load_weights(self, dtype: torch.dtype, quantised_on: torch.device | None = None) -> PreTrainedModel:
        """The model in eval mode, with layerdrop 0: adapters of a dropped layer would get no gradients.

        With ``quantised_on`` it is on that device, with linear maps except the head in 4 bits (NF4, with
        quantised scales) and the rest in ``dtype``.

        Raises InputError if the weights are missing, damaged, or do not fit config.json; RunError if one is
        not finite.
        """
        network, config = self._network()
        quantised: dict[str, Any] = {}
        if quantised_on is not None:
            four_bits = BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True
            )
            quantised = {"quantization_config": four_bits, "device_map": {"": quantised_on}}
        try:
            model, report = pretrained(
                network,
                self.hub_id or str(self.folder),
                revision=self.commit or "main",
                config=config,
                dtype=dtype,
                **quantised,
                output_loading_info=True,
            )
        except Exception as error:  # safetensors, pickle, torch and transformers each raise their own types
            if is_out_of_memory(error):
                raise RunError(
                    f"memory ran out while loading the weights in {self.folder}",
                    "free memory, run fewer processes, or choose a smaller model",
                ) from None
            message = f"the weights in {self.folder} cannot be loaded: {unreadable_reason(error)}"
            raise InputError(message, _COPY_AGAIN) from error
        if quantised:  # nn.compact decodes its matrices; its config must not say that they are quantised
            quantiser: Any = model.hf_quantizer
            quantiser.remove_quantization_config(model)
        self._check_loaded(model, report, dtype)
        return model

    def _check_loaded(self, model: PreTrainedModel, report: dict[str, Any], dtype: torch.dtype) -> None:
        """Check a loaded model by its ``report`` and its weights. Raises as :meth:`load_weights`."""
        # transformers initialises missing weights at random, and reports that in a log only.
        unexpected = {name for name in report["unexpected_keys"] if not name.endswith(COMPUTED)}
        misfits = {"lack": report["missing_keys"], "have, unexpectedly,": unexpected}
        for problem, names in misfits.items():
            if names:
                raise InputError(
                    f"the weights in {self.folder} do not fit its {CONFIG}: they {problem} {min(names)} "
                    f"(and {len(names) - 1} more)",
                    _COPY_AGAIN,
                )
        if name := first_not_finite(model.state_dict()):
            raise RunError(
                f"{name} in the base model in {self.folder}, loaded as {dtype}, is not finite",
                "take a model whose training did not diverge, or load this one as float32",
            )
        sharing = [model.get_encoder().embed_tokens, model.get_decoder().embed_tokens]
        if TRANSLATION[self.config()["model_type"]].ties_head:
            sharing.append(model.get_output_embeddings())
        if any(module.weight is not model.get_input_embeddings().weight for module in sharing):
            raise self._unsupported(UNTIED)
        bias = getattr(model, "final_logits_bias", None)
        if bias is not None and bias.any():
            raise InputError(
                f"the model in {self.folder} adds a bias to its logits, which is not supported",
                "use mBART-50 as it was published, whose bias is 0",
            )

    def digest(self, tokenizer: Tokenizer) -> str:
        """sha256 over the names and contents of the weight files, then the tokenizer's digest."""
        total = sha256()
        for path in weight_files(self.folder):
            total.update(f"{path.name} ".encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    total.update(block)
        total.update(tokenizer.digest.encode())
        return total.hexdigest()

    def _damaged(self, error: Exception) -> InputError:
        return InputError(f"{self.folder / CONFIG} is damaged: {error!r}", _COPY_AGAIN)

    def _unsupported(self, reason: str) -> InputError:
        return InputError(
            f"the base model in {self.folder} {reason}",
            f"use a model of {', '.join(family.name for family in FAMILIES.values())}",
        )


def find_checkpoint(model: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint of ``world``, a folder or a hub id; raises InputError as :func:`find_model` does."""
    place = find_model(model, revision)
    return Checkpoint(place.folder, place.hub_id, place.commit)


def check_replaceable(folder: Path) -> None:
    """Raise UsageError if ``folder`` holds a model that lslo did not write, which a new one would overwrite.

    lslo writes safetensors, a dict.txt, and tokenizer_config.json, if at all, with the family.
    """
    if not (folder / CONFIG).is_file():
        return
    settings = folder / HUB_SETTINGS
    is_own = (
        (folder / DICTIONARY).is_file()
        and not any(folder.glob(WEIGHTS[1]))
        and not (settings.is_file() and OWN_FAMILY not in settings.read_text("utf-8", errors="replace"))
    )
    if not is_own:
        raise UsageError(
            f"{folder} holds a model that lslo did not write", "choose another folder for --out, or remove it"
        )


def write_checkpoint(
    model: PreTrainedModel, tokenizer: Tokenizer, generation: GenerationConfig, folder: Path
) -> Checkpoint:
    """Write a model so that a reader finds the complete model or none; ``generation`` is for others' search.

    The files are written beside the folder, which appears with all of them. If it exists already, they are
    moved in; config.json, without which there is no model, is removed first and moved last. Raises InputError
    if the folder cannot be written to, and RunError if a weight is not finite.
    """
    if name := first_not_finite(model.state_dict()):
        raise RunError(
            f"weights are not finite, the first in {name}: {folder} was not written",
            "lower the learning rate",
        )
    with locked(folder, owned=[folder], hint=OUT), beside(folder, OUT) as partial:
        partial.mkdir()
        with quiet_transformers():
            model.save_pretrained(partial)
            config = parse_json((partial / CONFIG).read_bytes())
            published = TRANSLATION[config["model_type"]].published(model, config)
            (partial / CONFIG).write_text(json.dumps(published, indent=2) + "\n", encoding="utf-8")
            # Not its save_pretrained, which refuses settings that it warns of when it reads them.
            generation.to_json_file(partial / GENERATION, use_diff=True)
        tokenizer.save(partial)
        settle(partial)
        named = (folder / name for name in (CONFIG, HUB_TOKENIZER, HUB_SETTINGS))
        for stale in (*named, *weight_files(folder)):
            stale.unlink(missing_ok=True)
        put_in_place(partial, folder, CONFIG)
    return Checkpoint(folder)


def weight_files(folder: Path, patterns: Sequence[str] = WEIGHTS) -> list[Path]:
    """The files transformers would read, in order: safetensors, or pickled weights if there are none."""
    return next((files for pattern in patterns if (files := sorted(folder.glob(pattern)))), [])
