"""What a generative model reads: the states that frozen encoders make of sounds and of typed questions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.values import Audio
from speechsearch.models.generative.unity import Hears
from speechsearch.models.mini.encoder import MiniSpeechEncoder

AT_ONCE = 8


class Listener:
    """Hears sounds, and reads typed questions, as states (states, dim) float32 in the CPU's memory."""

    def __init__(self, encoder: object, hears: Hears) -> None:
        """``encoder``: a speech encoder, loaded; ``hears``: as ``UnityConfig`` has it.

        Raises:
            ModelUnavailableError: it is of a kind whose states are not known here.
        """
        if not isinstance(encoder, MiniSpeechEncoder):
            raise ModelUnavailableError(
                f"The speech encoder {encoder!r:.80} cannot feed a generative model.", "Use one like mini."
            )
        self.encoder, self.hears = encoder, hears
        self.text_dim = encoder.text_encoder.dim
        self.sound_dim = self.text_dim if hears == "pieces" else encoder.model.encoder.config.width

    @torch.inference_mode()
    def of_sounds(self, sounds: Sequence[Audio]) -> list[Tensor]:
        """Return the states of each sound, in order; none where nothing was heard."""
        if self.hears == "frames":
            return self.encoder.model.frames(sounds)
        tokens = [one.tokens.float() for one in self.encoder.model.hear(sounds)]
        found = [torch.zeros(0, self.sound_dim)] * len(tokens)
        heard = sorted((place for place, one in enumerate(tokens) if len(one)), key=lambda place: len(tokens[place]))
        for first in range(0, len(heard), AT_ONCE):
            group = heard[first : first + AT_ONCE]
            states = self.encoder.text_encoder.soft_states([tokens[place] for place in group])
            for place, one in zip(group, states, strict=True):
                found[place] = one.float().cpu()
        return found

    def of_texts(self, texts: Sequence[str]) -> list[Tensor]:
        """Return the states of each typed question, in order; none of one that is empty."""
        return [torch.from_numpy(one.copy()) for one in self.encoder.text_encoder.text_states(texts)]
