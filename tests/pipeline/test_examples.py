"""The example questions of the page: the samples answer each of them by sound alone."""

from __future__ import annotations

import pytest

from speechsearch.domain.assets import SAMPLES
from speechsearch.domain.values import Query
from speechsearch.evaluation import read_collection
from speechsearch.evaluation.encoding import encode_collection
from speechsearch.library.makers import Makers
from speechsearch.retrieval.calibration import read_calibrations
from speechsearch.service.browse import EXAMPLES


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_example_is_answered_first_and_called_likely(loader) -> None:
    collection = read_collection(SAMPLES)
    text_encoder = loader.text_encoder("all-MiniLM-L6-v2")
    encoded = encode_collection(collection, Makers(loader.speech_encoder("mini")), text_encoder, has_gold=False)
    engine = encoded.engines(read_calibrations())["hybrid"]
    asked = {query.text: query.query_id for query in collection.queries}
    for question in EXAMPLES:
        ranking = engine.retriever.retrieve(Query(question), 5)
        right = collection.relevance[asked[question]]
        assert encoded.names[ranking.passages[0].passage_id] in right, question
        assert engine.likelihood is not None and engine.likelihood.is_confident(ranking), question
