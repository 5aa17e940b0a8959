"""What ``speechsearch train adapter`` is told: a YAML file, every key of it checked."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from speechsearch.domain.errors import ConfigurationError
from speechsearch.domain.limits import Group


class AdapterGroup(Group):
    """The adapter: see ``models/adapter_sizes.py``. ``start``: how it begins, see ``speechrag_start.py``."""

    kind: Literal["linear", "transformer", "token"] = "linear"
    pool: int = Field(4, ge=1)
    width: int = Field(256, ge=8)
    layers: int = Field(2, ge=1)
    heads: int = Field(4, ge=1)
    start: Literal["random", "aligned"] = "random"


class LossGroup(Group):
    """The weights of the losses, the temperature of the contrast, and to which sizes vectors may be cut.

    ``words``: of what embeddings miss of those of the word pieces that are said; see ``speechrag_words.py``.
    """

    cosine: float = Field(1.0, ge=0)
    contrast: float = Field(0.0, ge=0)
    words: float = Field(0.0, ge=0)
    temperature: float = Field(0.05, gt=0)
    matryoshka: tuple[int, ...] = ()


class SourceGroup(Group):
    """Where sound and its text come from: a ``manifest`` of this machine, or a ``dataset`` (a folder, or of the hub).

    ``hours``: so much of it at most; 0 for all. A dataset is read in its order, as it comes.
    """

    manifest: str = ""
    dataset: str = ""
    configuration: str = ""
    revision: str = ""
    split: str = "train"
    audio_column: str = "audio"
    text_column: str = "text"
    hours: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if bool(self.manifest) == bool(self.dataset):
            raise ValueError("a source has either a manifest or a dataset")
        return self


class DataGroup(Group):
    """What is trained on, and what recall is measured on.

    ``keeps_states``: whether what the frozen part of the speech encoder makes of every sound is kept on disk: then each
    is heard once, however long the training. Sounds outside ``shortest_s`` to ``longest_s`` are left out.
    """

    train: tuple[SourceGroup, ...] = Field(min_length=1)
    development: tuple[SourceGroup, ...] = Field(min_length=1)
    shortest_s: float = Field(1.0, gt=0)
    longest_s: float = Field(30.0, gt=0, le=30)
    keeps_states: bool = True


class StageGroup(Group):
    """Some steps. So many of the speech encoder's last layers are trained, ``unfrozen_layers``, at ``encoder_rate``."""

    steps: int = Field(ge=1)
    rate: float = Field(1e-3, gt=0)
    encoder_rate: float = Field(5e-5, gt=0)
    unfrozen_layers: int = Field(0, ge=0)
    warmup: int = Field(20, ge=0)


class TrainingConfig(Group):
    """All of a training.

    ``dim``: how many numbers of the text encoder's vectors are kept; 0 for all. ``lora_rank``: of the weights that are
    added to unfrozen layers by low rank, while their own stay; 0 trains the layers themselves. ``patience``: after so
    many evaluations without a better recall the training ends; 0 for never. ``tracker``: where metrics also go.
    """

    name: str
    speech_encoder: str
    text_encoder: str
    adapter: AdapterGroup = AdapterGroup()
    loss: LossGroup = LossGroup()
    data: DataGroup
    stages: tuple[StageGroup, ...] = Field(min_length=1)
    dim: int = Field(0, ge=0)
    batch: int = Field(16, ge=2)
    accumulation: int = Field(1, ge=1)
    precision: Literal["no", "bf16", "fp16"] = "no"
    text_encoder_bits: Literal[4, 16] = 16
    lora_rank: int = Field(0, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    evaluate_every: int = Field(50, ge=1)
    save_every: int = Field(25, ge=1)
    patience: int = Field(0, ge=0)
    seed: int = 1
    tracker: Literal["none", "tensorboard"] = "none"
    licence: str = "apache-2.0"
    languages: tuple[str, ...] = ("en",)

    @model_validator(mode="after")
    def _never_refreezes(self) -> Self:
        unfrozen = [stage.unfrozen_layers for stage in self.stages]
        if unfrozen != sorted(unfrozen):
            raise ValueError("no later stage may have fewer unfrozen_layers than an earlier one")
        return self

    @model_validator(mode="after")
    def _has_words_by_frame(self) -> Self:
        if self.loss.words and (self.adapter.kind == "token" or not self.data.keeps_states):
            raise ValueError("a loss of words needs an adapter with an embedding a frame, and kept states")
        return self

    @property
    def steps(self) -> int:
        """The steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[int, int]:
        """Return which stage a step, from 0 on, belongs to, and which of its steps it is."""
        for number, stage in enumerate(self.stages):
            if step < stage.steps:
                return number, step
            step -= stage.steps
        return len(self.stages) - 1, self.stages[-1].steps


def read_training(path: Path) -> TrainingConfig:
    """Return what a YAML file says; the paths of its manifests are taken from the working folder.

    Raises:
        ConfigurationError: it cannot be read, or a key is unknown or does not fit.
    """
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TrainingConfig.model_validate(read)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{path}, {where or 'as a whole'}: {first['msg']}.", "See docs/speechrag.md."
        ) from error


def tiny(config: TrainingConfig) -> TrainingConfig:
    """Return the same in a form that ends within a minute: two steps a stage, little data, small batches."""
    stages = tuple(stage.model_copy(update={"steps": 2, "warmup": 1}) for stage in config.stages)

    def little(sources: tuple[SourceGroup, ...]) -> tuple[SourceGroup, ...]:
        return tuple(source.model_copy(update={"hours": 0.02}) for source in sources)

    data = config.data.model_copy(
        update={"train": little(config.data.train), "development": little(config.data.development)}
    )
    return config.model_copy(
        update={"stages": stages, "data": data, "batch": 4, "accumulation": 1, "evaluate_every": 2, "save_every": 2}
    )
