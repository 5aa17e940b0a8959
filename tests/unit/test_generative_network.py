"""The two decoders and what they read: batches, gradients, sounds and typed questions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from speechsearch import audio
from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.errors import ModelUnavailableError
from speechsearch.domain.limits import Limits
from speechsearch.domain.values import Audio
from speechsearch.models.generative.listener import Listener
from speechsearch.models.generative.unity import Example, UnityConfig
from tests.tiny.generative import DIM, SMALL, network, noise


class TestUnity:
    ROWS = [noise(size, size) for size in (3, 7, 1)]

    @pytest.mark.parametrize("hears", ["pieces", "frames"])
    @pytest.mark.parametrize("bridge", ["fused", "aside", "none"])
    def test_a_question_alone_gives_what_it_gives_in_a_batch(self, hears, bridge) -> None:
        config = UnityConfig(hears, 20, DIM, (4, 4), 6, 5, bridge, stride=2, width=16, heads=2)
        model = network(config)
        rows = [noise(size, size, 20 if hears == "frames" else DIM) for size in (3, 7, 1)] + [noise(4, 9)]
        are_sound = [True, True, True, False]
        tokens = torch.tensor([[1], [2], [0], [3]])
        together = model.next_scores(tokens, model.remember(rows, are_sound))
        for place in range(4):
            alone = model.next_scores(tokens[place : place + 1], model.remember([rows[place]], [are_sound[place]]))
            torch.testing.assert_close(together[place], alone[0], atol=1e-5, rtol=1e-4)

    def test_what_is_remembered_is_what_was_trained(self) -> None:
        """The units that are written and then given as if known lead to the same memory."""
        model = network()
        memory = model.read([self.ROWS[1]], [True])
        units: list[int] = []
        while len(units) < SMALL.most_units:
            states = model.semantic.states(torch.tensor([units], dtype=torch.long).view(1, -1), memory)
            unit = int(model.semantic.head(states[0, -1]).argmax())
            if unit == model.end:
                break
            units.append(unit)
        given = torch.tensor([units], dtype=torch.long).view(1, -1)
        expected, _ = model.fused(memory, given, torch.ones(1, len(units) + 1, dtype=torch.bool))
        found = model.remember([self.ROWS[1]], [True])
        torch.testing.assert_close(found.states, expected.states)

    def test_of_the_fused_decoder_gradients_reach_encoder_and_first_decoder(self) -> None:
        examples = [Example(row, True, (1, 2), (0, 5, 9)) for row in self.ROWS]
        for bridge, is_reached in (("fused", True), ("aside", False)):
            model = network(UnityConfig("pieces", DIM, DIM, (4, 4, 4), 6, 5, bridge, width=16, heads=2))
            _, of_codes = model.losses(examples)
            of_codes.backward()
            semantic = [one.grad for name, one in model.semantic.named_parameters() if "head" not in name]
            assert all(grad is not None and grad.abs().sum() > 0 for grad in semantic) == is_reached
            assert is_reached or all(grad is None for grad in semantic)
            assert model.intakes["text"].fold.weight.grad.abs().sum() > 0

    def test_gradients_of_the_fused_decoder_are_those_of_finite_differences(self) -> None:
        model = network().double()
        rows = [row.double() for row in self.ROWS]
        examples = [Example(row, True, (1, 2), (0, 5, 9)) for row in rows]

        def loss() -> Tensor:
            of_units, of_codes = model.losses(examples)
            return of_units + of_codes

        loss().backward()
        for one in (model.semantic.embed.weight, model.intakes["text"].fold.bias, model.kinds.weight):
            place = int(one.grad.abs().argmax())
            flat, step = one.data.view(-1), 1e-5
            with torch.no_grad():
                flat[place] += step
                more = loss()
                flat[place] -= 2 * step
                less = loss()
                flat[place] += step
            assert float((more - less) / (2 * step)) == pytest.approx(float(one.grad.view(-1)[place]), rel=1e-3)


class TestListener:
    @pytest.fixture
    def sounds(self) -> list[Audio]:
        whole = audio.load(SAMPLES / "audio" / "s015.opus", Limits(), 120.0)
        return [Audio(whole.samples[:80_000]), Audio(whole.samples[:32_000]), Audio(np.zeros(16_000, np.float32))]

    @pytest.mark.parametrize("hears", ["pieces", "frames"])
    def test_a_sound_alone_has_the_states_that_it_has_beside_others(self, loader, sounds, hears) -> None:
        listener = Listener(loader.model("speech encoder", "mini"), hears)
        together = listener.of_sounds(sounds)
        assert together[0].shape[1] == listener.sound_dim and len(together[0]) > len(together[1]) > 3
        assert hears == "frames" or len(together[2]) == 0
        for sound, states in zip(sounds, together, strict=True):
            alone = listener.of_sounds([sound])[0]
            torch.testing.assert_close(alone, states, atol=1e-1, rtol=5e-2)  # one number in bfloat16 may be off
            assert not len(states) or float((alone - states).abs().mean()) < 1e-2  # but not many

    def test_frames_are_what_phonemes_are_told_from(self, loader, sounds) -> None:
        model = loader.model("speech encoder", "mini").model
        (frames,) = model.frames(sounds[:1])
        (log_probs,) = model._log_probs(sounds[:1])
        told = model.encoder.head(frames.to(model.dtype)).float().log_softmax(-1)
        assert float((told.argmax(-1) == log_probs.argmax(-1)).float().mean()) > 0.99

    def test_typed_questions_have_the_states_of_the_text_encoder(self, loader) -> None:
        listener = Listener(loader.model("speech encoder", "mini"), "pieces")
        encoder = listener.encoder.text_encoder
        texts = ["Who built the bridge?", "", "rain"]
        found = listener.of_texts(texts)
        ids = [torch.tensor(encoder.tokenizer.encode(one).ids[1:-1], dtype=torch.long) for one in texts]
        assert [len(one) for one in found] == [len(one) for one in ids]
        expected = encoder.soft_states([encoder.word_embeddings[one] for one in ids])
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, atol=2e-3, rtol=2e-3)

    def test_another_encoder_is_refused(self) -> None:
        with pytest.raises(ModelUnavailableError, match="cannot feed a generative model"):
            Listener(object(), "pieces")
