"""Public models that come by folder: which repository, at which revision, and what their pages say of their use.

Of these no sha256 was known that could be pinned, so that they are not fetched by themselves; a folder of theirs among
your models is hashed when it is read. Revisions are those that several public programs pin. None was at hand here.
"""

from __future__ import annotations

from dataclasses import dataclass

from speechsearch.models.card import Task

WEB_SEARCH = "Given a web search query, retrieve relevant passages that answer the query"


@dataclass(frozen=True, slots=True)
class PublicModel:
    """A model of the hub. ``needs_saving``: at this revision it has weights as a pickle only, to be converted."""

    task: Task
    repository: str
    revision: str
    licence: str
    summary: str
    query_prompt: str = ""
    passage_prompt: str = ""
    needs_saving: bool = False

    def how_to_get(self, name: str) -> str:
        """Return the commands that put it among your models under a name.

        >>> PublicModel("text encoder", "a/b", "0" * 7, "MIT", "").how_to_get("b")
        'hf download a/b --revision 0000000 --local-dir MODELS/b'
        """
        fetch = f"hf download {self.repository} --revision {self.revision} --local-dir MODELS/{name}"
        save = f"; python -m speechsearch.training.to_safetensors MODELS/{name}"
        return fetch + (save if self.needs_saving else "")


KNOWN = {
    "e5-mistral-7b-instruct": PublicModel(
        "text encoder", "intfloat/e5-mistral-7b-instruct", "07163b72af1488142a360786df853f237b1a3ca1", "MIT",
        "the paper's text encoder: 4096 numbers; wants a graphics card",
        query_prompt=f"Instruct: {WEB_SEARCH}\nQuery: ",
    ),
    "qwen3-embedding-0.6b": PublicModel(
        "text encoder", "Qwen/Qwen3-Embedding-0.6B", "b22da495047858cce924d27d76261e96be6febc0", "Apache-2.0",
        "1024 numbers, of which 32 and more may be kept; over 100 languages",
        query_prompt=f"Instruct: {WEB_SEARCH}\nQuery:",
    ),
    "bge-m3": PublicModel(
        "text encoder", "BAAI/bge-m3", "5617a9f61b028005a4858fdac845db406aefb181", "MIT",
        "1024 numbers, over 100 languages, texts of 8192 pieces",
    ),
    "bge-small-en-v1.5": PublicModel(
        "text encoder", "BAAI/bge-small-en-v1.5", "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a", "MIT",
        "384 numbers, English",
        query_prompt="Represent this sentence for searching relevant passages: ",
    ),
    "bge-base-en-v1.5": PublicModel(
        "text encoder", "BAAI/bge-base-en-v1.5", "a5beb1e3e68b9ab74eb54cfd186867f64f240e1a", "MIT",
        "768 numbers, English",
        query_prompt="Represent this sentence for searching relevant passages: ",
    ),
    "multilingual-e5-small": PublicModel(
        "text encoder", "intfloat/multilingual-e5-small", "614241f622f53c4eeff9890bdc4f31cfecc418b3", "MIT",
        "384 numbers, about 100 languages",
        query_prompt="query: ", passage_prompt="passage: ",
    ),
    "hubert-large-ll60k": PublicModel(
        "frame encoder", "facebook/hubert-large-ll60k", "ff022d095678a2995f3c49bab18a96a9e553f782", "Apache-2.0",
        "the paper's speech encoder, of 60,000 hours", needs_saving=True,
    ),
    "hubert-large-ls960-ft": PublicModel(
        "frame encoder", "facebook/hubert-large-ls960-ft", "ece5fabbf034c1073acae96d5401b25be96709d8", "Apache-2.0",
        "the same, tuned to write English down", needs_saving=True,
    ),
    "wavlm-large": PublicModel(
        "frame encoder", "microsoft/wavlm-large", "c1423ed94bb01d80a3f5ce5bc39f6026a0f4828c", "MIT",
        "WavLM large, of 94,000 hours", needs_saving=True,
    ),
    "w2v-bert-2.0": PublicModel(
        "frame encoder", "facebook/w2v-bert-2.0", "da985ba0987f70aaeb84a80f2851cfac8c697a7b", "MIT",
        "a conformer of 4.5 million hours in 143 languages",
    ),
    "embeddinggemma-2": PublicModel(
        "speech encoder", "google/embeddinggemma-2", "914f7f89142e33e77833254d9c9b90c3cef7303b", "Apache-2.0",
        "texts and sound in one space of 768 numbers; nothing to train",
    ),
}  # fmt: skip
"""Name of the folder -> model."""
