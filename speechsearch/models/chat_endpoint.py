"""A language model behind a server with OpenAI's chat completions: llama.cpp, vLLM, Ollama or a paid one.

What it is asked leaves this machine when the server is another one; so it is off unless the settings name it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from speechsearch.domain.errors import ConfigurationError, ModelUnavailableError
from speechsearch.models.base import Message

CONNECT_S, ANSWER_S = 5.0, 60.0


class ChatEndpoint:
    """Asks the server; keeps nothing."""

    def __init__(self, url: str, api_key: str, model: str) -> None:
        """``url``: up to and with the version, for example http://127.0.0.1:8080/v1.

        Raises:
            ConfigurationError: the address is none.
        """
        try:
            self.name, self.sent_to = model, elsewhere(url)
        except ValueError as error:
            raise ConfigurationError(
                f"The language model's address cannot be read: {error}.", "Correct SPEECHSEARCH_LANGUAGE_MODEL__URL."
            ) from error
        self._url, self._api_key = f"{url.rstrip('/')}/chat/completions", api_key

    def generate(self, messages: Sequence[Message], max_tokens: int, stop: Sequence[str] = ()) -> Iterator[str]:
        """Yield the text that it writes, piece by piece.

        Raises:
            ModelUnavailableError: the server cannot be reached, refuses, or sends what is no stream of completions.
        """
        asked = {
            "model": self.name, "stream": True, "temperature": 0.0, "max_tokens": max_tokens,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            **({"stop": list(stop)} if stop else {}),
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        try:
            with httpx.stream(
                "POST", self._url, json=asked, headers=headers, timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
                trust_env=bool(self.sent_to),  # what stays on this machine goes through no proxy
            ) as answer:  # fmt: skip
                answer.raise_for_status()
                for line in answer.iter_lines():
                    if line.startswith("data:") and line[5:].strip() != "[DONE]":
                        yield _piece(line[5:])
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            status = f" ({error.response.status_code})" if isinstance(error, httpx.HTTPStatusError) else ""
            raise ModelUnavailableError(
                f"The language model '{self.name}' cannot be asked: {type(error).__name__}{status}.",
                "Look at SPEECHSEARCH_LANGUAGE_MODEL__URL and its server.",
            ) from error


def elsewhere(url: str) -> str:
    """Return the host of an address; "" where that is this machine.

    >>> elsewhere("https://api.example.org/v1"), elsewhere("http://127.0.0.1:8080/v1"), elsewhere("http://[::1]/")
    ('api.example.org', '', '')
    """
    host = urlsplit(url).hostname or ""
    try:
        is_here = ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost" or host.endswith(".localhost")
    return "" if is_here else host


def _piece(written: str) -> str:
    """Return the text of an event.

    >>> _piece('{"choices": [{"delta": {"content": "Hi"}}]}'), _piece('{"choices": []}')
    ('Hi', '')
    """
    try:
        choices = json.loads(written)["choices"]
        return str(choices[0]["delta"].get("content") or "") if choices else ""
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ModelUnavailableError("The language model's server sends no chat completions.") from error
